import { join } from 'node:path';

import { cpuTime } from '../process-usage.ts';
import { findProgram } from '../tools.ts';
import { portOf } from '../targets/target.ts';
import type { Service, Target } from '../targets/target.ts';
import type { LoadContext } from './load.ts';

const summaryScript: string = join(import.meta.dirname, 'wrk-summary.lua');
/** wrk ends by itself after its duration; this is for the case that it does not. */
const graceMs = 15_000;

/** What wrk's summary script prints. */
interface WrkSummary {
  readonly requests: number;
  readonly durationMicroseconds: number;
  readonly errors: number;
  readonly p50Microseconds: number;
  readonly p99Microseconds: number;
}

/** One run of wrk against a target, with the CPU time of its routers. */
export interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** CPU time of both routers for one request; undefined when there is no router. */
  readonly userMicroseconds: number | undefined;
  readonly systemMicroseconds: number | undefined;
}

/** Why wrk cannot be run, with what to install. */
export function wrkMissing(): string | undefined {
  return findProgram('wrk') === undefined ? 'wrk is not installed (Debian: apt install wrk)' : undefined;
}

/**
 * Runs wrk with one thread, which is enough for far more than any router gives here. `headers` go with every request.
 * Throws when no request was answered.
 */
export async function runWrk(
  target: Target,
  service: Service,
  connections: number,
  headers: readonly string[],
  context: LoadContext,
): Promise<WrkResult> {
  const pids = target.routers.map((router) => router.pid);
  const before = cpuTime(pids);
  const headerParameters = headers.flatMap((header) => ['-H', header]);
  const amount = ['-t1', `-c${connections}`, `-d${context.seconds}s`, '--latency', '-s', summaryScript];
  const output = await context.processes.run(
    'wrk',
    [findProgram('wrk') as string, ...amount, ...headerParameters, `http://127.0.0.1:${portOf(target, service)}/`],
    { timeoutMs: context.seconds * 1000 + graceMs, signal: context.signal },
  );
  const after = cpuTime(pids);
  const summary = JSON.parse(output.slice(output.lastIndexOf('{'))) as WrkSummary;
  if (summary.requests === 0) throw new Error(`no request was answered, ${summary.errors} errors`);
  const microsecondsEach = (seconds: number): number | undefined => (pids.length === 0 ? undefined : (seconds * 1e6) / summary.requests);
  return {
    requests: summary.requests,
    requestsPerSecond: (summary.requests * 1e6) / summary.durationMicroseconds,
    p50Ms: summary.p50Microseconds / 1000,
    p99Ms: summary.p99Microseconds / 1000,
    errors: summary.errors,
    userMicroseconds: microsecondsEach(after.userSeconds - before.userSeconds),
    systemMicroseconds: microsecondsEach(after.systemSeconds - before.systemSeconds),
  };
}
