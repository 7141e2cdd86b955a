import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { inside } from '../network.ts';
import { median, percentile } from '../../statistics.ts';
import { peerProgram, server, startServer, type Distance, type Load, type LoadContext, type Sample } from './load.ts';
import type { Path } from '../paths/path.ts';

const graceMs = 15_000;
const answerTimeoutMs = 6000;
const firstPackets = 40;
/** Run before counting: the client's code is compiled meanwhile. */
const warmUpPackets = 60;

/** Requests of 64 octets and answers of the same size on one connection of TCP, one at a time. */
export function roundTrips(distance: Distance = 'across'): Load {
  return {
    name: distance === 'across' ? 'latency' : 'same-host-latency',
    title: `Round trips over TCP, 64 octets each way, one at a time${distance === 'across' ? '' : ', two pods of one host'}`,
    metrics: [
      { key: 'p50', title: 'p50 µs', digits: 1 },
      { key: 'p99', title: 'p99 µs', digits: 1 },
      { key: 'perSecond', title: 'round trips/s', digits: 0 },
    ],
    async measure(path, context): Promise<Sample> {
      const to = server(path, distance);
      const started = await startServer(context, to, [process.execPath, peerProgram, 'serve', to.address], 'ready');
      try {
        const command = [...inside(path.near.place), process.execPath, peerProgram, 'round-trips', to.address, String(context.seconds)];
        const limit = { timeoutMs: context.seconds * 1000 + graceMs, signal: context.signal };
        return JSON.parse(await context.processes.run('round trips', command, limit)) as Sample;
      } finally {
        await context.processes.stop(started);
      }
    },
  };
}

/** A datagram and its answer when nothing is known about the way, and the same right after. */
export const firstPacket: Load = {
  name: 'latency-first-packet',
  title: `First packet to a pod and its answer, ${firstPackets} times: neighbours and paths forgotten before`,
  metrics: [
    { key: 'first50', title: 'first p50 µs', digits: 0 },
    { key: 'first95', title: 'first p95 µs', digits: 0 },
    { key: 'next50', title: 'next p50 µs', digits: 0 },
    { key: 'added', title: 'first - next µs', digits: 0 },
  ],
  async measure(path, context): Promise<Sample> {
    const started = await startServer(context, path.far, [process.execPath, peerProgram, 'serve', path.far.address], 'ready');
    try {
      return await measureFirst(path, context);
    } finally {
      await context.processes.stop(started);
    }
  },
};

async function measureFirst(path: Path, context: LoadContext): Promise<Sample> {
  const [program, ...parameters] = inside(path.near.place) as [string, ...string[]];
  const child = spawn(program, [...parameters, process.execPath, peerProgram, 'datagrams', path.far.address], {
    stdio: ['pipe', 'pipe', 'inherit'],
    signal: context.signal,
  });
  child.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), (warmUpPackets + 2 * firstPackets) * answerTimeoutMs);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (): Promise<number> => {
    child.stdin.write('ask\n');
    const { value, done } = await answers.next();
    if (done === true) throw new Error('a datagram got no answer');
    return (JSON.parse(value) as { microseconds: number }).microseconds;
  };
  try {
    for (let at = 0; at < warmUpPackets; at++) await ask();
    const first: number[] = [];
    const next: number[] = [];
    for (let at = 0; at < firstPackets; at++) {
      path.forget();
      first.push(await ask());
      next.push(await ask());
    }
    const first50 = median(first);
    const next50 = median(next);
    return { first50, first95: percentile(Float64Array.from(first).sort(), 95), next50, added: first50 - next50 };
  } finally {
    clearTimeout(timer);
    child.stdin.end();
    child.kill();
    await ended;
  }
}
