import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../src/amqp/performatives.ts';
import { ValueReader } from '../src/amqp/value-reader.ts';
import { decodeHead } from '../src/forwarding/message-head.ts';
import type { MessageHead } from '../src/forwarding/message-head.ts';
import { copyTimeoutMs } from '../src/forwarding/multicast.ts';
import type { Neighbour } from '../src/forwarding/neighbour.ts';
import { Treatment } from '../src/routing/route-table.ts';
import { encodeStreamStart } from '../src/services/tcp/stream-message.ts';
import { Producer, Recorder, consume, line, outstanding, produce, ruled } from '../src/sim/messages.ts';
import { VirtualNetwork, pattern, servers } from '../src/sim/virtual-network.ts';

const { accepted, rejected, released, modified, received } = DeliveryState;

for (const state of [accepted, rejected, released, modified]) {
  test(`a whole message over two hops ends ${state}, once, and is counted while it is out`, () => {
    const { network, alpha, beta, gamma } = line();
    const consumer = consume(gamma, 'queue');
    network.runUntil(() => alpha.control.forwarder.reachable('queue'), 3000);
    const producer = produce(alpha, 'queue', 1000);
    network.run(50);
    const [taken] = consumer.taken;
    assert.equal(taken.complete, true);
    assert.deepEqual(taken.head.annotations.trace, ['0/alpha', '0/beta']);
    assert.equal(taken.head.annotations.ingress, '0/alpha');
    assert.deepEqual([outstanding(alpha, 'queue'), outstanding(beta, 'queue')], [1, 1]);
    taken.settle(state);
    taken.settle(rejected);
    gamma.touch();
    network.run(50);
    assert.deepEqual(producer.outcomes, [state]);
    assert.deepEqual([outstanding(alpha, 'queue'), outstanding(beta, 'queue')], [0, 0]);
  });
}

test('acknowledged offsets come back over two hops', () => {
  const { network, alpha, gamma } = line();
  const consumer = consume(gamma, 'stream');
  network.runUntil(() => alpha.control.forwarder.reachable('stream'), 3000);
  const producer = produce(alpha, 'stream', 10, true);
  network.run(50);
  consumer.taken[0].upstream.update(received, false, 7, undefined);
  gamma.touch();
  network.run(50);
  assert.equal(producer.acknowledged, 7);
  assert.deepEqual(producer.outcomes, []);
});

test('pre-settled messages are counted until they are written, not longer', () => {
  const { network, alpha, beta, gamma } = line();
  const consumer = consume(gamma, 'events');
  network.runUntil(() => alpha.control.forwarder.reachable('events'), 3000);
  for (let count = 0; count < 600; count++) produce(alpha, 'events', 10, false, true);
  network.run(100);
  assert.equal(consumer.taken.filter((taken) => taken.complete).length, 600, 'more than the credit of a link');
  assert.deepEqual([outstanding(alpha, 'events'), outstanding(beta, 'events')], [0, 0]);
});

test('a multicast message reaches every consumer once, in a ring too, and is settled when all have settled', () => {
  const rule = ruled(Treatment.multicastOnce);
  const network = new VirtualNetwork();
  const [alpha, beta, gamma, delta] = ['alpha', 'beta', 'gamma', 'delta'].map((id) => network.router(id, rule));
  network.link(alpha, beta);
  network.link(beta, gamma);
  network.link(gamma, delta);
  network.link(delta, alpha);
  const consumers = [alpha, beta, gamma, delta].map((router) => consume(router, 'news'));
  const second = consume(gamma, 'news');
  network.runUntil(() => alpha.control.forwarder.table.addresses.get('Mnews')?.routers.length === 3, 5000);
  network.run(2000);
  for (const more of [false, true]) {
    const producer = produce(alpha, 'news', 500, more);
    network.run(50);
    const taken = [...consumers, second].map((consumer) => consumer.taken.at(-1));
    assert.ok([...consumers, second].every((consumer) => consumer.taken.length === (more ? 2 : 1)));
    producer.downstream?.send(new Uint8Array(0), 0, 0, false);
    alpha.touch();
    network.run(50);
    taken.forEach((message, index) => {
      assert.deepEqual(producer.outcomes, []);
      message?.settle(index === 2 ? accepted : released);
      for (const router of [alpha, beta, gamma, delta]) router.touch();
      network.run(50);
    });
    assert.deepEqual(producer.outcomes, [accepted]);
    for (const router of [alpha, beta, gamma, delta]) assert.equal(outstanding(router, 'news'), 0);
  }
});

