import { Connection } from '../../amqp/connection.ts';
import type { ConnectionHandler } from '../../amqp/connection.ts';
import { Condition, Descriptor } from '../../amqp/constants.ts';
import type { IncomingLink, OutgoingLink } from '../../amqp/link.ts';
import { encodeTerminus } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { ValueWriter } from '../../amqp/value-writer.ts';
import { ClientConsumer } from './client-consumer.ts';
import type { ClientPort } from './client-port.ts';
import { ClientProducer } from './client-producer.ts';
import { HeldMessages } from './held-messages.ts';
import { clientLimits } from './limits.ts';
import type { Held, LinkOwner } from './link-owner.ts';

/** Receiver settle mode `second`, §2.8.3. */
const second = 1;
/** Sender settle modes, §2.8.2. */
const sendsSettled = 1;

/**
 * One client of a router: what it sends on its links goes to addresses of the network, and on links that it receives on it is a consumer.
 *
 *     target address    ClientProducer ──► Forwarder        source address    ClientConsumer ◄── Forwarder
 *     target null       each message's `to` says            source dynamic    an address made for answers
 */
export class ClientConnection implements ConnectionHandler, LinkOwner {
  readonly port: ClientPort;
  readonly connection: Connection;
  /** Told when the connection is over. */
  ended: ((error: AmqpError | undefined) => void) | undefined;
  /** Octets of messages that are not complete and not sent on. */
  gatheredBytes = 0;
  readonly #producers = new Set<ClientProducer>();
  readonly #consumers = new Set<ClientConsumer>();
  readonly #held: HeldMessages;
  readonly #writer = new ValueWriter(256);

  /** `authenticated`: TLS has verified a certificate of the client. */
  constructor(port: ClientPort, authenticated: boolean) {
    this.port = port;
    const sasl = port.sasl(authenticated);
    this.connection = new Connection(
      {
        client: false,
        containerId: port.containerId,
        hostname: null,
        sasl: { server: sasl },
        saslOptional: sasl.mechanisms.includes('ANONYMOUS'),
        maxFrameSize: port.maxFrameSize,
        idleTimeoutMs: port.idleTimeoutMs,
        handshakeTimeoutMs: port.handshakeTimeoutMs,
        capabilities: ['ANONYMOUS-RELAY'],
        writeProperties: (writer): void => {
          writer.map();
          writer.symbol('product');
          writer.string('caravan');
          writer.symbol('version');
          writer.string(port.version);
          writer.end(4);
        },
        slabs: port.slabs,
        limits: clientLimits,
      },
      this,
    );
    this.#held = new HeldMessages(this.connection);
  }

  /** Links that the client has. */
  get links(): number {
    return this.#producers.size + this.#consumers.size;
  }

  opened(): void {}

  linkOffered(_connection: Connection, link: IncomingLink | OutgoingLink): void {
    const error = link.receiver ? this.#offeredProducer(link) : this.#offeredConsumer(link);
    if (error !== undefined) link.session.refuse(link, error);
  }

  /** The client will send. */
  #offeredProducer(link: IncomingLink): AmqpError | undefined {
    const { target } = link;
    if (target?.coordinator === true) {
      return { condition: Condition.notImplemented, description: 'transactions end at the border of a network: there is no coordinator' };
    }
    if (target?.dynamic === true) {
      return { condition: Condition.notImplemented, description: 'a sender cannot ask for an address to be made; a receiver can' };
    }
    const address = target?.address ?? null;
    const judged = address === null ? null : this.#judge(address);
    if (judged !== null && typeof judged === 'object') return judged;
    const producer = new ClientProducer(this, link, address, judged);
    this.#producers.add(producer);
    link.session.accept(link, undefined, undefined, { sendSettleMode: link.remote?.sendSettleMode ?? 2 });
    producer.routesChanged();
    return undefined;
  }

  /** The client will receive. */
  #offeredConsumer(link: OutgoingLink): AmqpError | undefined {
    const { source, remote } = link;
    const settlesAtOnce = remote?.sendSettleMode === sendsSettled;
    const consumer = new ClientConsumer(this, link, settlesAtOnce);
    let { address = null } = source ?? {};
    if (source?.dynamic === true) address = consumer.makeTemporary();
    else {
      if (address === null)
        return { condition: Condition.invalidField, description: 'a receiver names a source address, or asks for a dynamic one' };
      const judged = this.#judge(address);
      if (judged !== null && typeof judged === 'object') return judged;
      if (judged === null)
        return { condition: Condition.notAllowed, description: 'an address for answers has one receiver: the one that it was made for' };
      if (!consumer.offer(judged)) {
        return { condition: Condition.resourceLimitExceeded, description: 'this router has as many addresses with consumers as it can' };
      }
    }
    this.#consumers.add(consumer);
    const writer = this.#writer;
    writer.reset();
    // What the answer does not repeat is not in effect: filters, durability, copies.
    encodeTerminus(writer, Descriptor.source, address, source?.capabilities[0] ?? null, source?.dynamic === true);
    const receiveSettleMode = remote?.receiveSettleMode === second ? second : 0;
    link.session.accept(link, writer.take(), undefined, { sendSettleMode: settlesAtOnce ? sendsSettled : 2, receiveSettleMode });
    return undefined;
  }

  /** The service address that is meant, null for an address for answers, or why it may not be used. */
  #judge(address: string): string | null | AmqpError {
    const { forwarder, rights } = this.port;
    const judged = rights.judge(address);
    if (judged.kind === 'refused') return { condition: Condition.unauthorizedAccess, description: judged.reason };
    if (judged.kind === 'temporary') return null;
    const { name } = judged;
    if (forwarder.isUnavailable(name)) {
      return { condition: Condition.notFound, description: 'the address is configured to be unavailable' };
    }
    return name;
  }

  /** A message without link address: whether it may go where its `to` says. */
  judgeTo(address: string): AmqpError | undefined {
    const judged = this.#judge(address);
    return judged !== null && typeof judged === 'object' ? judged : undefined;
  }

  consumerAttached(): void {}

  producerAttached(): void {}

  producerGone(producer: ClientProducer): void {
    this.#producers.delete(producer);
  }

  consumerGone(consumer: ClientConsumer): void {
    this.#consumers.delete(consumer);
  }

  // ---- the pace of the client ----

  /** The client may send no more until `release`. */
  hold(message: Held): void {
    this.#held.hold(message);
  }

  release(message: Held): void {
    this.#held.release(message);
  }

  /** Consumers may have come or gone. */
  routesChanged(): void {
    for (const producer of this.#producers) producer.routesChanged();
  }

  sweep(nowMs: number): void {
    this.#held.sweep(nowMs);
  }

  relieved(): void {
    for (const consumer of this.#consumers) consumer.relieved();
  }

  /** Takes the consumers out of the network; what they have been given goes on. */
  withdraw(): void {
    for (const consumer of this.#consumers) consumer.withdraw();
  }

  conceal(): void {
    for (const consumer of this.#consumers) consumer.conceal();
  }

  closed(_connection: Connection, error: AmqpError | undefined): void {
    this.#held.clear();
    this.ended?.(error);
  }
}
