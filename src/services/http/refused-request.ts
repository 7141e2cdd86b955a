import type { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';

/** Takes a message that is not wanted and settles it when its first octets are there. */
export class RefusedRequest implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  #upstream: Upstream | undefined;
  readonly #state: DeliveryState;
  readonly #error: AmqpError | undefined;

  constructor(upstream: Upstream, state: DeliveryState, error: AmqpError | undefined) {
    this.#upstream = upstream;
    this.#state = state;
    this.#error = error;
  }

  send(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(this.#state, true, 0, this.#error);
  }

  abort(): void {
    this.#upstream = undefined;
  }

  forget(): void {
    this.#upstream = undefined;
  }
}
