import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';
import { messageOf, TestClient } from './client-fixtures.test.ts';
import { acknowledgeStepBytes, gatheredFrameBytes } from './limits.ts';

/** Somebody who sends to an address that the client receives from. */
class Producer implements Upstream {
  readonly downstream: Downstream;
  readonly client: TestClient;
  readonly acknowledged: number[] = [];
  outcome: { readonly state: DeliveryState; readonly condition: string | undefined } | undefined;
  relievedCount = 0;

  constructor(client: TestClient, bytes: Uint8Array, options: { readonly more?: boolean; readonly preSettled?: boolean } = {}) {
    this.client = client;
    const { more = false, preSettled = false } = options;
    const head = {
      annotations: noAnnotations,
      annotationsEnd: 0,
      priority: 4,
      to: 'q',
      replyTo: null,
      correlationId: null,
      contentType: null,
      bodyStart: 0,
    };
    const downstream = client.forwarder.forward(head, more, preSettled, undefined, this);
    assert.ok(typeof downstream === 'object');
    this.downstream = downstream;
    this.send(bytes, more);
  }

  send(bytes: Uint8Array, more: boolean): void {
    this.downstream.send(bytes, 0, bytes.length, more);
    this.client.pump();
  }

  update(state: DeliveryState, settled: boolean, offset: number, error: AmqpError | undefined): void {
    if (!settled) {
      this.acknowledged.push(offset);
      return;
    }
    assert.equal(this.outcome, undefined, 'a message is settled once');
    this.outcome = { state, condition: error?.condition };
  }

  relieved(): void {
    this.relievedCount++;
  }
}

function receiving(credit = 10): TestClient {
  const client = new TestClient();
  client.receiver('q', credit);
  return client;
}

test('a message comes as it was sent, and what the client says of it is the outcome', () => {
  for (const state of [DeliveryState.accepted, DeliveryState.released, DeliveryState.rejected, DeliveryState.modified]) {
    const client = receiving();
    client.handler.outcome = state;
    const bytes = messageOf('q', 300);
    const producer = new Producer(client, bytes);
    assert.deepEqual(client.handler.messages, [bytes]);
    assert.equal(producer.outcome?.state, state);
    assert.deepEqual([client.counters.messagesOut, client.counters.bytesOut], [1, bytes.length]);
  }
});

test('an outcome that the client wants to be settled first is settled here', () => {
  const client = receiving();
  client.handler.settle = false;
  const producer = new Producer(client, messageOf('q', 10));
  assert.equal(producer.outcome?.state, undefined);
  client.handler.outcome = DeliveryState.accepted;
  client.handler.deliveries[0]?.update(DeliveryState.accepted, false);
  client.pump();
  assert.equal(producer.outcome?.state, DeliveryState.accepted);
});

test('of a stream the producer hears how far it is, at its first octets and in steps', () => {
  const client = receiving();
  const piece = 16_384;
  const bytes = messageOf('q', 40 * piece);
  const producer = new Producer(client, bytes.subarray(0, piece), { more: true });
  assert.deepEqual(producer.acknowledged, [piece]);
  for (let at = piece; at < bytes.length; at += piece) {
    producer.send(bytes.subarray(at, at + piece), at + piece < bytes.length);
  }
  assert.deepEqual(client.handler.messages, [bytes]);
  assert.equal(producer.outcome?.state, DeliveryState.accepted);
  const steps = producer.acknowledged.slice(1).map((offset, index) => offset - (producer.acknowledged[index] ?? 0));
  assert.ok(steps.length > 3 && steps.every((step) => step >= acknowledgeStepBytes && step < acknowledgeStepBytes + piece), steps.join());
});

test('a client without credit holds the stream, and what it holds is told to be no further than its first octet', () => {
  const client = new TestClient();
  const link = client.receiver('q', 0);
  const bytes = messageOf('q', 4 * gatheredFrameBytes);
  const producer = new Producer(client, bytes.subarray(0, 2 * gatheredFrameBytes), { more: true });
  assert.equal(producer.downstream.congested, true);
  assert.deepEqual(producer.acknowledged, [1]);
  assert.deepEqual(client.handler.messages, []);
  link.grant(1);
  client.pump();
  assert.equal(producer.downstream.congested, false);
  assert.ok(producer.relievedCount > 0);
  assert.equal(producer.acknowledged.at(-1), 2 * gatheredFrameBytes);
  producer.send(bytes.subarray(2 * gatheredFrameBytes), false);
  assert.deepEqual(client.handler.messages, [bytes]);
});

test('a stream that its producer takes back is taken back from the client', () => {
  const client = receiving();
  const producer = new Producer(client, messageOf('q', 2 * gatheredFrameBytes).subarray(0, gatheredFrameBytes + 10), { more: true });
  producer.downstream.abort();
  client.pump();
  assert.deepEqual([client.handler.aborts, client.handler.messages.length, producer.outcome], [1, 0, undefined]);
});

test('a whole message that waits for credit is taken back: its octets are not kept, and the next is the first', () => {
  const client = new TestClient();
  const link = client.receiver('q', 0);
  const first = new Producer(client, messageOf('q', 1000));
  const second = new Producer(client, messageOf('q', 2000));
  const { budget } = client.router.connection;
  assert.ok(budget.backlogBytes > 3000);
  first.downstream.abort();
  assert.ok(budget.backlogBytes < 3000);
  link.grant(10);
  client.pump();
  assert.deepEqual(
    [client.handler.messages, first.outcome, second.outcome?.state],
    [[messageOf('q', 2000)], undefined, DeliveryState.accepted],
  );
  assert.equal(budget.backlogBytes, 0);
});

test('when the connection breaks the producer hears whether the client can have seen the message', () => {
  const client = receiving(1);
  client.handler.settle = false;
  const seen = new Producer(client, messageOf('q', 10));
  const waiting = new Producer(client, messageOf('q', 10));
  assert.deepEqual([seen.outcome, waiting.outcome, client.handler.messages.length], [undefined, undefined, 1]);
  client.cut();
  assert.deepEqual([seen.outcome?.state, waiting.outcome?.state], [DeliveryState.modified, DeliveryState.released]);
  assert.deepEqual([client.router.links, client.forwarder.localConsumers('q')], [0, 0]);
});

test('a producer that wants no outcome hears none', () => {
  const client = receiving();
  const producer = new Producer(client, messageOf('q', 10), { preSettled: true });
  assert.deepEqual([client.handler.messages.length, producer.outcome, producer.acknowledged], [1, undefined, []]);
  client.handler.settle = false;
  const forgetful = new Producer(client, messageOf('q', 10));
  forgetful.downstream.forget();
  client.pump();
  client.cut();
  assert.equal(forgetful.outcome, undefined);
});
