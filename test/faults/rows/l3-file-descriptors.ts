import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'node:net';
import { routerId, tcpConnector, tcpListener } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { TcpServer, answering, ask, dial } from '../../e2e/tcp-peer.ts';
import { routerKinds } from '../rig/router-kind.ts';
import type { RouterKind } from '../rig/router-kind.ts';
import type { Measured, PeerFigures, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const descriptors = 256;
/** More than the router has descriptors for, and than it and the system together keep waiting. */
const clients = 600;
const heldMs = { full: 10_000, fast: 3000 };
const retryMs = 20;
/** A router that links while the clients hold on gets this long. */
const newLinkMs = 5000;

interface Exhaustion {
  readonly alive: boolean;
  /** From the release of the descriptors to the first answer. */
  readonly backMs: number;
  readonly linksLost: number;
  /** Whether another router got a link while the clients held all that they could get. */
  readonly linksAnew: boolean;
  readonly toldInLog: boolean;
}

/** Runs a router that may open `descriptors` files, and takes them all. */
async function exhaust(context: RowContext, kind: RouterKind): Promise<Exhaustion> {
  await using server = await TcpServer.echo();
  const [port, linkPort, nearLinkPort] = [await freePort(), await freePort(), await freePort()];
  const link = { role: 'inter-router', saslMechanisms: 'ANONYMOUS' };
  const listener: Entity = ['listener', { name: 'incoming', host, port: linkPort, ...link }];
  const connector: Entity = ['connector', { name: 'far', host, port: linkPort, ...link }];
  const { command, ready } = kind;
  await using far = await RouterProcess.start({
    id: routerId('far'),
    command,
    ready,
    entities: [listener, tcpConnector('echo', server.port, 'server')],
  });
  await using near = await RouterProcess.start({
    id: routerId('near'),
    command: ['sh', '-c', `ulimit -n ${descriptors}; exec "$0" "$@"`, ...command],
    ready,
    entities: [connector, ['listener', { name: 'incoming', host, port: nearLinkPort, ...link }], tcpListener('echo', port)],
  });
  await answering(port);
  const [nearFrom, farFrom] = [near.log.length, far.log.length];
  const sockets: Socket[] = [];
  for (let index = 0; index < clients; index++) {
    const socket = await dial(port).catch(() => undefined);
    if (socket !== undefined) sockets.push(socket);
  }
  for (const socket of sockets) {
    socket.resume();
    socket.write('hold');
  }
  await sleep(context.fast ? heldMs.fast : heldMs.full);
  context.signal.throwIfAborted();
  const linksAnew = await newLink(kind, near, ['connector', { name: 'near', host, port: nearLinkPort, ...link }]);
  const alive = near.running;
  await Promise.all(
    sockets.map(async (socket) => {
      if (socket.closed) return;
      const closed = once(socket, 'close');
      socket.resetAndDestroy();
      await closed;
    }),
  );
  const releasedMs = performance.now();
  while (near.running && (await ask(port, 'back?', 1000).catch(() => '')) !== 'back?' && performance.now() < releasedMs + 20_000)
    await sleep(retryMs);
  const backMs = performance.now() - releasedMs;
  const lost = (router: RouterProcess, from: number, peer: string): number =>
    kind.left(routerId(peer)).test(router.log.slice(from)) ? 1 : 0;
  return {
    alive: alive && near.running,
    backMs,
    linksAnew,
    linksLost: lost(near, nearFrom, 'far') + lost(far, farFrom, 'near'),
    toldInLog: /file descriptors|EMFILE|Too many open files/i.test(near.log.slice(nearFrom)),
  };
}

/** Whether a new router gets a link to `near`. */
async function newLink(kind: RouterKind, near: RouterProcess, connector: Entity): Promise<boolean> {
  const { command, ready } = kind;
  const from = near.log.length;
  await using _late = await RouterProcess.start({ id: routerId('late'), command, ready, entities: [connector] });
  return await near.logged(kind.uses(routerId('late')), newLinkMs, from).then(
    () => true,
    () => false,
  );
}

async function run(context: RowContext): Promise<Measured> {
  const [own, ...others] = routerKinds(context.peers);
  const result = await exhaust(context, own);
  const peers: Record<string, PeerFigures> = {};
  for (const kind of others) {
    const theirs = await exhaust(context, kind).catch((error: Error) => error);
    peers[kind.name] =
      theirs instanceof Error
        ? { failed: theirs.message.split('\n')[0] }
        : {
            alive: theirs.alive ? 'yes' : 'no',
            'back after ms': Math.round(theirs.backMs),
            'links lost': theirs.linksLost,
            'links anew': theirs.linksAnew ? 'yes' : 'no',
          };
  }
  return {
    figures: [
      { name: 'accepts again after the release', value: Math.round(result.backMs), unit: 'ms', floor: 1000 },
      { name: 'routers that died', value: result.alive ? 0 : 1, unit: '', floor: 0 },
      { name: 'links lost', value: result.linksLost, unit: '', goal: 0 },
      { name: 'new links that failed', value: result.linksAnew ? 0 : 1, unit: '', goal: 0 },
      { name: 'logs that do not tell', value: result.toldInLog ? 0 : 1, unit: '', goal: 0 },
    ],
    peers,
    detail: { descriptors, clients },
  };
}

export const fileDescriptors: Row = {
  id: 'L3',
  title: `A router with ${descriptors} file descriptors and ${clients} clients`,
  floor: 'it lives, and accepts again within 1 s of the release',
  goal: 'its links are untouched, another router can link, and its log says what is short',
  fast: true,
  shortened: 'clients hold on for 3 s',
  limitSeconds: { full: 120, fast: 60 },
  missing: () => undefined,
  run,
};
