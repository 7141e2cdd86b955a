import { DeliveryState } from '../amqp/performatives.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from './leg.ts';

/**
 * A copy that its consumer gets no further with for this long is lost: one that takes nothing, or never settles, must not hold the message,
 * its producer and the other consumers. Long enough for a consumer that works on a message before it settles.
 */
export const copyTimeoutMs = 20_000;
/** A copy for other routers: they give up their own consumers before. */
export const remoteCopyTimeoutMs = 40_000;
/** Octets of a stream that a consumer may have and not acknowledge for ever: they acknowledge in steps, and gather frames. */
const unacknowledgedBytes = 262_144;

/** Rank of outcomes when copies of one message end differently: the sender hears the highest. */
function rank(state: DeliveryState): number {
  switch (state) {
    case DeliveryState.rejected:
      return 4;
    case DeliveryState.accepted:
      return 3;
    case DeliveryState.modified:
      return 2;
    default:
      return 1;
  }
}

/** One copy of a message, as its consumer sees the producer. */
class Copy implements Upstream {
  readonly #leg: MulticastLeg;
  /** The consumer at this router; undefined = the copy goes on to another. */
  readonly consumer: Consumer | undefined;
  downstream: Downstream | undefined;
  acknowledged = 0;
  settled = false;
  /** Since when it has been waited for without any progress. */
  #waitsSinceMs: number | undefined;

  constructor(leg: MulticastLeg, consumer: Consumer | undefined) {
    this.#leg = leg;
    this.consumer = consumer;
  }

  /** Whether it has been waited for too long. */
  isLate(isWaitedFor: boolean, nowMs: number): boolean {
    if (isWaitedFor && this.#waitsSinceMs !== undefined) {
      return nowMs - this.#waitsSinceMs >= (this.consumer === undefined ? remoteCopyTimeoutMs : copyTimeoutMs);
    }
    this.#waitsSinceMs = isWaitedFor ? nowMs : undefined;
    return false;
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (this.settled) return;
    if (settled) {
      this.settled = true;
      this.downstream = undefined;
      this.#leg.copySettled(state, error);
    } else if (state === DeliveryState.received && sectionOffset > this.acknowledged) {
      this.acknowledged = sectionOffset;
      this.#waitsSinceMs = undefined;
      this.#leg.copyAcknowledged();
    }
  }

  relieved(): void {
    this.#waitsSinceMs = undefined;
    this.#leg.copyRelieved();
  }
}

/** Copies a message to several consumers and waits for all their outcomes, for each of them up to a limit. */
export class MulticastLeg implements Downstream {
  readonly #upstream: Upstream;
  readonly #waited: Set<MulticastLeg>;
  readonly #stuck: Set<Consumer>;
  readonly #copies: Copy[] = [];
  /** The producer waits for no outcome. */
  #isForgotten: boolean;
  #sentBytes = 0;
  #complete = false;
  #pending = 0;
  #state: DeliveryState = DeliveryState.released;
  #error: AmqpError | undefined;
  #told = false;
  #acknowledged = 0;

  /**
   * While its copies are waited for the leg is in `waited`, for `sweep` to be called now and then. Consumers at this router whose copies
   * were lost that way are put into `stuck`.
   */
  constructor(upstream: Upstream, preSettled: boolean, waited: Set<MulticastLeg>, stuck: Set<Consumer>) {
    this.#upstream = upstream;
    this.#isForgotten = preSettled;
    this.#waited = waited;
    this.#stuck = stuck;
  }

  /**
   * Adds a copy, unless `deliver` finds no way for it. `deliver` gets the upstream to give to the copy's consumer, which is `consumer` when
   * it is at this router.
   */
  add(deliver: (outcome: Upstream) => Downstream | undefined, consumer?: Consumer): void {
    const copy = new Copy(this, consumer);
    const downstream = deliver(copy);
    if (downstream === undefined) return;
    copy.downstream = downstream;
    this.#copies.push(copy);
    this.#pending++;
    this.#waited.add(this);
  }

  get copies(): number {
    return this.#copies.length;
  }

  copySettled(state: DeliveryState, error: AmqpError | undefined): void {
    if (rank(state) > rank(this.#state)) {
      this.#state = state;
      this.#error = error;
    }
    this.#pending--;
    if (this.#pending > 0) this.copyAcknowledged();
    else this.#finish();
  }

  /** The producer may count as written what all consumers that still listen have written. */
  copyAcknowledged(): void {
    let least = Infinity;
    for (const copy of this.#copies) if (!copy.settled) least = Math.min(least, copy.acknowledged);
    if (least <= this.#acknowledged || least === Infinity) return;
    this.#acknowledged = least;
    this.#upstream.update(DeliveryState.received, false, least, undefined);
  }

  copyRelieved(): void {
    this.#upstream.relieved();
  }

  /** Nobody listens any more: also when the message is not complete yet. */
  #finish(): void {
    if (this.#told) return;
    this.#told = true;
    this.#waited.delete(this);
    this.#upstream.update(this.#state, true, 0, this.#error);
  }

  /** Gives up copies that were waited for too long: their consumers may have seen them, or not. */
  sweep(nowMs: number): void {
    for (const copy of this.#copies) {
      const { downstream, acknowledged } = copy;
      if (downstream === undefined || copy.settled) continue;
      const isBehind = acknowledged > 0 && this.#sentBytes - acknowledged > unacknowledgedBytes;
      if (!copy.isLate(this.#complete || isBehind || downstream.congested, nowMs)) continue;
      copy.settled = true;
      copy.downstream = undefined;
      downstream.abort();
      if (copy.consumer !== undefined) this.#stuck.add(copy.consumer);
      this.copySettled(DeliveryState.modified, undefined);
      // Its producer may have been asked to stop for this copy.
      this.#upstream.relieved();
    }
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#sentBytes += end - start;
    this.#complete = !more;
    if (this.#complete && this.#isForgotten) this.#waited.delete(this);
    for (const copy of this.#copies) copy.downstream?.send(bytes, start, end, more);
  }

  abort(): void {
    this.#waited.delete(this);
    for (const copy of this.#copies) copy.downstream?.abort();
  }

  forget(): void {
    this.#isForgotten = true;
    if (this.#complete) this.#waited.delete(this);
    for (const copy of this.#copies) copy.downstream?.forget();
  }

  // Every copy is asked, so that each tells when it is relieved.

  get congested(): boolean {
    let congested = false;
    for (const copy of this.#copies) if (copy.downstream?.congested === true) congested = true;
    return congested;
  }

  get overloaded(): boolean {
    let overloaded = false;
    for (const copy of this.#copies) if (copy.downstream?.overloaded === true) overloaded = true;
    return overloaded;
  }
}
