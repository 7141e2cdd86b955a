/**
 * Runs the simulator: `npm run sim -- --seed N`; see docs/simulation.md.
 *
 * The last line of the output is JSON. The exit code is 1 when a checker has found a violation, 2 for wrong options.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Fault } from '../../src/sim/fault.ts';
import type { ScaleStart } from '../../src/sim/scale.ts';
import { runJob } from './job.ts';
import type { Job, JobResult } from './job.ts';
import { scale } from './scale.ts';
import { shrink } from './shrink.ts';
import { WorkerPool } from './worker-pool.ts';

const usage = `usage: npm run sim -- [--seed N | --seeds FROM..TO] [--routers N] [--minutes N] [--twice] [--jobs N]
                    [--shrink] [--schedule FILE] [--write FILE] [--night] [--stop-at-first]
       npm run sim -- --scale [--routers N] [--seed N] [--warm | --cold]

  --seed N           one run (default: a random seed)
  --seeds FROM..TO   many runs
  --routers N        instead of the number that the seed draws (2 to 8)
  --minutes N        virtual time in which anything may fail
  --twice            run each seed twice and compare the traces
  --jobs N           threads (default 2)
  --schedule FILE    faults to take instead of those that the seed draws
  --shrink           leave out what a failing schedule does not need; --write FILE keeps the rest
  --night            seeds without end, from --seed on, until interrupted
  --stop-at-first    end with the first seed that fails
  --scale            routing alone in a large network (default 1,000 routers): a start, a cut, a crash, an address
  --warm, --cold     whether its routers know each other already at the start (default: if there are more than 5,000)
`;

/** Options that cannot be understood end the program with their reason. */
function refuse(reason: string): never {
  process.stderr.write(`sim: ${reason}\n${usage}`);
  process.exit(2);
}

function numberOf(text: string | undefined, name: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value >= least)) refuse(`--${name} is a number of ${least} or more`);
  return value;
}

