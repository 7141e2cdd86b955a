import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouterRow } from '../../../src/management/operational-entities.ts';
import { LinkProxy } from '../../e2e/link-proxy.ts';
import { routerId, tcpConnector, tcpListener } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { pattern } from '../../e2e/recorded-socket.ts';
import { TcpServer, answering, ask, dial } from '../../e2e/tcp-peer.ts';
import { imbalance } from '../rig/conservation.ts';
import type { Imbalance, RouterCounts } from '../rig/conservation.ts';
import { manage } from '../rig/management.ts';
import { MessagingPeer } from '../rig/messaging.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const names = ['one', 'two', 'three'];
const rounds = { full: 300, fast: 40 };
const messages = { full: 100_000, fast: 6000 };
const messagesPerSecond = 2000;
const window = 100;
/** Cuts of a link in the second part. */
const cuts = { full: 20, fast: 4 };
const cutEveryMs = 1500;
/** What was under way ends within this time when nothing new comes. */
const restMs = 3000;
const largeBytes = 300_000;

/** Connections that end in every way at once: in order, reset by either side, refused by the server's host, without a server. */
async function connections(ports: { readonly echo: number; readonly dead: number }): Promise<void> {
  const abandoned = async (): Promise<void> => {
    const socket = await dial(ports.echo);
    socket.resume();
    socket.write(pattern(largeBytes));
    await sleep(Math.random() * 20);
    socket.resetAndDestroy();
  };
  const results = [
    ask(ports.echo, 'small', 5000),
    ask(ports.echo, pattern(largeBytes).toString('latin1'), 10_000),
    ask(ports.dead, 'nobody', 5000),
    abandoned(),
    dial(ports.echo).then((socket) => void socket.resume().end()),
  ];
  await Promise.allSettled(results);
}

interface Parts {
  /** While all links stand. */
  readonly calm: Imbalance;
  /** With links cut meanwhile. */
  readonly cut: Imbalance;
}

async function mixedLoad(context: RowContext, folder: string): Promise<Parts> {
  await using disposables = new AsyncDisposableStack();
  const server = disposables.use(await TcpServer.echo());
  const linkPorts = await Promise.all(names.map(async () => await freePort()));
  const [echo, dead, nobody] = [await freePort(), await freePort(), await freePort()];
  const link = { role: 'inter-router', host, saslMechanisms: 'ANONYMOUS' };
  const proxies: LinkProxy[] = [];
  const services: readonly (readonly Entity[])[] = [
    [tcpListener('echo', echo), tcpListener('dead', dead)],
    [],
    [tcpConnector('echo', server.port, 'echo-server'), tcpConnector('dead', nobody, 'dead-server')],
  ];
  for (const [index, name] of names.entries()) {
    const entities: Entity[] = [['listener', { name: 'incoming', port: linkPorts[index], ...link }], ...services[index]];
    if (index > 0) {
      const proxy = disposables.use(await LinkProxy.start(linkPorts[index - 1]));
      proxies.push(proxy);
      entities.push(['connector', { name: 'previous', port: proxy.port, ...link }]);
    }
    const parameters = ['--management-socket', join(folder, `${name}.sock`)];
    disposables.use(await RouterProcess.start({ id: routerId(name), entities, parameters }));
  }
  await answering(echo);
  const consumer = disposables.use(await MessagingPeer.start('consumer', [linkPorts[2]]));
  const producer = disposables.use(await MessagingPeer.start('producer', [linkPorts[0]]));
  const total = context.fast ? messages.fast : messages.full;
  const part = async (name: string, work: () => Promise<void>): Promise<Imbalance> => {
    for (const [kind, preSettled] of [
      ['unsettled', false],
      ['settled', true],
    ] as const) {
      await consumer.consume({ address: `${name}.${kind}`, consumers: 1, messages: total });
      await sleep(500);
      await producer.produce({ address: `${name}.${kind}`, messages: total, perSecond: messagesPerSecond, preSettled, window });
    }
    await work();
    const startMs = performance.now();
    const timeoutMs = (total * 1000) / messagesPerSecond + 30_000;
    while (!(await producer.report()).producers.every(({ finished }) => finished)) {
      context.signal.throwIfAborted();
      if (performance.now() - startMs > timeoutMs) throw new Error('the producer has not ended');
      await sleep(500);
    }
    await sleep(restMs);
    const counts: RouterCounts[] = [await consumer.report(), await producer.report()];
    for (const router of names) {
      const row = await manage<RouterRow>(join(folder, `${router}.sock`), { operation: 'READ', type: 'router', name: routerId(router) });
      counts.push({ incoming: row.incomingDeliveries, outgoing: row.outgoingDeliveries });
    }
    return imbalance(counts);
  };
  const work = async (): Promise<void> => {
    for (let round = 0; round < (context.fast ? rounds.fast : rounds.full); round++) {
      context.signal.throwIfAborted();
      await connections({ echo, dead });
    }
  };
  const calm = await part('calm', work);
  const cut = await part('cut', async () => {
    for (let count = 0; count < (context.fast ? cuts.fast : cuts.full); count++) {
      const meanwhile = connections({ echo, dead });
      await sleep(cutEveryMs);
      proxies[count % proxies.length].cut(false);
      await meanwhile;
    }
  });
  return { calm, cut };
}

async function run(context: RowContext): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-conservation-'));
  try {
    const { calm, cut } = await mixedLoad(context, folder);
    return {
      figures: [
        { name: 'messages lost or counted twice', value: calm.unaccounted + cut.unaccounted, unit: '', floor: 0 },
        { name: 'sent over links less received', value: Math.abs(calm.betweenRouters), unit: '', floor: 0 },
        { name: 'still under way at rest', value: calm.inFlight + cut.inFlight, unit: '', floor: 0 },
      ],
      detail: { calm, cut },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export const conservation: Row = {
  id: 'D6',
  title: 'Every message ends once: connections that end in every way and messages of both kinds, also while links are cut',
  floor: 'nothing lost, counted twice or left under way',
  goal: 'the same',
  fast: true,
  shortened: '40 rounds, 4 cuts, 6,000 messages',
  limitSeconds: { full: 500, fast: 60 },
  missing: () => undefined,
  run,
};
