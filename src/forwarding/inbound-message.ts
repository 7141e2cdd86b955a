import { ProtocolViolation } from '../base/errors.ts';
import { Condition } from '../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../amqp/delivery.ts';
import { DeliveryState } from '../amqp/performatives.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { Forwarder } from './forwarder.ts';
import type { Downstream, Upstream } from './leg.ts';
import { decodeHead } from './message-head.ts';
import type { MessageHead } from './message-head.ts';
import type { Neighbour } from './neighbour.ts';
import { AnnotationFlag } from './router-annotations.ts';

/** Sections before the body; real ones are below 1 KiB. */
export const maxHeadBytes = 65_536;
/** A message that is not a stream is forwarded whole, so that it does not hold a shared link; beyond this it is treated as a stream. */
export const maxWholeBytes = 262_144;

/** A message that arrived from a neighbour, from its first frame to its settlement. */
export class InboundMessage implements DeliverySink, Upstream {
  readonly #forwarder: Forwarder;
  readonly #neighbour: Neighbour;
  readonly #delivery: IncomingDelivery;
  #downstream: Downstream | undefined;
  /** What has arrived before the message could be routed. */
  #held: Uint8Array | undefined;
  #nextAttempt = 0;
  #head: MessageHead | undefined;
  /** Routed to nowhere, or refused: what still comes is dropped. */
  #dropped = false;

  constructor(forwarder: Forwarder, neighbour: Neighbour, delivery: IncomingDelivery) {
    this.#forwarder = forwarder;
    this.#neighbour = neighbour;
    this.#delivery = delivery;
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const downstream = this.#downstream;
    if (downstream !== undefined) {
      downstream.send(bytes, start, end, more);
      if (downstream.congested) this.#neighbour.connection.withholdWindow = true;
      return;
    }
    if (this.#dropped) return;
    this.#hold(bytes, start, end);
    const held = this.#held as Uint8Array;
    if (this.#head === undefined && (held.length >= this.#nextAttempt || !more)) this.#readHead(held, more);
    const head = this.#head;
    if (head === undefined) return;
    const streaming = (head.annotations.flags & AnnotationFlag.streaming) !== 0;
    if (more && !streaming && held.length < maxWholeBytes) return;
    this.#held = undefined;
    delivery.link.replenish();
    const routed = this.#forwarder.forward(head, more, delivery.preSettled, this.#neighbour, this);
    if (typeof routed === 'number') {
      this.#drop(routed);
      return;
    }
    this.#downstream = routed;
    routed.send(held, head.annotationsEnd, held.length, more);
  }

  /** Keeps the first frame as a view of its chunk: most heads come in one. */
  #hold(bytes: Uint8Array, start: number, end: number): void {
    const held = this.#held;
    if (held === undefined) {
      this.#held = bytes.subarray(start, end);
      return;
    }
    const joined = new Uint8Array(held.length + end - start);
    joined.set(held);
    joined.set(bytes.subarray(start, end), held.length);
    this.#held = joined;
  }

  #readHead(held: Uint8Array, more: boolean): void {
    const reader = new ValueReader(held);
    try {
      this.#head = decodeHead(reader);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      if (more && held.length < maxHeadBytes) {
        this.#nextAttempt = held.length * 2;
        return;
      }
      this.#delivery.link.replenish();
      this.#drop(DeliveryState.rejected, { condition: error.condition, description: error.message });
    }
  }

  #drop(state: DeliveryState, error?: AmqpError): void {
    this.#dropped = true;
    this.#held = undefined;
    const reason =
      state === DeliveryState.rejected && error === undefined
        ? { condition: Condition.preconditionFailed, description: 'Routing failure: no address present' }
        : error;
    this.#delivery.update(state, true, 0, reason);
  }

  aborted(): void {
    this.#held = undefined;
    this.#dropped = true;
    this.#downstream?.abort();
    this.#downstream = undefined;
  }

  senderSettled(): void {
    this.#downstream?.forget();
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    this.#delivery.update(state, settled, sectionOffset, error);
    if (!settled) return;
    this.#downstream = undefined;
    this.#dropped = true;
  }

  relieved(): void {
    this.#neighbour.connection.renewWindows();
  }
}
