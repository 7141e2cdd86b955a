import { Condition } from '../../amqp/constants.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { ProtocolViolation } from '../../base/errors.ts';
import { GatheredBytes } from '../../forwarding/gathered-bytes.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { decodeInquiry, maxInquiryBytes } from './inquiry-message.ts';
import type { InquiryContent } from './inquiry-message.ts';

/** Takes one message whole; it is accepted when it can be read. */
export class GatheredInquiry implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #take: (content: InquiryContent) => void;
  readonly #gathered = new GatheredBytes();
  #upstream: Upstream | undefined;

  constructor(upstream: Upstream, take: (content: InquiryContent) => void) {
    this.#upstream = upstream;
    this.#take = take;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#upstream === undefined) return;
    if (this.#gathered.length + end - start > maxInquiryBytes) {
      this.#settle(DeliveryState.rejected, { condition: Condition.resourceLimitExceeded, description: 'the message is too long' });
      return;
    }
    this.#gathered.add(bytes, start, end);
    if (more) return;
    let content: InquiryContent;
    try {
      content = decodeInquiry(this.#gathered.bytes);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#settle(DeliveryState.rejected, { condition: error.condition, description: error.message });
      return;
    }
    this.#settle(DeliveryState.accepted, undefined);
    this.#take(content);
  }

  #settle(state: DeliveryState, error: AmqpError | undefined): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(state, true, 0, error);
  }

  abort(): void {
    this.#upstream = undefined;
  }

  forget(): void {}
}

/** Takes a message that is not wanted. */
export class RefusedInquiry implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #state: DeliveryState;
  readonly #error: AmqpError | undefined;
  #upstream: Upstream | undefined;

  constructor(upstream: Upstream, state: DeliveryState, error: AmqpError | undefined) {
    this.#upstream = upstream;
    this.#state = state;
    this.#error = error;
  }

  /** Settled with the first octets: the outcome must not come before the consumer was returned. */
  send(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(this.#state, true, 0, this.#error);
  }

  abort(): void {
    this.#upstream = undefined;
  }

  forget(): void {}
}
