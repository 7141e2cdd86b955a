import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { residentKiB } from '../process-usage.ts';
import { openPath } from '../http-paths.ts';
import { portOf } from '../targets/target.ts';
import type { Service, Target } from '../targets/target.ts';
import type { Load, LoadContext, Sample } from './load.ts';

const idleConnections = 1000;
/** Opened at the same time while building up: more would overflow the accept queues of some of the paths. */
const concurrentOpens = 50;
/** Opened and closed before the first reading, so that code and buffers every router needs once are not counted. */
const warmUpConnections = 20;
const openTimeoutMs = 10_000;
/** Between the last change and a reading: collectors and allocators give back what they will. */
const settleMs = 3000;

/** What is held open. */
interface Kind {
  readonly name: string;
  readonly what: string;
  readonly each: string;
  readonly service: Service;
  readonly path: string;
  /** KiB each that the project aims at. */
  readonly limit: number | undefined;
}

/** Opens a connection and sends one request through it: the answer, or its start, shows that both routers and the server hold it. */
async function openAnswered(port: number, path: string): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const fail = (why: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`a connection to 127.0.0.1:${port} ${why}`));
    };
    const timer = setTimeout(() => fail(`gave no answer within ${openTimeoutMs / 1000} s`), openTimeoutMs);
    const onClose = (): void => fail('was closed');
    socket.once('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`));
    socket.once('error', (error) => fail(error.message));
    socket.once('close', onClose);
    socket.once('data', () => {
      clearTimeout(timer);
      socket.off('close', onClose);
      resolve(socket);
    });
  });
}

async function openMany(port: number, path: string, count: number, sockets: Socket[], signal: AbortSignal): Promise<void> {
  let started = 0;
  const open = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      signal.throwIfAborted();
      sockets.push(await openAnswered(port, path));
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(concurrentOpens, count) }, open));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function measure(target: Target, { service, path }: Kind, context: LoadContext): Promise<Sample> {
  const port = portOf(target, service);
  const sockets: Socket[] = [];
  const readBoth = (): number[] => target.routers.map((router) => residentKiB(router.pid));
  const closeAll = (): void => {
    for (const socket of sockets.splice(0)) socket.destroy();
  };
  try {
    await openMany(port, path, warmUpConnections, sockets, context.signal);
    closeAll();
    await sleep(settleMs, undefined, { signal: context.signal });
    const [nearBefore, farBefore] = readBoth() as [number, number];
    await openMany(port, path, idleConnections, sockets, context.signal);
    await sleep(settleMs, undefined, { signal: context.signal });
    const closed = sockets.filter((socket) => socket.destroyed || socket.readableEnded).length;
    if (closed > 0) throw new Error(`${closed} of ${idleConnections} idle connections were closed`);
    const [nearAfter, farAfter] = readBoth() as [number, number];
    return {
      kibibytesEach: (nearAfter - nearBefore + farAfter - farBefore) / 2 / idleConnections,
      nearKibibytesEach: (nearAfter - nearBefore) / idleConnections,
      farKibibytesEach: (farAfter - farBefore) / idleConnections,
      startMebibytes: (nearBefore + farBefore) / 2 / 1024,
    };
  } finally {
    closeAll();
  }
}

function load(kind: Kind): Load {
  return {
    name: kind.name,
    title: `Memory of ${idleConnections} ${kind.what}`,
    metrics: [
      {
        key: 'kibibytesEach',
        title: `KiB per ${kind.each} and router`,
        digits: 1,
        better: 'lower',
        aims: kind.limit === undefined ? [] : [{ against: undefined, limit: kind.limit }],
      },
      { key: 'nearKibibytesEach', title: 'near router', digits: 1, better: 'lower', aims: [] },
      { key: 'farKibibytesEach', title: 'far router', digits: 1, better: 'lower', aims: [] },
      { key: 'startMebibytes', title: 'MiB per router before', digits: 1, better: 'lower', aims: [] },
    ],
    service: kind.service,
    fresh: true,
    needsRouters: true,
    missing: () => undefined,
    warmUp: async () => {},
    measure: async (target, context) => await measure(target, kind, context),
  };
}

/** Memory that a router holds for each connection of a TCP service that is open and silent. */
export const idleMemory: Load = load({
  name: 'idle-memory',
  what: 'idle connections',
  each: 'connection',
  service: 'tcp',
  path: '/',
  limit: 40,
});

/** The same for connections of HTTP clients: the server has none for them. */
export const idleHttpMemory: Load = load({
  name: 'http1-idle-memory',
  what: 'idle connections of HTTP/1.1 clients',
  each: 'connection',
  service: 'http1',
  path: '/',
  limit: undefined,
});

/** For each request whose answer has begun and goes on: a stream through both routers. */
export const openStreamMemory: Load = load({
  name: 'http1-open-streams',
  what: 'HTTP/1.1 answers that go on',
  each: 'stream',
  service: 'http1',
  path: openPath,
  limit: undefined,
});
