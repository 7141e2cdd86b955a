import { readFileSync, readdirSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const rowsShown = 30;
/** What V8 calls the time when nothing ran. */
const idle = '(idle)';

/** The part of V8's CPU profile (`node --cpu-prof`) that is used. */
interface CpuProfile {
  readonly nodes: readonly { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

function place(url: string, lineNumber: number): string {
  const file = url.startsWith('file://') ? relative(process.cwd(), fileURLToPath(url)) : url;
  return file === '' ? '' : `${file}:${lineNumber + 1}`;
}

/** Self time in milliseconds by function and place. */
function selfTimes(profile: CpuProfile): Map<string, number> {
  const microseconds = new Map<number, number>();
  for (const [index, id] of profile.samples.entries()) microseconds.set(id, (microseconds.get(id) ?? 0) + profile.timeDeltas[index]);
  const times = new Map<string, number>();
  for (const { id, callFrame } of profile.nodes) {
    const name = `${callFrame.functionName || '(anonymous)'}  ${place(callFrame.url, callFrame.lineNumber)}`.trim();
    times.set(name, (times.get(name) ?? 0) + (microseconds.get(id) ?? 0) / 1000);
  }
  return times;
}

/** The functions with the most self time of one profile, as lines of text. */
function formatProfile(file: string): string {
  const times = selfTimes(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
  const busy = [...times].filter(([name]) => name !== idle).sort((a, b) => b[1] - a[1]);
  const busyMs = busy.reduce((sum, [, ms]) => sum + ms, 0);
  const lines = busy.slice(0, rowsShown).map(([name, ms]) => `${((ms * 100) / busyMs).toFixed(1).padStart(6)} %  ${name}`);
  return [`${basename(file)}: ${(busyMs / 1000).toFixed(1)} s busy`, ...lines].join('\n');
}

/** All profiles of a folder, each as its own block of text. */
export function formatProfiles(directory: string): string {
  const files = readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'));
  return files.map((name) => formatProfile(join(directory, name))).join('\n\n');
}
