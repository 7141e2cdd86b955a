import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeliveryState } from '../../amqp/performatives.ts';
import { silentLogger } from '../../base/log.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
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
  deliver(_head: unknown, upstream: Upstream): Downstream {
    this.upstreams.push(upstream);
    return { send(): void {}, abort(): void {}, forget(): void {}, congested: false, overloaded: false };
  }
}

function listening(): { consumer: Consumers; listener: TcpListener } {
  const { table } = new RoutingEngine({ routerId: 'a', instance: 1 });
  const random = { fill: (bytes: Uint8Array): void => void bytes.fill(7), number: (): number => 0.5 };
  const forwarder = new Forwarder(table, { localAddress(): void {}, localAddressGone(): void {} }, () => undefined, random);
  const consumer = new Consumers();
  forwarder.addConsumer('service', consumer);
  return {
    consumer,
    listener: new TcpListener(
      forwarder,
      () => 'service',
      () => 'flow',
      silentLogger,
    ),
  };
}

test('a released stream is sent again, a limited number of times, and then the client is told', () => {
  const { consumer, listener } = listening();
  const client = new Client();
  listener.accept(client);
  for (let tries = 1; tries <= 8; tries++) {
    assert.equal(consumer.upstreams.length, tries);
    assert.equal(client.destroyed, undefined);
    assert.ok(client.paused, 'nothing is read before the server answers');
    consumer.upstreams.at(-1)?.update(DeliveryState.released, true, 0, undefined);
  }
  assert.equal(client.destroyed, undefined);
  consumer.upstreams.at(-1)?.update(DeliveryState.released, true, 0, undefined);
  assert.equal(client.destroyed, 'reset');
  assert.equal(consumer.upstreams.length, 9);
  assert.deepEqual([listener.active, listener.failed], [0, 1]);
});

test('a stream that a server may have seen is not sent again', () => {
  const { consumer, listener } = listening();
  const client = new Client();
  listener.accept(client);
  consumer.upstreams[0].update(DeliveryState.modified, true, 0, undefined);
  assert.equal(client.destroyed, 'reset');
  assert.equal(consumer.upstreams.length, 1);
});

test('a client that has gone is not served again', () => {
  const { consumer, listener } = listening();
  const client = new Client();
  listener.accept(client);
  client.handler?.closed(new Error('reset'));
  consumer.upstreams[0].update(DeliveryState.released, true, 0, undefined);
  assert.equal(consumer.upstreams.length, 1);
  assert.equal(listener.active, 0);
});
