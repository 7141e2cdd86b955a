import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Connection } from '../../amqp/connection.ts';
import type { IncomingLink, OutgoingLink } from '../../amqp/link.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { SlabPool } from '../../amqp/transmit-buffer.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { RoutingEngine } from '../../routing/engine.ts';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { RecordingHandler, connectionOptions, drainBytes } from '../../../test/fuzz/connection-pair.ts';
import { SentMessage, TestConsumer, messageOf } from './client-fixtures.test.ts';
import { ClientCounters } from './client-port.ts';
import { ServerConnection } from './server-connection.ts';

/** A broker: takes what comes to its nodes, but those that are refused. */
class Broker extends RecordingHandler {
  refusal: AmqpError | undefined;

  override linkOffered(connection: Connection, link: IncomingLink | OutgoingLink): void {
    if (this.refusal === undefined) super.linkOffered(connection, link);
    else link.session.refuse(link, this.refusal);
  }
}

/** A router's connection to an AMQP server, and the server, back to back in memory. */
class TestServer {
  readonly broker = new Broker();
  readonly forwarder: Forwarder;
  readonly router: ServerConnection;
  readonly server: Connection;
  readyCount = 0;
  readonly ends: (AmqpError | undefined)[] = [];

  constructor(direction: 'to-server' | 'from-server', refusal?: AmqpError, password = 'secret') {
    this.broker.refusal = refusal;
    const { table } = new RoutingEngine({ routerId: 'r', instance: 1 });
    const handler = { localAddress: (): void => {}, localAddressGone: (): void => {} };
    this.forwarder = new Forwarder(table, handler, () => undefined, new SeededRandom(1));
    const clock = { nowMs: () => 0, wallMs: () => 0 };
    this.router = new ServerConnection(
      {
        address: 'q',
        node: 'far-q',
        direction,
        linkName: 'link',
        containerId: 'r',
        hostname: 'broker',
        sasl: { mechanisms: ['PLAIN'], username: 'van', password },
        maxFrameSize: 65_536,
        idleTimeoutMs: 16_000,
        handshakeTimeoutMs: 5000,
        slabs: new SlabPool(),
      },
      { forwarder: this.forwarder, clock, counters: new ClientCounters(), linkWindow: 10 },
      { ready: () => this.readyCount++, ended: (error) => void this.ends.push(error) },
    );
    const sasl = {
      server: {
        mechanisms: ['PLAIN'],
        externallyAuthenticated: false,
        verifyPlain: (user: string, given: string): boolean => user === 'van' && given === 'secret',
      },
    } as const;
    this.server = new Connection(connectionOptions(false, { sasl, maxFrameSize: 65_536 }), this.broker);
    this.server.start(0);
    this.router.connection.start(0);
    this.pump();
  }

  pump(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const [from, to] of [
        [this.server, this.router.connection],
        [this.router.connection, this.server],
      ] as const) {
        const bytes = drainBytes(from);
        if (bytes.length === 0) continue;
        moved = true;
        to.receive(bytes, 0);
      }
    }
  }

  /** Sends a message to the address; its outcomes. */
  produce(bodyBytes: number): DeliveryState[] {
    const outcomes: DeliveryState[] = [];
    const upstream: Upstream = {
      update: (state, settled) => {
        if (settled) outcomes.push(state);
      },
      relieved: () => {},
    };
    const bytes = messageOf('q', bodyBytes);
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
    const routed: Downstream | DeliveryState = this.forwarder.forward(head, false, false, undefined, upstream);
    if (typeof routed === 'number') outcomes.push(routed);
    else routed.send(bytes, 0, bytes.length, false);
    this.pump();
    return outcomes;
  }

  /** The link as the server has it. */
  link(): IncomingLink | OutgoingLink {
    const [link] = this.broker.links;
    assert.ok(link !== undefined);
    return link;
  }
}

test('to-server: the node is a consumer of the address while its link is attached, and its outcomes are what producers hear', () => {
  const { accepted, rejected, released, modified } = DeliveryState;
  const test = new TestServer('to-server');
  assert.deepEqual([test.readyCount, test.forwarder.localConsumers('q')], [1, 1]);
  assert.equal(test.link().target?.address, 'far-q');
  for (const state of [accepted, rejected, released, modified]) {
    test.broker.outcome = state;
    assert.deepEqual(test.produce(100), [state]);
  }
  assert.deepEqual(
    test.broker.messages,
    Array.from({ length: 4 }, () => messageOf('q', 100)),
  );
  assert.equal(test.router.outstanding, 0);
});

