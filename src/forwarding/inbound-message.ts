import { ProtocolViolation } from '../base/errors.ts';
import { Condition } from '../amqp/constants.ts';
import type { DeliverySink, IncomingDelivery } from '../amqp/delivery.ts';
import { DeliveryState } from '../amqp/performatives.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import type { UnsettledEnd } from './delivery-counters.ts';
import type { Forwarder } from './forwarder.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import { HeadScanner } from './head-scanner.ts';
import type { Downstream, Upstream } from './leg.ts';
import { decodeHead } from './message-head.ts';
import type { MessageHead } from './message-head.ts';
import type { Neighbour } from './neighbour.ts';
import { AnnotationFlag } from './router-annotations.ts';

/** A message that is not a stream is forwarded whole, so that it does not hold a shared link; beyond this it is treated as a stream. */
export const maxWholeBytes = 262_144;
/** Bytes of messages of one neighbour that cannot be routed yet; a message beyond it is refused. 256 of the largest. */
export const maxHeldBytes = 67_108_864;

/** A message that arrived from a neighbour, from its first frame to its settlement. */
export class InboundMessage implements DeliverySink, Upstream {
  readonly #forwarder: Forwarder;
  readonly #neighbour: Neighbour;
  readonly #delivery: IncomingDelivery;
  #downstream: Downstream | undefined;
  /** What has arrived while the message could not be routed. */
  #held: GatheredBytes | undefined;
  #scanner: HeadScanner | undefined;
  #head: MessageHead | undefined;
  /** Neither awaited nor wanted any more: settled, aborted, or routed to nowhere. What still comes is dropped. */
  #over = false;
  #replenished = false;
  #complete = false;
  #counted = false;

  constructor(forwarder: Forwarder, neighbour: Neighbour, delivery: IncomingDelivery) {
    this.#forwarder = forwarder;
    this.#neighbour = neighbour;
    this.#delivery = delivery;
    forwarder.incoming.begin();
  }

  /** Counts the end of the message, which may be told more than once. */
  #count(outcome: DeliveryState | UnsettledEnd): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#forwarder.incoming.end(outcome);
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#pass(bytes, start, end, more);
    if (more) return;
    this.#complete = true;
    if (delivery.settled) this.#count('forgotten');
  }

  #pass(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const downstream = this.#downstream;
    if (downstream !== undefined) {
      downstream.send(bytes, start, end, more);
      if (downstream.overloaded) this.#neighbour.connection.withholdWindow = true;
      return;
    }
    if (this.#over) return;
    const held = this.#held;
    if (held === undefined) {
      // Most messages can be routed by their first frame: then nothing is copied.
      if (this.#route(bytes, start, end, more) || !this.#mayHold(end - start)) return;
      this.#held = new GatheredBytes();
      this.#held.add(bytes, start, end);
    } else if (this.#mayHold(end - start)) {
      held.add(bytes, start, end);
      if (this.#route(held.bytes, 0, held.length, more)) this.#dropHeld();
    }
  }

  #mayHold(bytes: number): boolean {
    if (this.#neighbour.heldBytes + bytes <= maxHeldBytes) {
      this.#neighbour.heldBytes += bytes;
      return true;
    }
    this.#refuse(DeliveryState.rejected, {
      condition: Condition.resourceLimitExceeded,
      description: `unfinished messages of more than ${maxHeldBytes} bytes`,
    });
    return false;
  }

  #dropHeld(): void {
    this.#neighbour.heldBytes -= this.#held?.length ?? 0;
    this.#held = undefined;
    this.#scanner = undefined;
  }

  /** Sends on what has arrived, if that tells where to. True when the message need not be held. */
  #route(bytes: Uint8Array, start: number, end: number, more: boolean): boolean {
    const head = (this.#head ??= this.#readHead(bytes, start, end, more));
    if (head === undefined) return this.#over;
    const streaming = (head.annotations.flags & AnnotationFlag.streaming) !== 0;
    if (more && !streaming && end - start < maxWholeBytes) return false;
    this.#replenish();
    const routed = this.#forwarder.forward(head, more, this.#delivery.settled, this.#neighbour, this);
    if (typeof routed === 'number') {
      this.#refuse(routed, routed === DeliveryState.rejected ? rejection(head) : undefined);
      return true;
    }
    this.#downstream = routed;
    routed.send(bytes, start + head.annotationsEnd, end, more);
    return true;
  }

  #readHead(bytes: Uint8Array, start: number, end: number, more: boolean): MessageHead | undefined {
    try {
      // What is gathered starts at 0.
      if (this.#scanner !== undefined && more && !this.#scanner.reachesBody(bytes.subarray(0, end))) return undefined;
      const { headReader, keptAnnotations } = this.#neighbour;
      headReader.reset(bytes, start, end);
      return decodeHead(headReader, keptAnnotations, !more);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      return this.#judge(bytes.subarray(start, end), more, error);
    }
  }

  /** The head cannot be read: is it cut short, or wrong? */
  #judge(arrived: Uint8Array, more: boolean, error: ProtocolViolation): undefined {
    let violation = error;
    if (more && this.#scanner === undefined) {
      this.#scanner = new HeadScanner();
      try {
        if (!this.#scanner.reachesBody(arrived)) return;
      } catch (reason) {
        if (!(reason instanceof ProtocolViolation)) throw reason;
        violation = reason;
      }
    }
    this.#refuse(DeliveryState.rejected, { condition: violation.condition, description: violation.message });
  }

  #refuse(state: DeliveryState, error: AmqpError | undefined): void {
    this.#over = true;
    this.#dropHeld();
    this.#replenish();
    this.#delivery.update(state, true, 0, error);
  }

  /** Once for each message its credit goes back to the sender. */
  #replenish(): void {
    if (this.#replenished) return;
    this.#replenished = true;
    this.#delivery.link.replenish();
  }

  aborted(): void {
    this.#over = true;
    this.#count('aborted');
    this.#dropHeld();
    this.#replenish();
    const downstream = this.#downstream;
    this.#downstream = undefined;
    downstream?.abort();
  }

  senderSettled(): void {
    if (this.#complete) this.#count('forgotten');
    this.#downstream?.forget();
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined, mayWait?: boolean): void {
    this.#delivery.update(state, settled, sectionOffset, error, mayWait);
    if (!settled) return;
    this.#count(state);
    this.#downstream = undefined;
    this.#over = true;
  }

  relieved(): void {
    this.#neighbour.connection.renewWindows();
  }
}

/** Why a message goes nowhere for good. */
function rejection({ to, annotations }: MessageHead): AmqpError {
  if ((annotations.toOverride ?? to) === null) {
    return { condition: Condition.preconditionFailed, description: 'Routing failure: no address present' };
  }
  return { condition: Condition.unauthorizedAccess, description: 'the router that the message came from may not send to this address' };
}
