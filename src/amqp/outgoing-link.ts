import { OutgoingDelivery } from './delivery.ts';
import type { DeliverySource } from './delivery.ts';
import { Fifo } from './fifo.ts';
import type { LinkIdentity, OutgoingLinkHandler } from './link.ts';
import type { AmqpError, Attach, Flow, Terminus } from './performatives.ts';
import type { Session } from './session.ts';

/** Bytes that wait in one link for credit or session window. Sources stop earlier (`congested`); beyond this the delivery is aborted. */
export const maxBacklogBytes = 4_194_304;
/** Pieces that wait in one link, however small they are: each costs an object. */
export const maxBacklogPieces = 16_384;

/** A piece of a delivery that waits for credit or for the session's window. */
export interface Piece {
  readonly bytes: Uint8Array;
  start: number;
  readonly end: number;
  readonly more: boolean;
}

/**
 * A link that this side sends on. Deliveries go out one after another, in the order of their first pieces: AMQP does not interleave the
 * frames of two deliveries on one link. What cannot be written yet waits in the delivery it belongs to:
 *
 *     #writing   has begun and is not finished; its pieces wait for the session's window
 *     #queue     not begun; wait for credit, for the window, or for #writing to be finished by its owner
 */
export class OutgoingLink implements LinkIdentity {
  readonly receiver = false;
  readonly session: Session;
  readonly name: string;
  readonly handle: number;
  readonly remoteInitiated: boolean;
  remoteHandle = -1;
  remote: Attach | undefined;
  handler: OutgoingLinkHandler | undefined;
  detachSent = false;
  backlogBytes = 0;
  /** Waits in the session's list for its window to open. */
  waiting = false;
  #backlogPieces = 0;
  #credit = 0;
  #deliveryCount = 0;
  #draining = false;
  /** The delivery whose frames are being written; no other may begin before it ends. */
  #writing: OutgoingDelivery | undefined;
  /** `#writing` was aborted while the window was closed. */
  #abortWaits = false;
  readonly #queue: Fifo<OutgoingDelivery> = new Fifo();
  /** Deliveries that have begun on the wire and that nobody has settled. */
  #firstBegun: OutgoingDelivery | undefined;

  constructor(session: Session, name: string, handle: number, remoteInitiated: boolean) {
    this.session = session;
    this.name = name;
    this.handle = handle;
    this.remoteInitiated = remoteInitiated;
  }

  get source(): Terminus | undefined {
    return this.remote?.source;
  }

  get target(): Terminus | undefined {
    return this.remote?.target;
  }

  /** Deliveries that wait to begin. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Deliveries that may begin now. */
  get credit(): number {
    return this.#credit;
  }

  remoteAttached(attach: Attach): void {
    this.remote = attach;
    this.remoteHandle = attach.handle;
  }