test('a multicast message whose neighbour is lost is settled by the others', () => {
  const network = new VirtualNetwork();
  const rule = ruled(Treatment.multicastOnce);
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id, rule));
  const lost = network.link(alpha, beta);
  network.link(alpha, gamma);
  consume(beta, 'news');
  const consumer = consume(gamma, 'news');
  network.runUntil(() => alpha.control.forwarder.table.addresses.get('Mnews')?.routers.length === 2, 3000);
  const producer = produce(alpha, 'news', 5);
  network.run(50);
  consumer.taken[0].settle(accepted);
  gamma.touch();
  network.run(50);
  assert.deepEqual(producer.outcomes, []);
  network.cut(lost);
  network.run(5);
  assert.deepEqual(producer.outcomes, [accepted]);
});

test('a consumer that never settles holds a multicast message for its time only, and gets no more until it asks for some', () => {
  const { network, alpha, beta, gamma } = line(ruled(Treatment.multicastOnce));
  class Idle extends Recorder {
    ready = true;
  }
  const idle = new Idle();
  gamma.control.forwarder.addConsumer('news', idle);
  const lively = consume(beta, 'news');
  const bothAreKnown = (): boolean => alpha.control.forwarder.table.addresses.get('Mnews')?.routers.length === 2;
  network.runUntil(bothAreKnown, 5000);
  network.run(2000);
  const first = produce(alpha, 'news', 500);
  network.run(50);
  idle.ready = false;
  lively.taken[0].settle(accepted);
  beta.touch();
  network.run(copyTimeoutMs / 2);
  assert.deepEqual(first.outcomes, []);
  network.run(copyTimeoutMs / 2 + 3000);
  assert.deepEqual([first.outcomes, idle.taken[0].aborted], [[accepted], true]);
  const second = produce(alpha, 'news', 500);
  network.run(50);
  lively.taken[1].settle(accepted);
  beta.touch();
  network.run(50);
  assert.deepEqual([second.outcomes, idle.taken.length], [[accepted], 1]);
  idle.ready = true;
  beta.control.forwarder.removeConsumer('news', lively);
  network.run(2000);
  const third = produce(alpha, 'news', 500);
  network.run(50);
  assert.equal(idle.taken.length, 2);
  network.run(copyTimeoutMs + 3000);
  assert.deepEqual(third.outcomes, [modified]);
  for (const router of [alpha, beta, gamma]) assert.equal(outstanding(router, 'news'), 0);
});

test('a message for nobody is released, one without an address rejected, one that has come too far released', () => {
  const { network, alpha, gamma } = line();
  consume(gamma, 'queue');
  network.runUntil(() => alpha.control.forwarder.reachable('queue'), 3000);
  assert.deepEqual(produce(alpha, 'nobody', 1).outcomes, [released]);
  assert.deepEqual(produce(alpha, '_topo/0/nobody/temp.x', 1).outcomes, [released]);
  assert.deepEqual(produce(alpha, '_local/qdhello', 1).outcomes, [released]);
  assert.deepEqual(produce(alpha, '_topo/0/all/qdrouter', 1).outcomes, [released]);
  assert.deepEqual(produce(alpha, '_edge/leaf/temp.x', 1).outcomes, [released]);
  const { forwarder } = alpha.control;
  const head = decodeHead(new ValueReader(encodeStreamStart('queue', null, null)));
  assert.equal(forwarder.forward({ ...head, to: null }, false, false, undefined, new Producer()), rejected);
  const far = (hops: number): MessageHead => ({
    ...head,
    annotations: { ...head.annotations, trace: Array.from({ length: hops }, (_, index) => `0/r${index}`) },
  });
  const { radius } = forwarder.table;
  assert.equal(radius, 2);
  assert.notEqual(forwarder.forward(far(radius + 1), false, false, undefined, new Producer()), released);
  assert.equal(forwarder.forward(far(radius + 2), false, false, undefined, new Producer()), released);
});