function commitOf(): string {
  try {
    const directory = import.meta.dirname;
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

const options = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  routers: { type: 'string' },
  minutes: { type: 'string' },
  jobs: { type: 'string' },
  schedule: { type: 'string' },
  write: { type: 'string' },
  twice: { type: 'boolean', default: false },
  shrink: { type: 'boolean', default: false },
  night: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  'stop-at-first': { type: 'boolean', default: false },
  scale: { type: 'boolean', default: false },
  warm: { type: 'boolean', default: false },
  cold: { type: 'boolean', default: false },
} as const;

function readOptions(): ReturnType<typeof parseArgs<{ options: typeof options }>>['values'] {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const values = readOptions();
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const commit = commitOf();
const routers = numberOf(values.routers, 'routers', 1);
const minutes = numberOf(values.minutes, 'minutes', 0);
const jobs = numberOf(values.jobs, 'jobs', 1) ?? 2;
const firstSeed = numberOf(values.seed, 'seed', 0) ?? Math.floor(Math.random() * 0x1_0000_0000);
const faults = values.schedule === undefined ? undefined : (JSON.parse(readFileSync(values.schedule, 'utf8')) as Fault[]);

function jobOf(seed: number): Job {
  return { seed, routers, minutes, faults, twice: values.twice };
}

/** How a large network starts; undefined where its size decides. */
function startOf(): ScaleStart | undefined {
  if (values.warm) return 'warm';
  return values.cold ? 'cold' : undefined;
}

/** How to see the same again. */
function replayCommand(seed: number): string {
  const parts = [`npm run sim -- --seed ${seed}`];
  if (routers !== undefined) parts.push(`--routers ${routers}`);
  if (minutes !== undefined) parts.push(`--minutes ${minutes}`);
  if (values.schedule !== undefined) parts.push(`--schedule ${values.schedule}`);
  return parts.join(' ');
}

function line(result: JobResult): string {
  const { seed, traceHash, events, messagesPerChange, convergenceMs, violations, routers: count, virtualMs } = result;
  return JSON.stringify({ seed, commit, routers: count, virtualMs, traceHash, events, messagesPerChange, convergenceMs, violations });
}

function reportFailure(result: JobResult): void {
  const [violation] = result.violations;
  process.stderr.write(
    `seed ${result.seed} at commit ${commit} fails: ${violation.checker}, after ${Math.round(violation.atMs)} ms: ${violation.text}\n` +
      `  replay:  ${replayCommand(result.seed)}\n  shrink:  ${replayCommand(result.seed)} --shrink\n`,
  );
}

/** Figures of many runs. */
class Summary {
  readonly #startedMs = performance.now();
  runs = 0;
  failures = 0;
  #events = 0;
  #virtualMs = 0;
  #violations = 0;
  readonly #convergenceMs: number[] = [];
  readonly #perChange: number[] = [];

  add(result: JobResult): void {
    this.runs++;
    this.#events += result.events;
    this.#virtualMs += result.virtualMs;
    this.#violations += result.violations.length;
    this.#convergenceMs.push(...result.convergenceMs);
    if (result.messagesPerChange !== null) this.#perChange.push(result.messagesPerChange);
    if (result.violations.length === 0) return;
    this.failures++;
    reportFailure(result);
  }

  get json(): string {
    const sorted = this.#convergenceMs.toSorted((a, b) => a - b);
    const at = (share: number): number | null => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;
    const perChange = this.#perChange.reduce((sum, count) => sum + count, 0) / Math.max(1, this.#perChange.length);
    return JSON.stringify({
      commit,
      seeds: this.runs,
      failures: this.failures,
      violations: this.#violations,
      events: this.#events,
      virtualHours: Math.round(this.#virtualMs / 36_000) / 100,
      seconds: Math.round((performance.now() - this.#startedMs) / 100) / 10,
      messagesPerChange: Math.round(perChange * 10) / 10,
      convergenceMs: { p50: at(0.5), p99: at(0.99), most: at(1) },
    });
  }
}

function* seedsOf(): Generator<Job> {
  if (values.night) for (let seed = firstSeed; ; seed++) yield jobOf(seed);
  const [from, to] = (values.seeds ?? '').split('..').map(Number);
  if (!(from <= to)) refuse('--seeds is FROM..TO');
  for (let seed = from; seed <= to; seed++) yield jobOf(seed);
}

async function runMany(): Promise<number> {
  const summary = new Summary();
  let interrupted = false;
  process.once('SIGINT', () => (interrupted = true));
  await using pool = new WorkerPool(jobs);
  await pool.run(seedsOf(), (result) => {
    summary.add(result);
    return !interrupted && !(values['stop-at-first'] && summary.failures > 0);
  });
  process.stdout.write(`${summary.json}\n`);
  return summary.failures > 0 ? 1 : 0;
}

function runShrink(): number {
  const job = jobOf(firstSeed);
  const found = shrink(job);
  if (found === undefined) {
    process.stdout.write(`seed ${firstSeed} does not fail\n`);
    return 0;
  }
  const text = `[\n${found.faults.map((fault) => `  ${JSON.stringify(fault)}`).join(',\n')}\n]\n`;
  process.stdout.write(text);
  const file = values.write;
  if (file !== undefined) {
    writeFileSync(file, text);
    process.stdout.write(`replay:  npm run sim -- --seed ${firstSeed} --schedule ${file}\n`);
  }
  process.stdout.write(`${line(found.result)}\n`);
  return 1;
}

function runOne(): number {
  const result = runJob(jobOf(firstSeed));
  if (result.violations.length > 0) reportFailure(result);
  process.stdout.write(`${line(result)}\n`);
  return result.violations.length > 0 ? 1 : 0;
}

if (values.warm && values.cold) refuse('--warm and --cold are one or the other');
if (values.scale) process.exitCode = await scale(routers ?? 1_000, numberOf(values.seed, 'seed', 0) ?? 1, startOf());
else if (values.shrink) process.exitCode = runShrink();
else if (values.night || values.seeds !== undefined) process.exitCode = await runMany();
else process.exitCode = runOne();
