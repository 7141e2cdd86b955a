import { setTimeout as sleep } from 'node:timers/promises';
import { LinkProxy } from '../../e2e/link-proxy.ts';
import { routerId } from '../../e2e/network.ts';
import { freePort } from '../../e2e/ports.ts';
import { RouterProcess } from '../../e2e/router-process.ts';
import type { Entity } from '../../e2e/router-process.ts';
import { until } from '../../e2e/until.ts';
import { MessagingPeer, decodeCounts } from '../rig/messaging.ts';
import type { Measured, Row, RowContext } from '../row.ts';

const host = '127.0.0.1';
const names = ['one', 'two', 'three', 'four', 'five'];
/** Each at a router of its own, beside the sender's. */
const consumersEach = 4;
const messages = { full: 100_000, fast: 10_000 };
const perSecond = 1000;
const window = 200;
/** Messages sent this long before and after a cut may miss a consumer. */
const convergenceMs = 2000;
const multicast: Entity = ['address', { prefix: 'news', distribution: 'multicast' }];

interface Phase {
  readonly missing: number;
  readonly twice: number;
  /** Of the missing, those sent when routes must have settled. */
  readonly missingLater: number;
}

interface Outcome {
  readonly stable: Phase;
  readonly cut: Phase;
}

function judge(counts: readonly Uint8Array[], sent: number, settled: (number: number) => boolean): Phase {
  let [missing, twice, missingLater] = [0, 0, 0];
  for (const consumer of counts) {
    for (let number = 0; number < sent; number++) {
      if (consumer[number] > 1) twice++;
      if (consumer[number] > 0) continue;
      missing++;
      if (settled(number)) missingLater++;
    }
  }
  return { missing, twice, missingLater };
}

async function distribute(context: RowContext, total: number): Promise<Outcome> {
  await using disposables = new AsyncDisposableStack();
  const ports = await Promise.all(names.map(async () => await freePort()));
  const link = { role: 'inter-router', host, saslMechanisms: 'ANONYMOUS' };
  const proxies: LinkProxy[] = [];
  for (const [index, name] of names.entries()) {
    const entities: Entity[] = [multicast, ['listener', { name: 'incoming', port: ports[index], ...link }]];
    for (let other = 0; other < index; other++) {
      // The links of the sender's router can be cut.
      const proxy = other === 0 ? disposables.use(await LinkProxy.start(ports[other])) : undefined;
      if (proxy !== undefined) proxies.push(proxy);
      entities.push(['connector', { name: `to-${names[other]}`, port: proxy?.port ?? ports[other], ...link }]);
    }
    disposables.use(await RouterProcess.start({ id: routerId(name), entities }));
  }
  const consumers: MessagingPeer[] = [];
  for (const [index, name] of names.entries()) {
    if (index === 0) continue;
    consumers.push(disposables.use(await MessagingPeer.start(`reads-${name}`, [ports[index]], [multicast])));
  }
  const producer = disposables.use(await MessagingPeer.start('producer', [ports[0]], [multicast]));

  /** Sends a phase's messages while `meanwhile` happens, and gives what each consumer got. */
  const phase = async (address: string, meanwhile: () => Promise<void>): Promise<Uint8Array[]> => {
    for (const peer of consumers) await peer.consume({ address, consumers: consumersEach, messages: total });
    await sleep(2000);
    await producer.produce({ address, messages: total, perSecond, preSettled: false, window });
    await meanwhile();
    const timeoutMs = (total * 1000) / perSecond + 20_000;
    await until(
      `all of ${address} is sent`,
      async () => {
        context.signal.throwIfAborted();
        await sleep(500);
        return (await producer.report()).producers.every(({ finished }) => finished);
      },
      timeoutMs,
    );
    await sleep(1000);
    const counts: Uint8Array[] = [];
    for (const peer of consumers) {
      const report = await peer.report();
      for (const entry of report.consumers) if (entry.address === address) counts.push(decodeCounts(entry.counts));
    }
    return counts;
  };

  const stable = judge(await phase('news.stable', async () => {}), total, () => true);
  const cutAtMs = (total * 1000) / perSecond / 2;
  const counts = await phase('news.cut', async () => {
    await sleep(cutAtMs);
    proxies[0].cut(true);
  });
  const firstUnsure = ((cutAtMs - convergenceMs) * perSecond) / 1000;
  const lastUnsure = ((cutAtMs + convergenceMs) * perSecond) / 1000;
  const cut = judge(counts, total, (number) => number < firstUnsure || number > lastUnsure);
  return { stable, cut };
}

async function run(context: RowContext): Promise<Measured> {
  const total = context.fast ? messages.fast : messages.full;
  const { stable, cut } = await distribute(context, total);
  return {
    figures: [
      { name: 'missing at a consumer while nothing happens', value: stable.missing, unit: '', floor: 0 },
      { name: 'twice at a consumer while nothing happens', value: stable.twice, unit: '', floor: 0 },
      { name: 'twice at a consumer across the cut of a link', value: cut.twice, unit: '', goal: 0 },
      { name: 'missing at a consumer, sent 2 s before or after the cut', value: cut.missingLater, unit: '', goal: 0 },
    ],
    detail: {
      routers: names.length,
      consumers: consumersEach * (names.length - 1),
      messages: total,
      perSecond,
      missingAtTheCut: cut.missing,
    },
  };
}

export const multicastMesh: Row = {
  id: 'D5',
  title: 'Multicast to 16 consumers in a full mesh of five routers, also while a link is cut',
  floor: 'none missing, none twice while nothing happens',
  goal: 'none twice across the cut, missing only while routes settle',
  fast: false,
  shortened: '10,000 messages',
  limitSeconds: { full: 400, fast: 60 },
  missing: () => undefined,
  run,
};