test('an unavailable address takes nothing, and is not reachable', () => {
  const { network, alpha, gamma } = line(ruled(Treatment.unavailable));
  consume(gamma, 'closed');
  network.run(3000);
  assert.equal(alpha.control.forwarder.reachable('closed'), false);
  assert.equal(gamma.control.forwarder.reachable('closed'), false);
  assert.deepEqual(produce(alpha, 'closed', 1).outcomes, [released]);
});

test('addresses are the same with scheme, host and final dot', () => {
  const { network, alpha, gamma } = line();
  const consumer = consume(gamma, '/queue');
  network.runUntil(() => alpha.control.forwarder.reachable('amqp://host/queue'), 3000);
  produce(alpha, 'amqp:/queue.', 1);
  network.run(50);
  assert.equal(consumer.taken.length, 1);
  gamma.control.forwarder.removeConsumer('amqp:/queue', consumer);
  gamma.touch();
  network.runUntil(() => !alpha.control.forwarder.reachable('queue'), 1000);
});

test('when a peer ends the session of streams, the next stream gets a new one', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  const link = network.link(alpha, beta);
  const consumer = consume(beta, 'stream');
  network.runUntil(() => alpha.control.forwarder.reachable('stream'), 3000);
  const first = produce(alpha, 'stream', 10, true);
  network.run(50);
  assert.equal(consumer.taken.length, 1);
  // The session of streams is the one that the stream's link is in: beta ends it.
  const neighbour = link.connections[1].handler as Neighbour;
  const sessions = new Set<{ end(): void }>();
  const transfer = neighbour.transfer.bind(neighbour);
  neighbour.transfer = (delivery, ...rest): void => {
    if (delivery.link.capacity > 0 && delivery.link.remoteInitiated) sessions.add(delivery.link.session);
    transfer(delivery, ...rest);
  };
  const second = produce(alpha, 'stream', 10, true);
  network.run(5);
  assert.equal(sessions.size, 1);
  for (const session of sessions) session.end();
  beta.touch();
  network.run(50);
  assert.deepEqual([first.outcomes, second.outcomes], [[modified], [modified]]);
  assert.equal(outstanding(alpha, 'stream'), 0);
  produce(alpha, 'stream', 10, true);
  network.run(50);
  assert.equal(consumer.taken.length, 3);
});

for (const where of ['its socket', 'its windows'] as const) {
  test(`whoever was stopped for streams to a neighbour that has to wait for ${where} goes on when they end`, () => {
    const network = new VirtualNetwork();
    const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id));
    const fast = network.link(alpha, beta);
    const slow = network.link(beta, gamma);
    const consumer = consume(gamma, 'sink');
    network.runUntil(() => alpha.control.forwarder.reachable('sink'), 3000);
    if (where === 'its windows') slow.rate = 1;
    const streams = Array.from({ length: 80 }, () => produce(alpha, 'sink', 0, true));
    network.run(20);
    slow.rate = 1;
    assert.equal(consumer.taken.length, where === 'its windows' ? 0 : 80);
    const chunk = new Uint8Array(1_048_576);
    for (const stream of streams) stream.downstream?.send(chunk, 0, chunk.length, true);
    alpha.touch();
    network.run(500);
    const { pendingBytes, budget } = slow.connections[0];
    assert.equal(where === 'its windows', budget.backlogBytes > pendingBytes);
    const [, incoming] = fast.connections;
    assert.equal(incoming.withholdWindow, true);
    for (const stream of streams) stream.downstream?.abort();
    alpha.touch();
    network.run(500);
    assert.equal(incoming.withholdWindow, false);
    assert.equal(budget.backlogBytes, 0);
  });
}

