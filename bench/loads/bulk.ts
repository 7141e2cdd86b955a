import { setTimeout as sleep } from 'node:timers/promises';

import { cpuTime } from '../process-usage.ts';
import { findProgram } from '../tools.ts';
import { portOf } from '../targets/target.ts';
import type { Target } from '../targets/target.ts';
import type { Load, LoadContext, Sample } from './load.ts';

const warmUpSeconds = 1;
const graceMs = 15_000;
const serverStartTimeoutMs = 5000;
const gibibyte = 2 ** 30;

/** The part of iperf3's JSON that is used. */
interface Iperf3Report {
  readonly end: { readonly sum_received: { readonly bytes: number; readonly bits_per_second: number } };
}

/**
 * One run of iperf3: a server of its own for each run, because a server whose last client was cut off stays busy. What
 * the receiving end got is counted.
 */
async function run(target: Target, streams: number, reverse: boolean, context: LoadContext): Promise<Sample> {
  const iperf3 = findProgram('iperf3') as string;
  const pids = target.routers.map((router) => router.pid);
  const here = ['--bind', '127.0.0.1', '--port', String(context.bulkBackendPort)];
  const server = await context.processes.start('iperf3 server', [iperf3, '--server', '--one-off', '--forceflush', ...here]);
  try {
    const deadlineMs = Date.now() + serverStartTimeoutMs;
    while (!server.output().includes('Server listening')) {
      if (!server.running() || Date.now() > deadlineMs) throw new Error(`the iperf3 server did not start: ${server.output()}`);
      await sleep(20, undefined, { signal: context.signal });
    }
    const before = cpuTime(pids);
    const there = ['--client', '127.0.0.1', '--port', String(portOf(target, 'bulk'))];
    const amount = ['--time', String(context.seconds), '--parallel', String(streams), ...(reverse ? ['--reverse'] : [])];
    const output = await context.processes.run('iperf3', [iperf3, ...there, ...amount, '--json'], {
      timeoutMs: context.seconds * 1000 + graceMs,
      signal: context.signal,
    });
    const after = cpuTime(pids);
    const received = (JSON.parse(output) as Iperf3Report).end.sum_received;
    const gigabitsPerSecond = received.bits_per_second / 1e9;
    if (pids.length === 0) return { gigabitsPerSecond };
    const gibibytes = received.bytes / gibibyte;
    const userSeconds = (after.userSeconds - before.userSeconds) / gibibytes;
    const systemSeconds = (after.systemSeconds - before.systemSeconds) / gibibytes;
    return { gigabitsPerSecond, cpuSeconds: userSeconds + systemSeconds, userSeconds, systemSeconds };
  } finally {
    await context.processes.stop(server);
  }
}

/** As many bytes as the path takes. `reverse`: from the server to the client. */
export function bulk(streams: number, reverse: boolean): Load {
  return {
    name: `bulk-${streams}${reverse ? '-down' : '-up'}`,
    title: `Bulk, ${streams} stream${streams === 1 ? '' : 's'}, ${reverse ? 'server to client' : 'client to server'}`,
    metrics: [
      { key: 'gigabitsPerSecond', title: 'Gbit/s', digits: 2, better: 'higher', aims: [{ against: 'skupper-router', limit: 1.3 }] },
      { key: 'cpuSeconds', title: 'CPU s/GiB', digits: 2, better: 'lower', aims: [] },
      { key: 'userSeconds', title: 'user', digits: 2, better: 'lower', aims: [] },
      { key: 'systemSeconds', title: 'system', digits: 2, better: 'lower', aims: [] },
    ],
    service: 'bulk',
    fresh: false,
    needsRouters: false,
    missing: () => (findProgram('iperf3') === undefined ? 'iperf3 is not installed (Debian: apt install iperf3)' : undefined),
    warmUp: async (target, context) => {
      await run(target, streams, reverse, { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => await run(target, streams, reverse, context),
  };
}