test('to-server: what the server has and has not settled is counted; withdrawn, it gets nothing new and settles what it has', () => {
  const test = new TestServer('to-server');
  test.broker.settle = false;
  const deliveries: { update(state: DeliveryState, settled: boolean): void }[] = [];
  const link = test.link();
  assert.ok(link.receiver);
  const { broker } = test;
  link.sink = {
    transfer: (delivery) => void deliveries.push(delivery),
    aborted: () => {},
    senderSettled: () => {},
  };
  const outcomes = test.produce(10);
  assert.deepEqual([test.router.outstanding, outcomes], [1, []]);
  test.router.withdraw();
  assert.deepEqual([test.forwarder.localConsumers('q'), test.produce(10)], [0, [DeliveryState.released]]);
  deliveries[0].update(DeliveryState.accepted, true);
  test.pump();
  assert.deepEqual([test.router.outstanding, outcomes, broker.messages.length], [0, [DeliveryState.accepted], 0]);
});

test('from-server: what the node has goes to the address while somebody consumes it, and the server hears the outcome', () => {
  const test = new TestServer('from-server');
  const link = test.link();
  assert.ok(!link.receiver);
  assert.deepEqual([test.readyCount, link.source?.address, link.credit], [1, 'far-q', 0]);
  const consumer = new TestConsumer();
  test.forwarder.addConsumer('q', consumer);
  test.router.routesChanged();
  test.pump();
  assert.equal(link.credit, 10);
  const sent = new SentMessage(link);
  const bytes = messageOf(null, 500);
  sent.delivery.send(bytes, 0, bytes.length, false);
  test.pump();
  assert.deepEqual([consumer.legs.length, consumer.legs[0].bytes, link.credit], [1, bytes.length, 9]);
  consumer.legs[0].settle(DeliveryState.rejected, { condition: 'shop:sold-out', description: '' });
  test.pump();
  assert.deepEqual(sent.outcome, { state: DeliveryState.rejected, condition: 'shop:sold-out' });
  test.forwarder.removeConsumer('q', consumer);
  test.router.routesChanged();
  test.pump();
  assert.equal(link.credit, 0);
});

for (const direction of ['to-server', 'from-server'] as const) {
  test(`${direction}: a node that is refused, or taken away later, ends the connection with the server's reason`, () => {
    const refusal = { condition: 'amqp:not-found', description: 'there is no far-q' };
    const refused = new TestServer(direction, refusal);
    assert.deepEqual([refused.readyCount, refused.forwarder.localConsumers('q')], [0, 0]);
    assert.deepEqual(
      refused.ends.map((error) => error?.condition),
      ['amqp:not-found'],
    );
    const deleted = new TestServer(direction);
    deleted.link().detach({ condition: 'amqp:resource-deleted', description: 'far-q is gone' });
    deleted.pump();
    assert.deepEqual(
      deleted.ends.map((error) => error?.condition),
      ['amqp:resource-deleted'],
    );
    assert.equal(deleted.forwarder.localConsumers('q'), 0);
  });
}

test('a connection that is lost gives back what the server may have seen, and offers it no more', () => {
  const test = new TestServer('to-server');
  test.broker.settle = false;
  const outcomes = test.produce(10);
  test.router.connection.lost('the peer closed the connection');
  assert.deepEqual([outcomes, test.ends.length, test.forwarder.localConsumers('q')], [[DeliveryState.modified], 1, 0]);
});

test('a wrong password ends the connection before anything is offered', () => {
  const test = new TestServer('to-server', undefined, 'wrong');
  assert.deepEqual([test.readyCount, test.ends.length, test.broker.links.length, test.forwarder.localConsumers('q')], [0, 1, 0, 0]);
});

test('a server that attaches links of its own is refused, and the node stays', () => {
  const test = new TestServer('to-server');
  const own = test.link().session.attachOutgoing('own', new Uint8Array([0x40]), new Uint8Array([0x40]));
  own.handler = {
    attached: () => {},
    detached: (_link, error) => void test.broker.detachErrors.push(error),
    flow: () => {},
  };
  test.pump();
  assert.deepEqual(
    test.broker.detachErrors.map((error) => error?.condition),
    ['amqp:not-allowed'],
  );
  assert.deepEqual([test.forwarder.localConsumers('q'), test.ends], [1, []]);
});
