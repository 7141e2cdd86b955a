import { setTimeout as sleep } from 'node:timers/promises';

import { cpuTime } from '../process-usage.ts';
import { findProgram } from '../tools.ts';
import { portOf } from '../targets/target.ts';
import type { Target } from '../targets/target.ts';
import type { Load, LoadContext, Sample } from './load.ts';

const datagramBytes = 200;
/** Datagrams per second that the client tries to send; what the path does not take is lost. */
const offeredPerSecond = 60_000;
/** Of the sending and the receiving socket: as long as a busy machine may leave either side waiting. */
const socketBuffer = '2M';
const warmUpSeconds = 1;
const graceMs = 15_000;
const serverStartTimeoutMs = 5000;

/** The part of iperf3's JSON that is used. */
interface Iperf3Report {
  readonly end: { readonly sum: { readonly packets: number; readonly lost_packets: number; readonly seconds: number } };
}

/** One run of iperf3. It talks over TCP about what it sends over UDP: both go through the path. */
async function run(target: Target, reverse: boolean, context: LoadContext): Promise<Sample> {
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
    const there = ['--client', '127.0.0.1', '--port', String(portOf(target, 'datagrams')), '--udp', '--window', socketBuffer];
    const rate = ['--length', String(datagramBytes), '--bitrate', String(offeredPerSecond * datagramBytes * 8)];
    const amount = ['--time', String(context.seconds), ...(reverse ? ['--reverse'] : [])];
    const output = await context.processes.run('iperf3', [iperf3, ...there, ...rate, ...amount, '--json'], {
      timeoutMs: context.seconds * 1000 + graceMs,
      signal: context.signal,
    });
    const after = cpuTime(pids);
    const { packets, lost_packets: lost, seconds } = (JSON.parse(output) as Iperf3Report).end.sum;
    const received = packets - lost;
    const sample = { sentPerSecond: packets / seconds, receivedPerSecond: received / seconds, lostPercent: (lost * 100) / packets };
    if (pids.length === 0) return sample;
    const userMicroseconds = ((after.userSeconds - before.userSeconds) * 1e6) / received;
    const systemMicroseconds = ((after.systemSeconds - before.systemSeconds) * 1e6) / received;
    return { ...sample, cpuMicroseconds: userMicroseconds + systemMicroseconds, userMicroseconds, systemMicroseconds };
  } finally {
    await context.processes.stop(server);
  }
}

/** One flow of short datagrams. `reverse`: from the server to the client. */
export function datagrams(reverse: boolean): Load {
  const offered = `${offeredPerSecond.toLocaleString('en')} datagrams a second of ${datagramBytes} bytes`;
  return {
    name: `datagrams${reverse ? '-down' : '-up'}`,
    title: `UDP, ${offered}, ${reverse ? 'server to client' : 'client to server'}`,
    service: 'datagrams',
    metrics: [
      { key: 'receivedPerSecond', title: 'received/s', digits: 0, better: 'higher', aims: [{ against: undefined, limit: 50_000 }] },
      { key: 'sentPerSecond', title: 'sent/s', digits: 0, better: 'higher', aims: [] },
      { key: 'lostPercent', title: 'lost %', digits: 2, better: 'lower', aims: [] },
      { key: 'cpuMicroseconds', title: 'CPU µs/datagram', digits: 1, better: 'lower', aims: [] },
      { key: 'userMicroseconds', title: 'user', digits: 1, better: 'lower', aims: [] },
      { key: 'systemMicroseconds', title: 'system', digits: 1, better: 'lower', aims: [] },
    ],
    fresh: false,
    needsRouters: false,
    missing: () => (findProgram('iperf3') === undefined ? 'iperf3 is not installed (Debian: apt install iperf3)' : undefined),
    warmUp: async (target, context) => {
      await run(target, reverse, { ...context, seconds: warmUpSeconds });
    },
    measure: async (target, context) => await run(target, reverse, context),
  };
}
