import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { PlantedBug } from './planted-bugs.ts';

export interface Finding {
  readonly name: string;
  /** The first seed with a violation; null when there was none. */
  readonly seed: number | null;
  readonly checker: string;
  readonly seconds: number;
}

/** Runs seeds from 1 on with the bug in the product, in a process of its own, until one fails. */
export async function findPlantedBug(bug: PlantedBug, seeds: number): Promise<Finding> {
  const startedMs = performance.now();
  const child = spawn(
    process.execPath,
    ['--import', join(import.meta.dirname, 'plant.ts'), join(import.meta.dirname, 'seeds-until-failure.ts'), `${seeds}`],
    { env: { ...process.env, PLANTED_BUG: bug.name }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`planted bug '${bug.name}': the run itself failed: ${errors.slice(-2000)}`);
  const { seed, checker } = JSON.parse(output) as { seed: number | null; checker: string };
  return { name: bug.name, seed, checker, seconds: Math.round((performance.now() - startedMs) / 100) / 10 };
}
