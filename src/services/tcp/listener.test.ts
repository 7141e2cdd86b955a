import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { silentLogger } from '../../base/log.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import { RoutingEngine } from '../../routing/engine.ts';
import { TcpListener } from './listener.ts';

class Client implements StreamSocket {
  handler: StreamSocketHandler | undefined;
  readonly pendingBytes = 0;
  paused = true;
  destroyed: 'reset' | 'close' | undefined;
  write(): void {}
  end(): void {}
  destroy(reset: boolean): void {
    this.destroyed ??= reset ? 'reset' : 'close';
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
}

/** A consumer that keeps what it is given, without an answer. */
class Consumers implements Consumer {
  readonly outstanding = 0;
  readonly upstreams: Upstream[] = [];
  aborted = 0;
  severed = false;
  deliver(_head: unknown, upstream: Upstream): Downstream {
    this.upstreams.push(upstream);
    const { severed } = this;
    const isSevered = (): boolean => this.severed && !severed;
    return {
      send(): void {},
      abort: (): void => void this.aborted++,
      forget(): void {},
      congested: false,
      overloaded: false,
      get severed(): boolean {
        return isSevered();
      },
    };
  }
}

class Listening {
  readonly consumer = new Consumers();
  readonly listener: TcpListener;
  readonly forwarder: Forwarder;
  nowMs = 0;
  dueMs = Infinity;

  constructor() {
    const { table } = new RoutingEngine({ routerId: 'a', instance: 1 });
    const random = { fill: (bytes: Uint8Array): void => void bytes.fill(7), number: (): number => 0.5 };
    this.forwarder = new Forwarder(table, { localAddress(): void {}, localAddressGone(): void {} }, () => undefined, random);
    this.forwarder.addConsumer('service', this.consumer);
    const clock = { nowMs: (): number => this.nowMs, wallMs: (): number => 0 };
    this.listener = new TcpListener(
      this.forwarder,
      () => 'service',
      () => 'flow',
      clock,
      (dueMs) => (this.dueMs = dueMs),
      silentLogger,
    );
  }

  get tries(): number {
    return this.consumer.upstreams.length;
  }

  /** The last try comes back. */
  back(state: DeliveryState, error?: AmqpError): void {
    this.consumer.upstreams.at(-1)?.update(state, true, 0, error);
  }

  /** Time passes until something is due. */
  wait(): void {
    this.nowMs = this.dueMs;
    this.dueMs = Infinity;
    this.listener.retryDue();
  }
}

for (const [what, state, error] of [
  ['released', DeliveryState.released, undefined],
  ['lost with a link further on', DeliveryState.modified, { condition: linkLost.condition, description: '' }],
] as const) {
  test(`a stream that was ${what} is sent again after growing pauses for about four seconds, and then the client is told`, () => {
    const listening = new Listening();
    const client = new Client();
    listening.listener.accept(client);
    const pauses: number[] = [];
    while (client.destroyed === undefined) {
      const { tries, nowMs } = listening;
      listening.back(state, error);
      if (listening.dueMs === Infinity) break;
      listening.wait();
      pauses.push(listening.nowMs - nowMs);
      assert.equal(listening.tries, tries + 1);
      assert.ok(client.paused, 'nothing is read before the server answers');
    }
    assert.equal(client.destroyed, 'reset');
    assert.deepEqual(pauses.slice(0, 8), [1, 5, 10, 20, 50, 100, 200, 200]);
    assert.ok(listening.nowMs >= 4_000 && listening.nowMs < 4_300, `${listening.nowMs} ms`);
    assert.deepEqual([listening.listener.active, listening.listener.failed], [0, 1]);
  });
}

test('a change of routes ends the pause, a limited number of times', () => {
  const listening = new Listening();
  const client = new Client();
  listening.listener.accept(client);
  for (let tries = 1; client.destroyed === undefined; tries++) {
    assert.ok(tries <= 65);
    assert.equal(listening.tries, tries);
    listening.back(DeliveryState.released);
    listening.listener.routesChanged();
  }
  assert.equal(listening.tries, 65);
});

test('two streams that wait are each sent again in their time', () => {
  const listening = new Listening();
  listening.listener.accept(new Client());
  const [first] = listening.consumer.upstreams;
  listening.listener.accept(new Client());
  const [, second] = listening.consumer.upstreams;
  first.update(DeliveryState.released, true, 0, undefined);
  listening.nowMs = 0.5;
  second.update(DeliveryState.released, true, 0, undefined);
  assert.equal(listening.dueMs, 1);
  listening.wait();
  assert.deepEqual([listening.tries, listening.dueMs], [3, 1.5]);
  listening.wait();
  assert.deepEqual([listening.tries, listening.dueMs], [4, Infinity]);
});

test('a stream whose address has gone waits for it to come back', () => {
  const listening = new Listening();
  const client = new Client();
  listening.listener.accept(client);
  listening.forwarder.removeConsumer('service', listening.consumer);
  listening.back(DeliveryState.released);
  for (let count = 0; count < 5; count++) listening.wait();
  assert.deepEqual([listening.tries, client.destroyed], [1, undefined]);
  listening.forwarder.addConsumer('service', listening.consumer);
  listening.listener.routesChanged();
  assert.equal(listening.tries, 2);
});

test('a stream whose way has fallen silent takes another at once, and the first is taken back', () => {
  const listening = new Listening();
  const client = new Client();
  listening.listener.accept(client);
  listening.listener.routesChanged();
  assert.equal(listening.tries, 1);
  listening.consumer.severed = true;
  listening.listener.routesChanged();
  assert.deepEqual([listening.tries, listening.consumer.aborted], [2, 1]);
});

test('a stream that a server has refused is not sent again', () => {
  const listening = new Listening();
  const client = new Client();
  listening.listener.accept(client);
  listening.back(DeliveryState.modified, { condition: 'qd:connection-refused', description: '' });
  assert.equal(client.destroyed, 'reset');
  assert.deepEqual([listening.tries, listening.dueMs], [1, Infinity]);
});

test('a client that has gone is not served again', () => {
  const listening = new Listening();
  const client = new Client();
  listening.listener.accept(client);
  client.handler?.closed(new Error('reset'));
  listening.back(DeliveryState.released);
  assert.deepEqual([listening.tries, listening.listener.active], [1, 0]);
});
