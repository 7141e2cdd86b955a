import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { AnnotationFlag, encodeAnnotations, noAnnotations } from '../../forwarding/router-annotations.ts';
import { messageOf, SentMessage, TestClient, TestConsumer } from './client-fixtures.test.ts';
import { clientLimits, maxGatheredBytes, maxWholeBytes, silentConsumerMs, streamWindowBytes } from './limits.ts';

/** A client, and a service that takes what it sends. */
function served(): { client: TestClient; consumer: TestConsumer } {
  const client = new TestClient();
  const consumer = new TestConsumer();
  assert.ok(client.forwarder.addConsumer('q', consumer));
  return { client, consumer };
}

function send(client: TestClient, message: SentMessage, bytes: Uint8Array, more = false): void {
  message.delivery.send(bytes, 0, bytes.length, more);
  client.pump();
}

test('a message goes to the address of its link, and its outcome comes back with the credit', () => {
  const { client, consumer } = served();
  const link = client.sender('q');
  for (const [state, condition] of [
    [DeliveryState.accepted, undefined],
    [DeliveryState.released, undefined],
    [DeliveryState.modified, undefined],
    [DeliveryState.rejected, 'amqp:not-allowed'],
  ] as const) {
    const message = new SentMessage(link);
    const bytes = messageOf(null, 100);
    send(client, message, bytes);
    const leg = consumer.legs.at(-1);
    assert.deepEqual([leg?.bytes, leg?.isComplete, leg?.preSettled], [bytes.length, true, false]);
    assert.equal(leg?.head.annotations.toOverride, 'q');
    assert.equal(message.outcome, undefined);
    leg.settle(state, condition === undefined ? undefined : { condition, description: 'no' });
    client.pump();
    assert.deepEqual(message.outcome, { state, condition });
  }
  // More than the credit that the link has at first.
  for (let index = 0; index < 600; index++) {
    const message = new SentMessage(link, index % 2 === 0);
    send(client, message, messageOf(null, 10));
    consumer.legs.at(-1)?.settle(DeliveryState.accepted);
    client.pump();
    assert.ok(message.delivery.settled || message.outcome !== undefined);
    assert.equal(message.isLost, false);
  }
  assert.deepEqual([consumer.legs.length, client.counters.messagesIn, client.router.gatheredBytes], [604, 604, 0]);
});

test('without an address of the link each message says where it goes, as far as the client may send there', () => {
  const { client, consumer } = served();
  const link = client.sender(null);
  for (const [to, expected] of [
    ['q', undefined],
    [null, 'amqp:precondition-failed'],
    ['forbidden', 'amqp:unauthorized-access'],
    ['$management', 'amqp:unauthorized-access'],
    ['amqp:/_topo/0/other/services', 'amqp:unauthorized-access'],
  ] as const) {
    const message = new SentMessage(link);
    send(client, message, messageOf(to, 10));
    assert.equal(message.outcome?.condition, expected, String(to));
  }
  const nowhere = new SentMessage(link);
  send(client, nowhere, messageOf('other', 10));
  assert.equal(nowhere.outcome?.state, DeliveryState.released);
  assert.equal(consumer.legs.length, 1);
});

test('what only routers write is refused, and so is what is no message', () => {
  const { client, consumer } = served();
  const link = client.sender('q');
  const writer = new ValueWriter(256);
  encodeAnnotations(writer, { ...noAnnotations, ingress: '0/other', trace: ['0/other'] });
  writer.raw(messageOf(null, 10));
  for (const bytes of [writer.take(), Uint8Array.of(1, 2, 3), messageOf(null, 10).subarray(0, 5)]) {
    const message = new SentMessage(link);
    send(client, message, bytes);
    assert.equal(message.outcome?.state, DeliveryState.rejected);
    assert.equal(message.outcome.condition, 'amqp:decode-error');
  }
  assert.deepEqual([consumer.legs.length, client.router.gatheredBytes], [0, 0]);
});

