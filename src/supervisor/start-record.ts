import { access, readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { SiteLayout } from '../site/state-layout.ts';

/** Starts after an unexpected end are told for this long. */
const watchedMs: number = 3_600_000;
/** Times that are kept: enough to see that it goes on and on. */
const maxKept = 32;

/**
 * Notes a start of the site, and gives how many starts in the last hour came after an end that nobody had asked for, this one included: the process
 * before did not get to remove its process id. Only for the process that has the state folder.
 */
export async function noteStart(layout: Pick<SiteLayout, 'pidFile' | 'startsFile'>, wallMs: number): Promise<number> {
  const recent = (await readTimes(layout.startsFile)).filter((timeMs) => timeMs <= wallMs && wallMs - timeMs < watchedMs);
  if (!(await exists(layout.pidFile))) return recent.length;
  const kept = [...recent, wallMs].slice(-maxKept);
  // A disk that does not take it is told of by what matters more.
  await writeFileAtomic(layout.startsFile, `${JSON.stringify(kept)}\n`).catch(() => undefined);
  return kept.length;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** What cannot be read says nothing: the file is only for people. */
async function readTimes(path: string): Promise<readonly number[]> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return Array.isArray(value) ? value.filter((item): item is number => Number.isFinite(item)).slice(-maxKept) : [];
  } catch {
    return [];
  }
}
