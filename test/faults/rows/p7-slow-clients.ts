import { once } from 'node:events';
import { Agent, get, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BulkServer } from '../rig/bulk-server.ts';
import { httpFronts } from '../rig/http-fronts.ts';
import type { HttpFront } from '../rig/http-fronts.ts';
import { percentile } from '../rig/percentile.ts';
import { slowKinds, SlowClients } from '../rig/slow-clients.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const mebibyte = 1_048_576;
/** Slow clients of each kind, all at a time. */
const clients = { full: 250, fast: 40 };
/** Readers are so many times fewer: the buffers of the system on their ways take megabytes before the first of them stalls. */
const deafShare = 5;
/** Octets that go up, and again down. */
const streamBytes = { full: 5 * 1024 * mebibyte, fast: 128 * mebibyte };
/** Of the listener; other times are as they are unless set. */
const idleTimeoutMs = 8_000;
const patienceMs = 25_000;
const aloneMs = 2000;

/** A client that does no harm asks one after the other and measures, while something else goes on. */
async function measured(front: HttpFront, isOver: () => boolean): Promise<{ times: number[]; failures: number; largest: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  let [failures, largest] = [0, 0];
  while (!isOver()) {
    const startMs = performance.now();
    const asked = get({ host, port: front.ports[0], path: '/', agent });
    try {
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      if (response.statusCode !== 200) failures++;
    } catch {
      failures++;
    }
    times.push(performance.now() - startMs);
    largest = Math.max(largest, front.running ? front.residentBytes() : 0);
    await sleep(10);
  }
  agent.destroy();
  return { times, failures, largest };
}

interface Slow {
  /** When the last of a kind was cut, in seconds; Infinity = it was not. */
  readonly lastCutSeconds: Readonly<Record<string, number>>;
  readonly growthMiB: number;
  readonly failures: number;
  readonly p99Ratio: number;
  readonly p99Ms: number;
}

async function slowClients(context: RowContext, front: HttpFront): Promise<Slow> {
  const aloneEndMs = performance.now() + aloneMs;
  const alone = await measured(front, () => performance.now() >= aloneEndMs);
  const before = front.residentBytes();
  const most = context.fast ? clients.fast : clients.full;
  const attackers = slowKinds.flatMap((kind) => {
    const port = kind.tls === true ? front.tlsPort : front.ports[0];
    const count = kind.deaf === true ? most / deafShare : most;
    return port === undefined ? [] : [{ name: kind.name, slow: new SlowClients(kind, port, count) }];
  });
  const endMs = performance.now() + patienceMs;
  const isOver = (): boolean => context.signal.aborted || performance.now() >= endMs || attackers.every(({ slow }) => slow.standing === 0);
  const during = await measured(front, isOver);
  const lastCutSeconds: Record<string, number> = {};
  for (const { name, slow } of attackers)
    lastCutSeconds[name] = slow.end() > 0 ? Infinity : Math.round(Math.max(...slow.stoodMs) / 100) / 10;
  context.signal.throwIfAborted();
  const [p99Ms, aloneP99Ms] = [percentile(during.times, 99), percentile(alone.times, 99)];
  return {
    lastCutSeconds,
    growthMiB: Math.round((during.largest - before) / mebibyte),
    failures: during.failures,
    p99Ratio: Math.round((p99Ms / aloneP99Ms) * 100) / 100,
    p99Ms: Math.round(p99Ms * 10) / 10,
  };
}

/** Heads that are larger than any should be, and the status that says so. */
const hugeHeads: readonly (readonly [name: string, head: string, status: number])[] = [
  ['one field of 17 KiB', `GET / HTTP/1.1\r\nHost: h\r\nX-A: ${'a'.repeat(17_408)}\r\n\r\n`, 431],
  ['300 fields', `GET / HTTP/1.1\r\nHost: h\r\n${'X-A: b\r\n'.repeat(300)}\r\n`, 431],
  ['40 KiB of fields', `GET / HTTP/1.1\r\nHost: h\r\n${`X-A: ${'a'.repeat(500)}\r\n`.repeat(80)}\r\n`, 431],
  ['a head without end', `GET / HTTP/1.1\r\nHost: h\r\n${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(1000)}`, 431],
  ['a target of 20 KiB', `GET /${'a'.repeat(20_480)} HTTP/1.1\r\nHost: h\r\n\r\n`, 414],
];

/** The status that answers such a head, 0 = none; the connection has to end behind it. */
async function statusOf(port: number, head: string): Promise<number> {
  const socket = connect(port, host);
  socket.on('error', () => {});
  socket.write(head, 'latin1');
  let text = '';
  socket.setEncoding('latin1').on('data', (heard: string) => (text += heard));
  const isClosed = await Promise.race([once(socket, 'close').then(() => true), sleep(5000, false, { ref: false })]);
  socket.destroy();
  return isClosed ? Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0) : 0;
}

interface Streams {
  readonly growthMiB: number;
  readonly wrong: string[];
  readonly mebibytesPerSecond: number;
}

