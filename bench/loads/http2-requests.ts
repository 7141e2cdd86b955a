import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { cpuTime } from '../process-usage.ts';
import { portOf } from '../targets/target.ts';
import type { Target } from '../targets/target.ts';
import { percentile } from '../statistics.ts';
import { findProgram } from '../tools.ts';
import type { Load, LoadContext, Sample } from './load.ts';
import { wrkMetrics } from './requests.ts';

const warmUpSeconds = 2;
/** h2load ends by itself after its duration. */
const graceMs = 15_000;
/** The one message of a gRPC call: not compressed, u32 length 16, octets. */
const grpcMessage = Buffer.concat([Buffer.of(0, 0, 0, 0, 16), Buffer.alloc(16, 'x')]);

interface H2loadResult {
  readonly done: number;
  readonly succeeded: number;
  readonly ratePerSecond: number;
}

/** Reads h2load's report: `finished in 2.00s, 1234.50 req/s, ...` and `requests: ... N total, ... N done, N succeeded, ...`. */
export function parseH2load(output: string): H2loadResult {
  const rate = /finished in [^,]+, ([\d.]+) req\/s/.exec(output);
  const counts = /^requests: .* (\d+) done, (\d+) succeeded/m.exec(output);
  if (rate === null || counts === null) throw new Error(`h2load gave no report: ${output.slice(-500)}`);
  return { ratePerSecond: Number(rate[1]), done: Number(counts[1]), succeeded: Number(counts[2]) };
}

/** Milliseconds to the end of each answer, from h2load's log: start in microseconds, status, microseconds until the end. */
async function latencies(file: string): Promise<Float64Array> {
  const lines = (await readFile(file, 'latin1')).split('\n').filter((line) => line !== '');
  return Float64Array.from(lines, (line) => Number(line.slice(line.lastIndexOf('\t') + 1)) / 1000).sort();
}

async function run(target: Target, connections: number, kind: 'http2' | 'grpc', context: LoadContext): Promise<Sample> {
  const pids = target.routers.map((router) => router.pid);
  const logFile = join(context.directory, 'h2load.log');
  const amount = ['--threads=1', `--clients=${connections}`, '--max-concurrent-streams=1', `--duration=${context.seconds}`];
  const call: string[] = [];
  if (kind === 'grpc') {
    const messageFile = join(context.directory, 'grpc-message');
    await writeFile(messageFile, grpcMessage);
    call.push('--header=content-type: application/grpc', '--header=te: trailers', `--data=${messageFile}`);
  }
  await rm(logFile, { force: true });
  const before = cpuTime(pids);
  const output = await context.processes.run(
    'h2load',
    [
      findProgram('h2load') as string,
      ...amount,
      `--log-file=${logFile}`,
      ...call,
      `http://127.0.0.1:${portOf(target, 'http2')}/${kind === 'grpc' ? 'bench.Echo/Call' : ''}`,
    ],
    { timeoutMs: context.seconds * 1000 + graceMs, signal: context.signal },
  );
  const after = cpuTime(pids);
  const { ratePerSecond, done, succeeded } = parseH2load(output);
  if (succeeded === 0) throw new Error(`no request was answered: ${output.slice(-500)}`);
  const times = await latencies(logFile);
  const sample = { rate: ratePerSecond, p50Ms: percentile(times, 50), p99Ms: percentile(times, 99), errors: done - succeeded };
  if (pids.length === 0) return sample;
  const userMicroseconds = ((after.userSeconds - before.userSeconds) * 1e6) / done;
  const systemMicroseconds = ((after.systemSeconds - before.systemSeconds) * 1e6) / done;
  return { ...sample, cpuMicroseconds: userMicroseconds + systemMicroseconds, userMicroseconds, systemMicroseconds };
}

/** Requests or unary gRPC calls on kept connections without TLS, one at a time on each. */
export function http2Requests(connections: number, kind: 'http2' | 'grpc'): Load {
  const what = kind === 'grpc' ? 'unary gRPC calls' : 'requests, 128-byte body';
  return {
    name: `${kind}-${connections}`,
    title: `HTTP/2 service: ${what}, ${connections} connection${connections === 1 ? '' : 's'} with one stream at a time`,
    metrics: wrkMetrics(kind === 'grpc' ? 'call' : 'request', { rate: [], latency: [], cpu: [] }),
    service: 'http2',
    fresh: false,
    needsRouters: false,
    missing: () => (findProgram('h2load') === undefined ? 'h2load is not installed (Debian: apt install nghttp2-client)' : undefined),
    warmUp: async (target, context) => {
      await run(target, connections, kind, { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => await run(target, connections, kind, context),
  };
}
