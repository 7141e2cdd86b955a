import { setTimeout as sleep } from 'node:timers/promises';
import { routerId } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { MessagingPeer, decodeCounts } from '../rig/messaging.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const names = ['one', 'two', 'three'];
const kills = { full: 100, fast: 3 };
const killEveryMs = 4000;
/** Numbered messages of each kind. */
const messages = { full: 1_000_000, fast: 20_000 };
/** Beside this, what was lost is sent again. */
const window = 100;
/** After the last kill what was held up by the outages is sent. A producer that gets nothing accepted for this long has given up. */
const giveUpMs = 30_000;
/** How often the producer is asked how far it is: a question takes time from its sending. */
const askEveryMs = 250;

interface Outcome {
  readonly acceptedButLost: number;
  readonly neverAccepted: number;
  readonly preSettledTwice: number;
  readonly preSettledLost: number;
  readonly unsettledTwice: number;
  readonly sent: number;
  readonly modified: number;
  readonly released: number;
}

/** Waits until all messages are accepted, or none is any more. */
async function finish(context: RowContext, producer: MessagingPeer): Promise<void> {
  let last = -1;
  for (let sinceMs = performance.now(); performance.now() - sinceMs < giveUpMs; await sleep(askEveryMs)) {
    context.signal.throwIfAborted();
    const { finished, messages: all } = await producer.progress();
    if (finished === all) return;
    if (finished === last) continue;
    last = finished;
    sinceMs = performance.now();
  }
}

async function deliver(context: RowContext, total: number, killCount: number): Promise<Outcome> {
  await using disposables = new AsyncDisposableStack();
  const ports = await Promise.all(names.map(async () => await freePort()));
  const routers: RouterProcess[] = [];
  const link = { role: 'inter-router', host, saslMechanisms: 'ANONYMOUS' };
  for (const [index, name] of names.entries()) {
    const entities: Entity[] = [['listener', { name: 'incoming', port: ports[index], ...link }]];
    if (index > 0) entities.push(['connector', { name: 'previous', port: ports[index - 1], ...link }]);
    routers.push(disposables.use(await RouterProcess.start({ id: routerId(name), entities })));
  }
  const consumer = disposables.use(await MessagingPeer.start('consumer', [ports[2]]));
  const producer = disposables.use(await MessagingPeer.start('producer', [ports[0]]));
  await consumer.consume({ address: 'unsettled', consumers: 1, messages: total });
  await consumer.consume({ address: 'settled', consumers: 1, messages: total });
  const perSecond = Math.ceil((total * 1000) / (killCount * killEveryMs));
  await producer.produce({ address: 'unsettled', messages: total, perSecond, preSettled: false, window });
  await producer.produce({ address: 'settled', messages: total, perSecond, preSettled: true, window });
  await sleep(killEveryMs / 2);
  for (let kill = 0; kill < killCount; kill++) {
    context.signal.throwIfAborted();
    const atMs = performance.now();
    const router = routers[kill % routers.length];
    await router.kill();
    await router.run();
    await sleep(Math.max(0, atMs + killEveryMs - performance.now()));
  }
  await finish(context, producer);
  // What is under way without anybody waiting for it arrives, too.
  await sleep(1000);
  // In this order: what is accepted by the first report must be among what has come by the second.
  const sent = await producer.report();
  const received = await consumer.report();
  const counts = (address: string): Uint8Array => decodeCounts(received.consumers.find((entry) => entry.address === address)?.counts ?? '');
  const of = (address: string): (typeof sent.producers)[0] => {
    const found = sent.producers.find((entry) => entry.address === address);
    if (found === undefined) throw new Error(`no producer of ${address}`);
    return found;
  };
  const [unsettled, settled] = [counts('unsettled'), counts('settled')];
  const accepted = decodeCounts(of('unsettled').accepted);
  const count = (bytes: Uint8Array, condition: (value: number, index: number) => boolean): number =>
    bytes.reduce((sum, value, index) => sum + (condition(value, index) ? 1 : 0), 0);
  return {
    acceptedButLost: count(accepted, (value, index) => value === 1 && unsettled[index] === 0),
    neverAccepted: count(accepted, (value) => value === 0),
    preSettledTwice: count(settled, (value) => value > 1),
    preSettledLost: count(settled, (value) => value === 0),
    unsettledTwice: count(unsettled, (value) => value > 1),
    sent: of('unsettled').sends,
    modified: of('unsettled').modified,
    released: of('unsettled').released,
  };
}

async function run(context: RowContext): Promise<Measured> {
  const total = context.fast ? messages.fast : messages.full;
  const killCount = context.fast ? kills.fast : kills.full;
  const outcome = await deliver(context, total, killCount);
  return {
    figures: [
      { name: 'accepted but lost', value: outcome.acceptedButLost, unit: '', floor: 0 },
      { name: 'pre-settled delivered twice', value: outcome.preSettledTwice, unit: '', floor: 0 },
      { name: 'never accepted', value: outcome.neverAccepted, unit: '', floor: 0 },
      { name: 'unsettled delivered twice', value: Math.round((1e6 * outcome.unsettledTwice) / total) / 1e4, unit: '%', goal: 0.01 },
    ],
    detail: { messagesOfEachKind: total, kills: killCount, ...outcome },
  };
}

export const messageDelivery: Row = {
  id: 'D3',
  title: '2 × 1,000,000 numbered messages, unsettled and pre-settled, through three routers of which one is killed every 4 s',
  floor: 'none accepted but lost, none pre-settled twice',
  goal: 'less than 0.01 % of the unsettled twice',
  fast: true,
  shortened: '3 kills, 20,000 messages of each kind',
  limitSeconds: { full: 1500, fast: 60 },
  missing: () => undefined,
  run,
};
