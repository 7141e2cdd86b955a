import { Connection } from '../../amqp/connection.ts';
import type { IncomingDelivery, OutgoingDelivery } from '../../amqp/delivery.ts';
import type { IncomingLink, OutgoingLink } from '../../amqp/link.ts';
import { DeliveryState, encodeTerminus } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { Descriptor } from '../../amqp/constants.ts';
import type { Session } from '../../amqp/session.ts';
import { SlabPool } from '../../amqp/transmit-buffer.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { silentLogger } from '../../base/log.ts';
import { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { RoutingEngine } from '../../routing/engine.ts';
import { SeededRandom } from '../../sim/seeded-random.ts';
import { connectionOptions, drainBytes, RecordingHandler } from '../../../test/fuzz/connection-pair.ts';
import { AddressRights } from './address-rights.ts';
import { ClientConnection } from './client-connection.ts';
import { ClientCounters } from './client-port.ts';

/** What the tests of AMQP clients share: a client and a router's end of its connection, back to back in memory. */

/** A consumer of a service that keeps what it gets and leaves the outcomes to the test. */
export class TestConsumer implements Consumer {
  readonly legs: TestLeg[] = [];

  get outstanding(): number {
    return this.legs.filter(({ isOver }) => !isOver).length;
  }

  deliver(head: MessageHead, upstream: Upstream, _origin: string, preSettled: boolean): Downstream {
    const leg = new TestLeg(head, upstream, preSettled);
    this.legs.push(leg);
    return leg;
  }
}

export class TestLeg implements Downstream {
  readonly head: MessageHead;
  readonly upstream: Upstream;
  readonly preSettled: boolean;
  readonly overloaded = false;
  congested = false;
  bytes = 0;
  isComplete = false;
  isAborted = false;
  isForgotten = false;
  isOver = false;

  constructor(head: MessageHead, upstream: Upstream, preSettled: boolean) {
    this.head = head;
    this.upstream = upstream;
    this.preSettled = preSettled;
  }

  send(_bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.bytes += end - start;
    this.isComplete = !more;
  }

  abort(): void {
    this.isAborted = true;
    this.isOver = true;
  }

  forget(): void {
    this.isForgotten = true;
  }

  acknowledge(): void {
    this.upstream.update(DeliveryState.received, false, this.bytes, undefined);
  }

  settle(state: DeliveryState, error?: AmqpError): void {
    this.isOver = true;
    this.upstream.update(state, true, 0, error);
  }
}

/** What became of a message that somebody sent. */
export interface Outcome {
  readonly state: DeliveryState;
  readonly condition: string | undefined;
}

/** A message that the client sends. */
export class SentMessage {
  readonly delivery: OutgoingDelivery;
  outcome: Outcome | undefined;
  isLost = false;

  constructor(link: OutgoingLink, preSettled = false) {
    this.delivery = link.deliver(preSettled, {
      disposition: (_delivery, state, settled, _offset, error) => {
        if (settled) this.outcome = { state, condition: error?.condition };
      },
      lost: () => (this.isLost = true),
    });
  }
}

/** Keeps what comes, to settle it later. */
class ReceivingHandler extends RecordingHandler {
  readonly deliveries: IncomingDelivery[] = [];

  override transfer(...parameters: Parameters<RecordingHandler['transfer']>): void {
    const [delivery] = parameters;
    if (this.deliveries.at(-1) !== delivery) this.deliveries.push(delivery);
    super.transfer(...parameters);
  }
}

export class TestClient {
  nowMs = 0;
  readonly forwarder: Forwarder;
  readonly router: ClientConnection;
  readonly handler = new ReceivingHandler();
  readonly connection: Connection;
  readonly counters = new ClientCounters();
  #session: Session | undefined;
  #links = 0;

  constructor() {
    const { table } = new RoutingEngine({ routerId: 'r', instance: 1 });
    const random = new SeededRandom(1);
    this.forwarder = new Forwarder(table, { localAddress: () => undefined, localAddressGone: () => undefined }, () => undefined, random);
    this.router = new ClientConnection(
      {
        forwarder: this.forwarder,
        rights: new AddressRights('r', ['q', 'other']),
        clock: { nowMs: () => this.nowMs, wallMs: () => this.nowMs },
        random,
        log: silentLogger,
        slabs: new SlabPool(),
        containerId: 'r',
        version: '0',
        maxFrameSize: 65_536,
        idleTimeoutMs: 16_000,
        handshakeTimeoutMs: 5000,
        linkWindow: 250,
        counters: this.counters,
        sasl: () => ({ mechanisms: ['ANONYMOUS'], externallyAuthenticated: false }),
      },
      false,
    );
    const sasl = { client: { mechanisms: ['ANONYMOUS'] } } as const;
    this.connection = new Connection(connectionOptions(true, { sasl, maxFrameSize: 65_536 }), this.handler);
    this.connection.start(0);
    this.router.connection.start(0);
    this.pump();
  }

  /** Moves octets both ways until there are none. */
  pump(): void {
    for (let moved = true; moved;) {
      moved = this.#move(this.connection, this.router.connection);
      moved = this.#move(this.router.connection, this.connection) || moved;
    }
  }

  #move(from: Connection, to: Connection): boolean {
    const bytes = drainBytes(from);
    if (bytes.length > 0) to.receive(bytes, this.nowMs);
    return bytes.length > 0;
  }

  get session(): Session {
    return (this.#session ??= this.connection.openSession());
  }

  /** A link on which the client sends to an address; null: each message says where it goes. */
  sender(address: string | null): OutgoingLink {
    const link = this.session.attachOutgoing(`sender${++this.#links}`, terminus('source', null), terminus('target', address));
    this.pump();
    return link;
  }

  /** A link on which the client receives from an address; what comes is in `handler`. */
  receiver(address: string, credit: number): IncomingLink {
    const link = this.session.attachIncoming(`receiver${++this.#links}`, terminus('source', address), terminus('target', null));
    link.sink = this.handler;
    link.handler = this.handler;
    this.pump();
    if (credit > 0) link.grant(credit);
    this.pump();
    return link;
  }

  /** The connection breaks. */
  cut(): void {
    this.router.connection.lost('the peer closed the connection');
  }
}

function terminus(kind: 'source' | 'target', address: string | null): Uint8Array {
  const writer = new ValueWriter(64);
  encodeTerminus(writer, kind === 'source' ? Descriptor.source : Descriptor.target, address, null);
  return writer.take();
}

/** A message with a body of so many octets. */
export function messageOf(to: string | null, bodyBytes: number): Uint8Array {
  const writer = new ValueWriter(64 + bodyBytes);
  writer.descriptor(Descriptor.properties);
  writer.list();
  writer.null();
  writer.null();
  if (to === null) writer.null();
  else writer.string(to);
  writer.end(3);
  writer.descriptor(Descriptor.data);
  writer.binary(new Uint8Array(bodyBytes));
  return writer.take();
}