test('an overloaded neighbour that is fast again takes everything', () => {
  const network = new VirtualNetwork();
  const [alpha, beta, gamma] = ['alpha', 'beta', 'gamma'].map((id) => network.router(id));
  const fast = network.link(alpha, beta);
  const slow = network.link(beta, gamma);
  const consumer = consume(gamma, 'sink');
  network.runUntil(() => alpha.control.forwarder.reachable('sink'), 3000);
  const streams = Array.from({ length: 80 }, () => produce(alpha, 'sink', 0, true));
  network.run(20);
  slow.rate = 1000;
  const chunk = new Uint8Array(1_000_000);
  // Three times what overloads, and more than the connection could hold.
  for (let round = 0; round < 3; round++) {
    for (const stream of streams) stream.downstream?.send(chunk, 0, chunk.length, round < 2);
    alpha.touch();
    network.run(50);
  }
  assert.equal(fast.connections[1].withholdWindow, true);
  network.runUntil(() => consumer.taken.every((taken) => taken.complete), 400_000);
  for (const taken of consumer.taken) assert.ok(taken.bytes > 3_000_000);
});

test('a pre-settled stream that is complete before its link has credit arrives whole, and its link is used again', () => {
  const { network, alpha, gamma } = line();
  const consumer = consume(gamma, 'sink');
  network.runUntil(() => alpha.control.forwarder.reachable('sink'), 3000);
  for (let count = 0; count < 3; count++) {
    const stream = produce(alpha, 'sink', 0, true, true);
    stream.downstream?.send(pattern(500_000), 0, 500_000, true);
    stream.downstream?.send(pattern(1), 0, 1, false);
    alpha.touch();
    network.run(100);
    const taken = consumer.taken[count];
    assert.deepEqual([taken.complete, taken.aborted, taken.bytes > 500_000], [true, false, true]);
    assert.equal(outstanding(alpha, 'sink'), 0);
  }
});

test('streams of a router whose link is congested stop and go on', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  const link = network.link(alpha, beta);
  beta.serve('echo', servers.echo);
  const listener = alpha.listener('echo');
  network.runUntil(() => alpha.control.forwarder.reachable('echo'), 3000);
  link.rate = 500;
  const clients = Array.from({ length: 30 }, () => alpha.connect(listener));
  for (const client of clients) {
    client.write(pattern(400_000));
    client.end();
  }
  network.run(200);
  assert.equal(link.connections[0].congested, true);
  assert.ok(
    clients.some((client) => client.taken < 400_000),
    'not everything is taken in',
  );
  network.runUntil(() => clients.every((client) => client.gone === 'end'), 120_000);
  assert.ok(clients.every((client) => client.received === 400_000));
});

test('the configured priority of an address goes before that of its messages', () => {
  const network = new VirtualNetwork();
  const alpha = network.router('alpha', ruled(Treatment.balanced, 7));
  const beta = network.router('beta');
  const link = network.link(alpha, beta);
  const consumer = consume(beta, 'queue');
  network.runUntil(() => alpha.control.forwarder.reachable('queue'), 3000);
  const neighbour = link.connections[0].handler as Neighbour;
  const asked: number[] = [];
  const priorityLink = neighbour.priorityLink.bind(neighbour);
  neighbour.priorityLink = (priority): ReturnType<typeof priorityLink> => {
    asked.push(priority);
    return priorityLink(priority);
  };
  produce(alpha, 'queue', 1);
  network.run(50);
  assert.deepEqual(asked, [7]);
  assert.equal(consumer.taken.length, 1);
});