/** A body without end to a server that reads none of it; then bodies of gigabytes, up and down. */
async function largeBodies(context: RowContext, front: HttpFront): Promise<Streams> {
  const { signal } = context;
  const port = front.ports[0];
  const total = context.fast ? streamBytes.fast : streamBytes.full;
  const piece = Buffer.alloc(65_536, 'u');
  const wrong: string[] = [];
  const before = front.residentBytes();
  let largest = before;
  const timer = setInterval(() => {
    if (front.running) largest = Math.max(largest, front.residentBytes());
  }, 50);
  try {
    const endless = request({ host, port, path: '/deaf', method: 'POST' });
    endless.on('error', () => {});
    let taken = 0;
    const endMs = performance.now() + 3000;
    while (performance.now() < endMs && !endless.destroyed) {
      if (endless.write(piece)) taken += piece.length;
      else if ((await Promise.race([once(endless, 'drain').catch(() => 0), sleep(1000, 0)])) === 0) break;
    }
    if (taken > 64 * mebibyte) wrong.push(`${Math.round(taken / mebibyte)} MiB were taken for a server that reads nothing`);
    endless.destroy();

    const startMs = performance.now();
    const up = request({ host, port, path: '/count', method: 'POST', headers: { 'content-length': total }, signal });
    const answered = once(up, 'response') as Promise<[IncomingMessage]>;
    answered.catch(() => {});
    for (let left = total; left > 0; left -= piece.length) if (!up.write(piece)) await once(up, 'drain', { signal });
    up.end();
    let text = '';
    for await (const heard of (await answered)[0].setEncoding('utf8')) text += String(heard);
    if (Number(text) !== total) wrong.push(`up: ${text}`);

    const down = get({ host, port, path: `/bytes/${total}`, signal });
    const [response] = (await once(down, 'response')) as [IncomingMessage];
    let bytes = 0;
    for await (const heard of response) bytes += (heard as Buffer).length;
    if (bytes !== total) wrong.push(`down: ${bytes} of ${total}`);
    const seconds = (performance.now() - startMs) / 1000;
    return {
      growthMiB: Math.round((largest - before) / mebibyte),
      wrong,
      mebibytesPerSecond: Math.round((2 * total) / mebibyte / seconds),
    };
  } finally {
    clearInterval(timer);
  }
}

interface Tried {
  readonly slow: Slow;
  readonly statuses: Readonly<Record<string, number>>;
  readonly streams: Streams;
  readonly alive: boolean;
}

async function tryFront(context: RowContext, front: HttpFront): Promise<Tried> {
  const warmUpEndMs = performance.now() + aloneMs;
  await measured(front, () => performance.now() >= warmUpEndMs);
  const statuses: Record<string, number> = {};
  for (const [name, head] of hugeHeads) statuses[name] = await statusOf(front.ports[0], head);
  const slow = await slowClients(context, front);
  context.note(`${front.name}: ${JSON.stringify(slow.lastCutSeconds)} s, +${slow.growthMiB} MiB, p99 ${slow.p99Ms} ms`);
  const streams = await largeBodies(context, front);
  return { slow, statuses, streams, alive: front.running };
}

async function run(context: RowContext): Promise<Measured> {
  await using server = await new BulkServer().start();
  const [startOwn, ...startPeers] = httpFronts(context.peers);
  const own = await (async () => {
    await using front = await startOwn([server.port], { listener: { idleTimeoutMs } });
    return await tryFront(context, front);
  })();
  const peers: Record<string, PeerFigures> = {};
  for (const start of startPeers) {
    await using front = await start([server.port]);
    const { slow, streams, statuses } = await tryFront(context, front);
    const cuts = Object.entries(slow.lastCutSeconds).map(([name, seconds]) => [
      `${name} cut after s`,
      seconds === Infinity ? `not in ${patienceMs / 1000}` : seconds,
    ]);
    peers[front.name] = {
      ...(Object.fromEntries(cuts) as PeerFigures),
      'p99 of others, ratio': slow.p99Ratio,
      'memory under slow clients, MiB': slow.growthMiB,
      'memory for streams, MiB': streams.growthMiB,
      'answers to huge heads': Object.values(statuses).join(' '),
    };
  }
  const { slow, statuses, streams, alive } = own;
  const otherStatuses = hugeHeads.filter(([name, , status]) => statuses[name] !== status).map(([name]) => name);
  const last = Math.max(...Object.values(slow.lastCutSeconds));
  return {
    figures: [
      { name: 'the last slow client is cut after', value: Math.min(last, 1_000_000), unit: 's', floor: 15, goal: 10 },
      { name: 'huge heads that are not answered with 431 or 414 and the end', value: otherStatuses.length, unit: '', floor: 0 },
      { name: 'requests of others that failed', value: slow.failures, unit: '', floor: 0 },
      { name: 'p99 of others, ratio to before', value: slow.p99Ratio, unit: '', goal: 2, judged: !context.fast },
      { name: 'memory under slow clients', value: slow.growthMiB, unit: 'MiB' },
      { name: 'memory for long streams', value: streams.growthMiB, unit: 'MiB', goal: 64, judged: !context.fast },
      { name: 'streams with another length, or taken for a server that does not read', value: streams.wrong.length, unit: '', floor: 0 },
      { name: 'routers that ended', value: alive ? 0 : 1, unit: '', floor: 0 },
    ],
    peers,
    detail: { clientsOfEachKind: context.fast ? clients.fast : clients.full, idleTimeoutMs, ...own },
  };
}

export const slowHttpClients: Row = {
  id: 'P7',
  title: 'Slow clients (head, body, reading, TLS; idle-timeout 8 s), huge heads, bodies without end, 10 GiB up and down',
  floor: 'slow clients are cut in ≤ 15 s; a head beyond 16 KiB gets 431',
  goal: "≤ 10 s; others' p99 at most twice that before; the streams cost ≤ 64 MiB",
  fast: true,
  shortened: '40 clients of each kind, 256 MiB',
  limitSeconds: { full: 420, fast: 60 },
  missing: () => undefined,
  run,
};
