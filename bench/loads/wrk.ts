import { join } from 'node:path';

import { machineUsage } from '../machine-usage.ts';
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
  /** What the rest of the machine worked for one request: client, server, and what the kernel does for nobody. */
  readonly otherMicroseconds: number;
  /** How much of all CPUs had nothing to do, 0 to 1: what waits for others. */
  readonly idleShare: number;
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
  const machineBefore = machineUsage();
  const before = cpuTime(pids);
  const headerParameters = headers.flatMap((header) => ['-H', header]);
  const amount = ['-t1', `-c${connections}`, `-d${context.seconds}s`, '--latency', '-s', summaryScript];
  const output = await context.processes.run(
    'wrk',
    [findProgram('wrk') as string, ...amount, ...headerParameters, `http://127.0.0.1:${portOf(target, service)}/`],
    { timeoutMs: context.seconds * 1000 + graceMs, signal: context.signal },
  );
  const after = cpuTime(pids);
  const machineAfter = machineUsage();
  const summary = JSON.parse(output.slice(output.lastIndexOf('{'))) as WrkSummary;
  if (summary.requests === 0) throw new Error(`no request was answered, ${summary.errors} errors`);
  const userSeconds = after.userSeconds - before.userSeconds;
  const systemSeconds = after.systemSeconds - before.systemSeconds;
  const busySeconds = machineAfter.busySeconds - machineBefore.busySeconds;
  const idleSeconds = machineAfter.idleSeconds - machineBefore.idleSeconds;
  const microsecondsEach = (seconds: number): number | undefined => (pids.length === 0 ? undefined : (seconds * 1e6) / summary.requests);
  return {
    requests: summary.requests,
    requestsPerSecond: (summary.requests * 1e6) / summary.durationMicroseconds,
    p50Ms: summary.p50Microseconds / 1000,
    p99Ms: summary.p99Microseconds / 1000,
    errors: summary.errors,
    userMicroseconds: microsecondsEach(userSeconds),
    systemMicroseconds: microsecondsEach(systemSeconds),
    otherMicroseconds: ((busySeconds - userSeconds - systemSeconds) * 1e6) / summary.requests,
    idleShare: idleSeconds / (idleSeconds + busySeconds),
  };
}
