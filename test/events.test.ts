import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Treatment } from '../src/routing/route-table.ts';
import { EventConsumer } from '../src/services/events/event-consumer.ts';
import { encodeEvent, eventMessage, maxEventBodyBytes } from '../src/services/events/event-message.ts';
import { Publication } from '../src/services/events/publication.ts';
import { headOf } from '../src/services/events/receipts.ts';
import { ruled } from '../src/sim/messages.ts';
import { VirtualNetwork } from '../src/sim/virtual-network.ts';
import type { VirtualRouter } from '../src/sim/virtual-router.ts';

/** A subscriber of `news` that keeps the texts of what it takes. */
function subscribe(router: VirtualRouter, takes: () => boolean = () => true): string[] {
  const texts: string[] = [];
  const consumer = new EventConsumer(router.control.forwarder, ({ body }) => {
    if (!takes()) return false;
    texts.push(new TextDecoder().decode(body));
    return true;
  });
  assert.ok(router.control.forwarder.addConsumer('news', consumer));
  router.touch();
  return texts;
}

function publish(router: VirtualRouter, text: string): Publication {
  const body = new TextEncoder().encode(text);
  const publication = new Publication(router.control.forwarder, eventMessage({ to: 'news', messageId: text, body }), () => undefined);
  router.touch();
  return publication;
}

function ring(seed: number, length: number): { network: VirtualNetwork; routers: VirtualRouter[]; cut: (index: number) => void } {
  const network = new VirtualNetwork(seed);
  const routers = Array.from({ length }, (_, index) => network.router(`r${index}`, ruled(Treatment.multicastOnce)));
  const links = routers.map((router, index) => network.link(router, routers[(index + 1) % length]));
  return { network, routers, cut: (index) => links[index].break(() => 0) };
}

test('each subscriber of a ring gets each message once, and each is counted', () => {
  const { network, routers } = ring(1, 5);
  const all = [1, 2, 2, 4].map((index) => subscribe(routers[index]));
  network.runUntil(() => routers[0].control.forwarder.routersOf('news').length === 3, 5000);
  const publication = publish(routers[0], 'hello');
  network.runUntil(() => publication.outcome !== undefined, 1000);
  network.run(10);
  assert.deepEqual([publication.outcome, publication.receipts], ['accepted', 4]);
  assert.deepEqual(all, [['hello'], ['hello'], ['hello'], ['hello']]);
  publication.close();
  network.run(100);
  for (const { control } of routers) {
    assert.deepEqual([control.forwarder.temporaryAddresses, control.forwarder.incoming.inFlight], [0, 0]);
  }
});

test('while links of a ring are cut no subscriber gets a message twice, and what is counted has arrived', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { network, routers, cut } = ring(seed, 5);
    const all = [2, 3].map((index) => subscribe(routers[index]));
    network.runUntil(() => routers[0].control.forwarder.routersOf('news').length === 2, 5000);
    const publications: Publication[] = [];
    for (let index = 0; index < 60; index++) {
      publications.push(publish(routers[0], `message ${index}`));
      network.run(network.random.number() * 4);
      // Towards one of them; the other way round the ring stays.
      if (index === 20) cut(seed % 3);
    }
    network.run(3000);
    for (const texts of all) assert.equal(new Set(texts).size, texts.length, `seed ${seed}: a message came twice`);
    publications.forEach(({ outcome, receipts }, index) => {
      const reached = all.filter((texts) => texts.includes(`message ${index}`)).length;
      assert.ok(outcome !== undefined, `seed ${seed}: message ${index} has no outcome`);
      assert.ok(receipts <= reached);
      assert.ok(outcome !== 'accepted' || reached > 0);
      assert.ok(outcome !== 'released' || reached === 0);
    });
    const last = publish(routers[0], 'last');
    network.run(1000);
    assert.deepEqual([last.outcome, last.receipts], ['accepted', 2], `seed ${seed}`);
    for (const publication of [...publications, last]) publication.close();
    network.run(100);
    for (const { control } of routers) assert.equal(control.forwarder.temporaryAddresses, 0);
  }
});

test('a subscriber that cannot take a message does not stop the others', () => {
  const { network, routers } = ring(3, 3);
  const refused = subscribe(routers[1], () => false);
  const taken = subscribe(routers[2]);
  network.runUntil(() => routers[0].control.forwarder.routersOf('news').length === 2, 5000);
  const publication = publish(routers[0], 'hello');
  network.run(500);
  assert.deepEqual([publication.outcome, publication.receipts, refused, taken], ['accepted', 1, [], ['hello']]);
});

test('what is no message, and one that is too long, is rejected', () => {
  const { network, routers } = ring(4, 3);
  const texts = subscribe(routers[2]);
  network.runUntil(() => routers[0].control.forwarder.reachable('news'), 5000);
  const { forwarder } = routers[0].control;
  const outcomes: (string | undefined)[] = [];
  const send = (bytes: Uint8Array, bodyStart: number): void => {
    const upstream = {
      update: (_state: number, settled: boolean, _offset: number, error?: { condition: string }): void => {
        if (settled) outcomes.push(error?.condition);
      },
      relieved: (): void => undefined,
    };
    const downstream = forwarder.forward(headOf('news', { bytes, bodyStart }), false, false, undefined, upstream);
    assert.ok(typeof downstream === 'object');
    downstream.send(bytes, 0, bytes.length, false);
    routers[0].touch();
    network.run(2000);
  };
  const long = encodeEvent(eventMessage({ to: 'news', body: new Uint8Array(maxEventBodyBytes + 70_000) }));
  send(long.bytes, long.bodyStart);
  const good = encodeEvent(eventMessage({ to: 'news', body: Uint8Array.of(0x61) }));
  send(good.bytes.subarray(0, good.bytes.length - 1), good.bodyStart);
  send(good.bytes, good.bodyStart);
  assert.deepEqual(outcomes, ['amqp:link:message-size-exceeded', 'amqp:decode-error', undefined]);
  assert.deepEqual(texts, ['a']);
});

test('a receipt goes to no service, whatever a message asks for', () => {
  const { network, routers } = ring(5, 3);
  const texts = subscribe(routers[2]);
  const { forwarder } = routers[1].control;
  let reached = 0;
  const count = new EventConsumer(forwarder, () => {
    reached++;
    return true;
  });
  forwarder.addConsumer('bank', count);
  forwarder.addLocal('services', count);
  network.runUntil(() => forwarder.reachable('news') && routers[2].control.forwarder.reachable('bank'), 5000);
  for (const receiptTo of ['bank', 'amqp:/bank', 'amqp:/_topo/0/r1/services', 'amqp:/_topo/0/r1/$management', '']) {
    const event = encodeEvent(eventMessage({ to: 'news', body: Uint8Array.of(0x61), receiptTo }));
    const downstream = forwarder.forward(headOf('news', event), false, true, undefined, {
      update: () => undefined,
      relieved: () => undefined,
    });
    assert.ok(typeof downstream === 'object');
    downstream.send(event.bytes, 0, event.bytes.length, false);
    routers[1].touch();
    network.run(200);
  }
  assert.deepEqual([texts.length, reached], [5, 0]);
});
