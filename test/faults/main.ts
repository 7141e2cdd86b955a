/**
 * Faults with real processes: the scoreboard of what Caravan survives, with figures. See README.md in this folder.
 * `npm run faults -- --help`
 */
import { execFileSync } from 'node:child_process';
import { describeMachine } from '../../bench/machine.ts';
import { parseOptions, usage } from './options.ts';
import { rows } from './registry.ts';
import { formatOrigins, formatTable, keepResult, lastResults, writeDocument } from './results.ts';
import { Lab } from './rig/lab.ts';
import type { Owner } from './rig/lab.ts';
import { judge } from './row.ts';
import type { Measured, Row, RowContext, RowResult } from './row.ts';

/** Labs that stand: what is left of them goes when this process ends, whatever the reason. */
class Labs implements Owner {
  readonly #standing = new Set<Lab>();
  #count = 0;

  adopt(lab: Lab): void {
    this.#standing.add(lab);
  }

  release(lab: Lab): void {
    this.#standing.delete(lab);
  }

  async make(wires: readonly (readonly [string, string])[], hosts?: readonly string[]): Promise<Lab> {
    return await Lab.make(this, this.#count++, wires, hosts);
  }

  removeNow(): void {
    for (const lab of this.#standing) lab.removeNow();
  }
}

/** What is measured, as git names it; marked when files differ from that. */
function describeCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty=+'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    // Not a clone, or no git: the figures stand without it.
    return 'unknown';
  }
}

/** Rejects when the signal is aborted: a row that waits for something else must not hold up the end. */
async function untilAborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function runRow(row: Row, fast: boolean, peers: boolean, labs: Labs, interrupted: AbortSignal): Promise<RowResult> {
  const startedMs = performance.now();
  const note = (text: string): void => void process.stderr.write(`${row.id}: ${text}\n`);
  const limitSeconds = fast ? row.limitSeconds.fast : row.limitSeconds.full;
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(limitSeconds * 1000)]);
  const context: RowContext = { fast, peers, signal, note, lab: async (wires, hosts) => await labs.make(wires, hosts) };
  const base = { row: row.id, title: row.title, floor: row.floor, goal: row.goal, fast };
  const measured: Measured = await Promise.race([row.run(context), untilAborted(signal)]);
  return {
    ...base,
    ...judge(measured),
    figures: measured.figures,
    ...(measured.peers === undefined ? {} : { peer: measured.peers }),
    ...(measured.detail === undefined ? {} : { detail: measured.detail }),
    ...(fast && row.shortened !== undefined ? { shortened: row.shortened } : {}),
    seconds: Math.round((performance.now() - startedMs) / 1000),
    at: new Date().toISOString(),
    machine: describeMachine().replace(/, load average.*/, ''),
    commit: describeCommit(),
  };
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), rows);
  if (options === undefined) {
    process.stdout.write(usage);
    return 0;
  }
  if (options.only === 'list') {
    for (const { id, title, floor, goal, fast } of rows)
      console.log(`${id}${fast ? ' (fast)' : ''}: ${title}. Floor: ${floor}. Goal: ${goal}.`);
    return 0;
  }
  if (options.only !== undefined) {
    const results = await lastResults();
    if (options.only === 'table') console.log(`${formatOrigins(results)}\n\n${formatTable(rows, results)}`);
    else await writeDocument(rows, results);
    return 0;
  }
  const labs = new Labs();
  const interrupt = new AbortController();
  process.once('exit', () => labs.removeNow());
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort(new Error(`interrupted by ${name}`)));
  let failed = false;
  for (const row of options.rows) {
    if (interrupt.signal.aborted) break;
    const missing = row.missing();
    if (missing !== undefined) {
      console.log(JSON.stringify({ row: row.id, skipped: missing }));
      continue;
    }
    try {
      const result = await runRow(row, options.fast, options.peers, labs, interrupt.signal);
      console.log(JSON.stringify(result));
      await keepResult(result);
      failed ||= !result.met.floor;
    } catch (error) {
      failed = true;
      console.log(JSON.stringify({ row: row.id, error: (error as Error).message.slice(0, 4000) }));
      // What it left standing would disturb the next.
      labs.removeNow();
    }
  }
  return interrupt.signal.aborted ? 130 : failed ? 1 : 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
// A row that was given up may still hold timers and pipes.
process.exit();