  /** The peer's FLOW, §2.6.7: credit counts from the delivery-count the receiver has seen. */
  remoteFlow(flow: Flow): void {
    if (flow.linkCredit >= 0) {
      const unseen = (this.#deliveryCount - Math.max(0, flow.deliveryCount)) >>> 0;
      this.#credit = flow.linkCredit > unseen ? flow.linkCredit - unseen : 0;
    }
    // Set at the end only: the owner may use the credit before it is given up.
    this.#draining = false;
    this.flush(Infinity);
    this.handler?.flow(this);
    this.#draining = flow.drain;
    this.#finishDrain();
    if (flow.echo && !this.detachSent) this.session.sendLinkFlow(this.handle, this.#deliveryCount, this.#credit, flow.drain);
  }

  /** Gives up the credit that nothing waits for. */
  #finishDrain(): void {
    if (!this.#draining || this.#queue.length > 0 || this.detachSent) return;
    this.#draining = false;
    this.#deliveryCount = (this.#deliveryCount + this.#credit) >>> 0;
    this.#credit = 0;
    this.session.sendLinkFlow(this.handle, this.#deliveryCount, 0, true);
  }

  /** A new delivery; its bytes follow by `send`. */
  deliver(preSettled: boolean, source: DeliverySource | undefined): OutgoingDelivery {
    return new OutgoingDelivery(this, preSettled, source);
  }

  send(delivery: OutgoingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (delivery.complete) return;
    if (this.detachSent) {
      this.#lose(delivery);
      return;
    }
    if (!more) delivery.complete = true;
    if (delivery.pending === undefined && this.#mayWrite(delivery)) {
      start = this.#write(delivery, bytes, start, end, more);
      if (start === -1) {
        if (!more && (this.#queue.length > 0 || this.#draining)) this.flush(Infinity);
        return;
      }
    }
    this.#keep(delivery, bytes, start, end, more);
  }

  #mayWrite(delivery: OutgoingDelivery): boolean {
    if (delivery === this.#writing) return true;
    return this.#writing === undefined && this.#queue.length === 0 && this.#credit > 0 && this.session.remoteIncomingWindow > 0;
  }

  /**
   * Writes what the window allows. Returns where the rest starts, or -1 when all has been written. A delivery begins here: then credit and
   * window have been checked.
   */
  #write(delivery: OutgoingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): number {
    const session = this.session;
    let first = false;
    if (delivery.id < 0) {
      this.#credit--;
      this.#deliveryCount = (this.#deliveryCount + 1) >>> 0;
      session.addOutgoing(delivery);
      this.#writing = delivery;
      first = true;
    }
    do {
      if (session.remoteIncomingWindow === 0) return start;
      start = session.writeTransfer(this.handle, delivery, first, bytes, start, end, more);
      first = false;
    } while (start < end);
    if (!more) {
      this.#writing = undefined;
      if (delivery.preSettled) delivery.over = true;
    }
    return -1;
  }

  /** Keeps what cannot be written yet, within the bounds of the link and of the connection. */
  #keep(delivery: OutgoingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const { session } = this;
    const length = end - start;
    if (
      this.backlogBytes + length > (session.connection.options.limits?.linkBacklogBytes ?? maxBacklogBytes) ||
      this.#backlogPieces >= maxBacklogPieces ||
      !session.connection.budget.reserveBacklog(length)
    ) {
      const over = delivery.over;
      this.abort(delivery);
      if (!over) delivery.source?.lost(delivery);
      return;
    }
    this.backlogBytes += length;
    this.#backlogPieces++;
    if (delivery.pending === undefined) {
      delivery.pending = new Fifo();
      if (delivery.id < 0) this.#queue.push(delivery);
    }
    delivery.pending.push({ bytes, start, end, more });
    if (session.remoteIncomingWindow === 0) session.waitForWindow(this);
  }

  /** Writes what waits, as far as credit, window and `maxPieces` allow. */
  flush(maxPieces: number): void {
    const { session } = this;
    if (this.detachSent || this.remoteHandle < 0) return;
    for (let budget = maxPieces; ; budget--) {
      let delivery = this.#writing;
      const next = delivery ?? this.#queue.peek();
      if (next === undefined || (delivery === undefined && this.#credit === 0)) break;
      if (delivery !== undefined && !this.#abortWaits && delivery.pending === undefined) break;
      if (session.remoteIncomingWindow === 0 || budget <= 0) {
        session.waitForWindow(this);
        break;
      }
      if (this.#abortWaits) {
        this.#abortWaits = false;
        this.#writing = undefined;
        session.writeAbort(this.handle, next);
        continue;
      }
      if (delivery === undefined) {
        this.#queue.shift();
        delivery = next;
      }
      this.#writePiece(delivery);
    }
    this.#finishDrain();
  }

  #writePiece(delivery: OutgoingDelivery): void {
    const pieces = delivery.pending;
    const piece = pieces?.peek();
    if (pieces === undefined || piece === undefined) return;
    const rest = this.#write(delivery, piece.bytes, piece.start, piece.end, piece.more);
    const stop = rest === -1 ? piece.end : rest;
    this.backlogBytes -= stop - piece.start;
    this.session.connection.budget.releaseBacklog(stop - piece.start);
    piece.start = stop;
    if (rest !== -1) return;
    this.#backlogPieces--;
    pieces.shift();
    if (pieces.length === 0) delivery.pending = undefined;
  }

  abort(delivery: OutgoingDelivery): void {
    delivery.over = true;
    delivery.complete = true;
    delivery.settled = true;
    if (delivery.pending !== undefined && delivery.id < 0) this.#queue.remove(delivery);
    this.#dropPieces(delivery);
    if (delivery === this.#writing && !this.#abortWaits) {
      if (this.session.remoteIncomingWindow > 0 || this.detachSent) {
        this.#writing = undefined;
        if (!this.detachSent) this.session.writeAbort(this.handle, delivery);
      } else {
        this.#abortWaits = true;
        this.session.waitForWindow(this);
      }
    }
    if (delivery.id >= 0) this.session.forgetOutgoing(delivery);
    this.flush(Infinity);
  }

  #dropPieces(delivery: OutgoingDelivery): void {
    const pieces = delivery.pending;
    if (pieces === undefined) return;
    delivery.pending = undefined;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      this.#backlogPieces--;
      this.backlogBytes -= piece.end - piece.start;
      this.session.connection.budget.releaseBacklog(piece.end - piece.start);
    }
  }

  /** Called by the session when the delivery begins on the wire and is not settled. */
  addBegun(delivery: OutgoingDelivery): void {
    const first = this.#firstBegun;
    delivery.next = first;
    if (first !== undefined) first.previous = delivery;
    this.#firstBegun = delivery;
  }

  /** Called by the session when nothing more is awaited for the delivery. */
  removeBegun(delivery: OutgoingDelivery): void {
    const { previous, next } = delivery;
    if (previous !== undefined) previous.next = next;
    else if (this.#firstBegun === delivery) this.#firstBegun = next;
    if (next !== undefined) next.previous = previous;
    delivery.previous = undefined;
    delivery.next = undefined;
  }

  /** The link is over: everything that is not settled, or not wholly written, is lost. */
  ended(): void {
    this.#credit = 0;
    for (let delivery = this.#firstBegun; delivery !== undefined; delivery = this.#firstBegun) this.#lose(delivery);
    const writing = this.#writing;
    this.#writing = undefined;
    this.#abortWaits = false;
    if (writing !== undefined) this.#lose(writing);
    for (let delivery = this.#queue.shift(); delivery !== undefined; delivery = this.#queue.shift()) this.#lose(delivery);
  }

  #lose(delivery: OutgoingDelivery): void {
    this.#dropPieces(delivery);
    if (delivery.id >= 0) this.session.forgetOutgoing(delivery);
    delivery.complete = true;
    delivery.settled = true;
    if (delivery.over) return;
    delivery.over = true;
    delivery.source?.lost(delivery);
  }

  detach(error?: AmqpError): void {
    this.session.detachLink(this, error);
  }
}
