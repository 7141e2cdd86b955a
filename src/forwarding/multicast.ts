import { DeliveryState } from '../amqp/performatives.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import type { Downstream, Upstream } from './leg.ts';

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
  downstream: Downstream | undefined;
  acknowledged = 0;
  settled = false;

  constructor(leg: MulticastLeg) {
    this.#leg = leg;
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (this.settled) return;
    if (settled) {
      this.settled = true;
      this.downstream = undefined;
      this.#leg.copySettled(state, error);
    } else if (state === DeliveryState.received && sectionOffset > this.acknowledged) {
      this.acknowledged = sectionOffset;
      this.#leg.copyAcknowledged();
    }
  }

  relieved(): void {
    this.#leg.copyRelieved();
  }
}

/** Copies a message to several consumers and waits for all their outcomes. */
export class MulticastLeg implements Downstream {
  readonly #upstream: Upstream;
  readonly #copies: Copy[] = [];
  #pending = 0;
  #state: DeliveryState = DeliveryState.released;
  #error: AmqpError | undefined;
  #told = false;
  #acknowledged = 0;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** Adds a copy, unless `deliver` finds no way for it. `deliver` gets the upstream to give to the copy's consumer. */
  add(deliver: (outcome: Upstream) => Downstream | undefined): void {
    const copy = new Copy(this);
    const downstream = deliver(copy);
    if (downstream === undefined) return;
    copy.downstream = downstream;
    this.#copies.push(copy);
    this.#pending++;
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
    this.#upstream.update(this.#state, true, 0, this.#error);
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    for (const copy of this.#copies) copy.downstream?.send(bytes, start, end, more);
  }

  abort(): void {
    for (const copy of this.#copies) copy.downstream?.abort();
  }

  forget(): void {
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
