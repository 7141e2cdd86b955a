import { Connection } from '../../amqp/connection.ts';
import type { ConnectionHandler } from '../../amqp/connection.ts';
import { Condition, Descriptor } from '../../amqp/constants.ts';
import type { IncomingLink, OutgoingLink } from '../../amqp/link.ts';
import { encodeTerminus } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { SaslClientOptions } from '../../amqp/sasl.ts';
import type { SlabPool } from '../../amqp/transmit-buffer.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { ClientConsumer } from './client-consumer.ts';
import { ClientProducer } from './client-producer.ts';
import { HeldMessages } from './held-messages.ts';
import { clientLimits } from './limits.ts';
import type { Held, LinkOwner, LinkPort } from './link-owner.ts';

/** What a connection to an AMQP server is made with. */
export interface ServerConnectionOptions {
  /** The address of the network. */
  readonly address: string;
  /** The server's node: a queue, a topic. */
  readonly node: string;
  /** `to-server`: the node gets the messages of the address. `from-server`: what the node has is sent to the address. */
  readonly direction: 'to-server' | 'from-server';
  /** Name of the link: the same after each dial, so that a server knows it again. */
  readonly linkName: string;
  readonly containerId: string;
  readonly hostname: string;
  readonly sasl: SaslClientOptions;
  readonly maxFrameSize: number;
  readonly idleTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly slabs: SlabPool;
}

/** What happens to it, for whoever dialled. */
export interface ServerConnectionOwner {
  /** The server has attached the link. */
  ready(): void;
  /** The connection is over: why, if it was not asked for. Called once. */
  ended(error: AmqpError | undefined): void;
}

/**
 * A connection to an AMQP server, such as a broker, with one link between one of its nodes and an address of the network:
 *
 *     to-server      Forwarder ──► ClientConsumer ──► node            from-server     node ──► ClientProducer ──► Forwarder
 *
 * It is offered as a consumer while the server has the link attached. Outcomes are the server's own.
 */
export class ServerConnection implements ConnectionHandler, LinkOwner {
  readonly port: LinkPort;
  readonly connection: Connection;
  gatheredBytes = 0;
  readonly #options: ServerConnectionOptions;
  readonly #owner: ServerConnectionOwner;
  readonly #held: HeldMessages;
  #consumer: ClientConsumer | undefined;
  #producer: ClientProducer | undefined;
  #isWithdrawn = false;
  /** Why the server ended the link; the connection follows. */
  #linkError: AmqpError | undefined;

  constructor(options: ServerConnectionOptions, port: LinkPort, owner: ServerConnectionOwner) {
    this.#options = options;
    this.port = port;
    this.#owner = owner;
    const { containerId, hostname, sasl, maxFrameSize, idleTimeoutMs, handshakeTimeoutMs, slabs } = options;
    this.connection = new Connection(
      {
        client: true,
        containerId,
        hostname,
        sasl: { client: sasl },
        maxFrameSize,
        idleTimeoutMs,
        handshakeTimeoutMs,
        capabilities: [],
        slabs,
        limits: clientLimits,
      },
      this,
    );
    this.#held = new HeldMessages(this.connection);
  }

  /** Messages that the server has and has not settled. */
  get outstanding(): number {
    return this.#consumer?.outstanding ?? 0;
  }

  opened(): void {
    const { address, node, direction, linkName } = this.#options;
    const session = this.connection.openSession();
    if (direction === 'to-server') {
      const link = session.attachOutgoing(linkName, terminus(Descriptor.source, null), terminus(Descriptor.target, node));
      this.#consumer = new ClientConsumer(this, link, false);
      return;
    }
    const link = session.attachIncoming(linkName, terminus(Descriptor.source, node), terminus(Descriptor.target, address));
    this.#producer = new ClientProducer(this, link, address, address);
    this.#producer.routesChanged();
  }

  /** A server has no reason to. */
  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    link.session.refuse(link, { condition: Condition.notAllowed, description: 'links are attached by the router' });
  }

  consumerAttached(consumer: ClientConsumer): void {
    // Without a target the server refuses, and says why in the detach that follows.
    if (consumer.link.target?.address == null || this.#isWithdrawn) return;
    if (consumer.offer(this.#options.address)) this.#attached();
    else this.#end({ condition: Condition.resourceLimitExceeded, description: 'this router offers as many addresses as it can' });
  }

  producerAttached(producer: ClientProducer): void {
    if (producer.link.source?.address != null) this.#attached();
  }

  #attached(): void {
    this.#owner.ready();
  }

  judgeTo(): undefined {
    return undefined;
  }

  producerGone(_producer: ClientProducer, error: AmqpError | undefined): void {
    this.#end(error ?? detached);
  }

  consumerGone(_consumer: ClientConsumer, error: AmqpError | undefined): void {
    this.#end(error ?? detached);
  }

  #end(error: AmqpError): void {
    // The end of the connection ends the link, and says why.
    if (!this.connection.opened) return;
    this.#linkError ??= error;
    this.connection.close();
  }

  hold(message: Held): void {
    this.#held.hold(message);
  }

  release(message: Held): void {
    this.#held.release(message);
  }

  sweep(nowMs: number): void {
    this.#held.sweep(nowMs);
  }

  /** Consumers of the address may have come or gone. */
  routesChanged(): void {
    this.#producer?.routesChanged();
  }

  relieved(): void {
    this.#consumer?.relieved();
  }

  /** Other routers are told that it is gone; who has not heard is served. */
  conceal(): void {
    this.#consumer?.conceal();
  }

  /** Nothing new is taken; what the server has been given goes on. */
  withdraw(): void {
    this.#isWithdrawn = true;
    this.#consumer?.withdraw();
    this.#producer?.stop();
  }

  closed(_connection: Connection, error: AmqpError | undefined): void {
    this.#held.clear();
    this.#owner.ended(this.#linkError ?? error);
  }
}

const detached: AmqpError = { condition: Condition.detachForced, description: 'the server detached the link' };

function terminus(descriptor: typeof Descriptor.source | typeof Descriptor.target, address: string | null): Uint8Array {
  const writer = new ValueWriter(64);
  encodeTerminus(writer, descriptor, address, null);
  return writer.take();
}
