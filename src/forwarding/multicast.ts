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

/** Copies a message to several consumers and waits for all their outcomes. */
export class MulticastLeg implements Downstream {
  readonly #upstream: Upstream;
  readonly #copies: Downstream[] = [];
  #pending = 0;
  #state: DeliveryState = DeliveryState.released;
  #error: AmqpError | undefined;
  #sealed = false;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  /** The upstream to give to the next copy's consumer; followed by `add`. */
  outcome(): Upstream {
    this.#pending++;
    let told = false;
    return {
      update: (state, settled, _sectionOffset, error): void => {
        if (!settled || told) return;
        told = true;
        if (rank(state) > rank(this.#state)) {
          this.#state = state;
          this.#error = error;
        }
        this.#pending--;
        this.#finish();
      },
      relieved: (): void => this.#upstream.relieved(),
    };
  }

  add(copy: Downstream): void {
    this.#copies.push(copy);
  }

  #finish(): void {
    if (this.#sealed && this.#pending === 0) this.#upstream.update(this.#state, true, 0, this.#error);
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    for (const copy of this.#copies) copy.send(bytes, start, end, more);
    if (!more) {
      this.#sealed = true;
      this.#finish();
    }
  }

  abort(): void {
    for (const copy of this.#copies) copy.abort();
  }

  forget(): void {
    for (const copy of this.#copies) copy.forget();
  }

  get congested(): boolean {
    let congested = false;
    for (const copy of this.#copies) if (copy.congested) congested = true;
    return congested;
  }
}
