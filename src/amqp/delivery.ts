import type { Fifo } from './fifo.ts';
import type { IncomingLink, OutgoingLink } from './link.ts';
import type { Piece } from './outgoing-link.ts';
import { DeliveryState } from './performatives.ts';
import type { AmqpError } from './performatives.ts';

/**
 * Receives the frames of incoming deliveries: one call per transfer frame, in the order of the wire.
 *
 * Ownership: `bytes` is a chunk as it came from the socket (or a frame put together from two chunks). It is never written again, so a
 * sink may keep a view of `bytes[start, end)`; a kept view keeps its whole chunk (up to one frame or one socket read) alive.
 */
export interface DeliverySink {
  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void;
  /**
   * The delivery will not be completed: aborted by its sender, or its link, session or connection ended. It needs no settlement, but
   * `link.replenish`, unless that was called for it before.
   */
  aborted(delivery: IncomingDelivery): void;
  /** The sender settled the delivery, so that no outcome can be told any more. */
  senderSettled(delivery: IncomingDelivery): void;
}

/** Hears what becomes of an outgoing delivery. */
export interface DeliverySource {
  /** The receiver's state changed. `state` may be `none`, when it only settled. */
  disposition(
    delivery: OutgoingDelivery,
    state: DeliveryState,
    settled: boolean,
    sectionOffset: number,
    error: AmqpError | undefined,
  ): void;
  /** The link, session or connection ended before the receiver settled, or before all of a pre-settled delivery was written. */
  lost(delivery: OutgoingDelivery): void;
}

/** A message on its way in. */
export class IncomingDelivery {
  readonly link: IncomingLink;
  readonly id: number;
  /** Settled by the sender: no outcome may be sent. */
  readonly preSettled: boolean;
  /** Gets the next frames; set by whoever took the delivery when its first frame arrived. */
  sink: DeliverySink;
  settled: boolean;
  /** All frames have arrived. */
  complete = false;
  /** Neighbours in the link's list of unsettled deliveries. */
  previous: IncomingDelivery | undefined = undefined;
  next: IncomingDelivery | undefined = undefined;

  constructor(link: IncomingLink, id: number, preSettled: boolean, sink: DeliverySink) {
    this.link = link;
    this.id = id;
    this.preSettled = preSettled;
    this.settled = preSettled;
    this.sink = sink;
  }

  /**
   * Tells the sender a state; `settled` ends the delivery here. Nothing is sent for a delivery that is settled already. With `mayWait` an
   * acceptance goes with what is sent next, or `mayWaitMs` later.
   */
  update(state: DeliveryState, settled: boolean, sectionOffset = 0, error?: AmqpError, mayWait = false): void {
    if (this.settled) return;
    this.settled = settled;
    this.link.session.sendDisposition(true, this.id, settled, state, sectionOffset, error, mayWait);
    if (settled) this.link.deliverySettled(this);
  }

  /** Settles without telling an outcome. */
  forget(): void {
    this.update(DeliveryState.none, true);
  }
}

/** A message on its way out. */
export class OutgoingDelivery {
  readonly link: OutgoingLink;
  readonly source: DeliverySource | undefined;
  readonly preSettled: boolean;
  /** Given by the session when the first frame is written; -1 before. */
  id = -1;
  settled: boolean;
  /** The last frame has been handed over (perhaps not yet written). */
  complete = false;
  /** The source has heard, or said, the last of it: no call follows. */
  over = false;
  /** What waits for credit or for the session's window. */
  pending: Fifo<Piece> | undefined = undefined;
  /** Neighbours in the link's list of deliveries that have begun and are not settled. */
  previous: OutgoingDelivery | undefined = undefined;
  next: OutgoingDelivery | undefined = undefined;

  constructor(link: OutgoingLink, preSettled: boolean, source: DeliverySource | undefined) {
    this.link = link;
    this.preSettled = preSettled;
    this.settled = preSettled;
    this.source = source;
  }

  /**
   * Hands over `bytes[start, end)` of the message; `more` false completes it. What cannot be written yet (credit, session window) is kept
   * as a view in the link's backlog: the bytes must not change afterwards.
   */
  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.link.send(this, bytes, start, end, more);
  }

  /** Ends an incomplete delivery; the receiver discards it. */
  abort(): void {
    this.link.abort(this);
  }

  /** Settles from this side: the receiver's later states are not wanted any more. */
  forget(): void {
    if (this.settled) return;
    this.settled = true;
    this.over = true;
    if (this.id >= 0) this.link.session.settleOutgoing(this);
  }
}
