import { inside } from '../network.ts';
import { machineUsage } from '../../machine-usage.ts';
import type { Path } from '../paths/path.ts';
import { server, startServer, type Distance, type Load, type LoadContext, type Sample } from './load.ts';

const graceMs = 15_000;
const gigabyte = 1e9;

/** The parts of iperf3's JSON that are used. */
interface Report {
  readonly end: {
    readonly sum_sent?: { readonly retransmits?: number };
    readonly sum_received?: { readonly bytes: number; readonly bits_per_second: number };
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** One run of iperf3 between two pods, with a server of its own. */
async function run(path: Path, distance: Distance, parameters: readonly string[], context: LoadContext): Promise<[Report['end'], number]> {
  const to = server(path, distance);
  const started = await startServer(
    context,
    to,
    ['iperf3', '--server', '--one-off', '--forceflush', '--bind', to.address],
    'Server listening',
  );
  try {
    const before = machineUsage().busySeconds;
    const command = ['iperf3', '--client', to.address, '--time', String(context.seconds), '--json', ...parameters];
    const output = await context.processes.run('iperf3', [...inside(path.near.place), ...command], {
      timeoutMs: context.seconds * 1000 + graceMs,
      signal: context.signal,
    });
    return [(JSON.parse(output) as Report).end, machineUsage().busySeconds - before];
  } finally {
    await context.processes.stop(started);
  }
}

/** As many octets as the path takes, over TCP. */
export function bulk(streams: number, reverse: boolean, distance: Distance = 'across'): Load {
  const direction = reverse ? 'back' : 'forth';
  return {
    name: `${distance === 'across' ? '' : 'same-host-'}tcp-${streams}-${direction}`,
    title: `TCP, ${streams} stream${streams === 1 ? '' : 's'}, ${direction}${distance === 'across' ? '' : ', two pods of one host'}`,
    metrics: [
      { key: 'gigabitsPerSecond', title: 'Gbit/s', digits: 2 },
      { key: 'cpuSecondsPerGigabyte', title: 'CPU s/GB', digits: 2 },
      { key: 'retransmits', title: 'retransmits', digits: 0 },
    ],
    async measure(path, context): Promise<Sample> {
      const parameters = ['--parallel', String(streams), ...(reverse ? ['--reverse'] : [])];
      const [{ sum_received: received, sum_sent: sent }, busy] = await run(path, distance, parameters, context);
      if (received === undefined) throw new Error('iperf3 says nothing about what was received');
      return {
        gigabitsPerSecond: received.bits_per_second / gigabyte,
        cpuSecondsPerGigabyte: (busy * gigabyte) / received.bytes,
        retransmits: sent?.retransmits ?? Number.NaN,
      };
    },
  };
}

/** Datagrams as fast as one process sends them. */
export function datagrams(name: string, payloadBytes: number, distance: Distance = 'across'): Load {
  return {
    name: `${distance === 'across' ? '' : 'same-host-'}udp-${name}`,
    title: `UDP, datagrams of ${payloadBytes} octets as fast as one process sends${distance === 'across' ? '' : ', two pods of one host'}`,
    metrics: [
      { key: 'receivedPerSecond', title: 'received/s', digits: 0 },
      { key: 'sentPerSecond', title: 'sent/s', digits: 0 },
      { key: 'lostPercent', title: 'lost %', digits: 1 },
      { key: 'cpuMicroseconds', title: 'CPU µs each received', digits: 2 },
    ],
    async measure(path, context): Promise<Sample> {
      const parameters = ['--udp', '--bitrate', '0', '--length', String(payloadBytes), '--window', '2M'];
      const [{ sum }, busy] = await run(path, distance, parameters, context);
      if (sum === undefined || sum.packets === 0) throw new Error('iperf3 says nothing about datagrams');
      const received = sum.packets - sum.lost_packets;
      return {
        receivedPerSecond: received / sum.seconds,
        sentPerSecond: sum.packets / sum.seconds,
        lostPercent: (sum.lost_packets * 100) / sum.packets,
        cpuMicroseconds: (busy * 1e6) / received,
      };
    },
  };
}