test('a long message goes on as a stream, no further than a window ahead of what its consumer has taken', () => {
  const { client, consumer } = served();
  const link = client.sender('q');
  const message = new SentMessage(link);
  const total = 6 * streamWindowBytes;
  const bytes = messageOf(null, total);
  send(client, message, bytes.subarray(0, maxWholeBytes >> 1), true);
  assert.equal(consumer.legs.length, 0);
  send(client, message, bytes.subarray(maxWholeBytes >> 1), true);
  const leg = consumer.legs[0];
  assert.equal(leg.head.annotations.flags, AnnotationFlag.streaming);
  assert.equal(client.router.gatheredBytes, 0);
  // What the session's window had let in when the client was stopped has come besides.
  const most = streamWindowBytes + (clientLimits.incomingWindowBytes ?? 0) + maxWholeBytes;
  for (let rounds = 0; leg.bytes < bytes.length; rounds++) {
    assert.ok(rounds < 100, 'the stream stands still');
    const before = leg.bytes;
    leg.acknowledge();
    client.pump();
    assert.ok(leg.bytes - before <= most, `${leg.bytes - before} octets came without an acknowledgement`);
  }
  assert.equal(leg.isComplete, false);
  send(client, message, new Uint8Array(10));
  assert.ok(leg.isComplete);
  leg.settle(DeliveryState.accepted);
  client.pump();
  assert.equal(message.outcome?.state, DeliveryState.accepted);
});

test('a consumer that never tells how far it is, as a router of another kind, is sent all of it after a moment', () => {
  const { client, consumer } = served();
  const message = new SentMessage(client.sender('q'));
  const bytes = messageOf(null, 6 * streamWindowBytes);
  send(client, message, bytes);
  const leg = consumer.legs[0];
  assert.ok(leg.bytes < bytes.length);
  const stood = leg.bytes;
  client.nowMs = silentConsumerMs - 1;
  client.router.sweep(client.nowMs);
  client.pump();
  assert.equal(leg.bytes, stood);
  client.nowMs = silentConsumerMs;
  client.router.sweep(client.nowMs);
  client.pump();
  assert.deepEqual([leg.bytes, leg.isComplete], [bytes.length, true]);
});

test('a way that is full stops the client until there is room', () => {
  const { client, consumer } = served();
  const message = new SentMessage(client.sender('q'));
  const bytes = messageOf(null, 6 * streamWindowBytes);
  send(client, message, bytes.subarray(0, maxWholeBytes + 100), true);
  const leg = consumer.legs[0];
  leg.congested = true;
  send(client, message, bytes.subarray(maxWholeBytes + 100), true);
  const stood = leg.bytes;
  assert.ok(stood < bytes.length);
  leg.acknowledge();
  client.pump();
  assert.equal(leg.bytes, stood);
  leg.congested = false;
  leg.upstream.relieved();
  leg.acknowledge();
  client.pump();
  assert.ok(leg.bytes > stood);
});

test('a message that the client takes back, or that ends with its connection, is taken back from its consumer', () => {
  for (const end of ['abort', 'cut'] as const) {
    const { client, consumer } = served();
    const link = client.sender('q');
    const stream = new SentMessage(link);
    send(client, stream, messageOf(null, 2 * maxWholeBytes), true);
    const unrouted = new SentMessage(client.sender('q'));
    send(client, unrouted, messageOf(null, 100), true);
    assert.ok(client.router.gatheredBytes > 0);
    if (end === 'cut') client.cut();
    else {
      stream.delivery.abort();
      unrouted.delivery.abort();
      client.pump();
    }
    assert.deepEqual([consumer.legs.length, consumer.legs[0]?.isAborted, client.router.gatheredBytes], [1, true, 0], end);
  }
});

test('unfinished messages of one client have a bound in all', () => {
  const { client, consumer } = served();
  const piece = messageOf(null, maxWholeBytes - 1000);
  const messages: SentMessage[] = [];
  for (let index = 0; index * piece.length <= maxGatheredBytes + piece.length; index++) {
    const message = new SentMessage(client.sender('q'));
    send(client, message, piece, true);
    messages.push(message);
    assert.ok(client.router.gatheredBytes <= maxGatheredBytes);
  }
  const refused = messages.filter(({ outcome }) => outcome?.condition === 'amqp:resource-limit-exceeded');
  assert.ok(refused.length >= 1 && refused.length < messages.length);
  assert.equal(consumer.legs.length, 0);
});

test('a message that is settled when it is sent asks for no outcome', () => {
  const { client, consumer } = served();
  send(client, new SentMessage(client.sender('q'), true), messageOf(null, 10));
  assert.equal(consumer.legs[0]?.preSettled, true);
});
