import { ProtocolViolation } from '../../base/errors.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import { GatheredBytes } from '../../forwarding/gathered-bytes.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { decodeEvent, maxEventBytes } from './event-message.ts';
import type { EventMessage } from './event-message.ts';
import { sendReceipt } from './receipts.ts';

/** Octets of messages that have not come whole, of one consumer: a few of the longest. */
export const maxGatheredBytes = 4_194_304;

/** Takes whole messages of an address. */
export class EventConsumer implements Consumer {
  readonly #forwarder: Forwarder;
  readonly #take: (message: EventMessage) => boolean;
  readonly #legs = new Set<EventLeg>();
  /** Octets of messages that have not come whole. */
  gatheredBytes = 0;

  /** `take` gets each message, and returns false when it cannot have it: then it goes to somebody else, if anybody. */
  constructor(forwarder: Forwarder, take: (message: EventMessage) => boolean) {
    this.#forwarder = forwarder;
    this.#take = take;
  }

  get outstanding(): number {
    return this.#legs.size;
  }

  deliver(_head: MessageHead, upstream: Upstream): Downstream {
    const leg = new EventLeg(this, upstream);
    this.#legs.add(leg);
    return leg;
  }

  ended(leg: EventLeg): void {
    this.#legs.delete(leg);
  }

  /** Gives a whole message on; false when it was not taken. Throws ProtocolViolation when it is none. */
  take(bytes: Uint8Array): boolean {
    const message = decodeEvent(bytes);
    if (!this.#take(message)) return false;
    sendReceipt(this.#forwarder, message);
    return true;
  }

  /** Messages that have not come whole go to somebody else. */
  stop(): void {
    for (const leg of [...this.#legs]) leg.release();
  }
}

/** One message on its way to the consumer. */
class EventLeg implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #consumer: EventConsumer;
  readonly #gathered = new GatheredBytes();
  #upstream: Upstream | undefined;

  constructor(consumer: EventConsumer, upstream: Upstream) {
    this.#consumer = consumer;
    this.#upstream = upstream;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#upstream === undefined) return;
    const length = end - start;
    if (this.#gathered.length + length > maxEventBytes || this.#consumer.gatheredBytes + length > maxGatheredBytes) {
      this.#settle(DeliveryState.rejected, {
        condition: 'amqp:link:message-size-exceeded',
        description: `subscribers take messages of up to ${maxEventBytes} bytes`,
      });
      return;
    }
    this.#consumer.gatheredBytes += length;
    this.#gathered.add(bytes, start, end);
    if (more) return;
    try {
      const isTaken = this.#consumer.take(this.#gathered.bytes);
      this.#settle(isTaken ? DeliveryState.accepted : DeliveryState.released, undefined);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#settle(DeliveryState.rejected, { condition: error.condition, description: error.message });
    }
  }

  #settle(state: DeliveryState, error: AmqpError | undefined): void {
    const upstream = this.#upstream;
    this.#end();
    upstream?.update(state, true, 0, error);
  }

  #end(): void {
    this.#upstream = undefined;
    this.#consumer.gatheredBytes -= this.#gathered.length;
    this.#consumer.ended(this);
  }

  release(): void {
    this.#settle(DeliveryState.released, undefined);
  }

  abort(): void {
    if (this.#upstream !== undefined) this.#end();
  }

  forget(): void {}
}
