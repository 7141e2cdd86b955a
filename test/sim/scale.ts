import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { runScale, type ScaleStart } from '../../src/sim/scale.ts';

/**
 * Room for 10,000 routers that each know 10,000. The young generation is large because most messages live for a moment, and the old one from the
 * start, because what gets there stays: to look for garbage among it while it grows would be in vain. Arrays of numbers count with all else:
 * by themselves they would have everything searched every few dozen MiB.
 */
const memoryFlags: readonly string[] = [
  '--max-old-space-size=14000',
  '--initial-old-space-size=9000',
  '--max-semi-space-size=256',
  '--external-memory-accounted-in-global-limit',
];
/** From here on the memory that Node gives itself may not do. */
const manyRouters = 1_500;

/** `--scale`: see docs/simulation.md. The exit code. */
export async function scale(routers: number, seed: number, start: ScaleStart | undefined): Promise<number> {
  if (routers >= manyRouters && !memoryFlags.every((flag) => process.execArgv.includes(flag))) return runWithMemory();
  const report = runScale({ routers, seed, start, resources: { cpuSeconds, memory } }, (line) => process.stdout.write(`${line}\n`));
  return report.agreed ? 0 : 1;
}

/** The same program and arguments again, in a process that may use more memory. */
async function runWithMemory(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...memoryFlags, ...process.argv.slice(1)], { stdio: 'inherit' });
  const stop = (): void => void child.kill();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function memory(): { residentMiB: number; heapMiB: number } {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentMiB: rss / 2 ** 20, heapMiB: (heapUsed + external) / 2 ** 20 };
}
