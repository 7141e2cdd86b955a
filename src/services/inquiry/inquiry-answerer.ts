import { Condition } from '../../amqp/constants.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, LocalConsumer, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { AskerRates } from './asker-rates.ts';
import type { RateLimits } from './asker-rates.ts';
import { GatheredInquiry, RefusedInquiry } from './gathered-inquiry.ts';
import { encodeInquiry, noFields } from './inquiry-message.ts';
import type { InquiryFields } from './inquiry-message.ts';

/** A question that has come. */
export interface Question {
  /** Router that asks. Its neighbours vouch for it as for the origin of every message. */
  readonly asker: string;
  /** Ids of the routers that the question has passed, the asker first. */
  readonly trace: readonly string[];
  readonly body: InquiryFields;
}

export interface AnswererOptions {
  readonly forwarder: Forwarder;
  readonly limits: RateLimits;
  readonly nowMs: () => number;
  /** Gives the answer to `reply`, now or later, once; not at all to leave the question without one. */
  readonly answer: (question: Question, reply: (body: InquiryFields) => void) => void;
}

/** Answers questions to an address of this router. */
export class InquiryAnswerer implements LocalConsumer {
  readonly #options: AnswererOptions;
  readonly #rates: AskerRates;

  constructor(options: AnswererOptions) {
    this.#options = options;
    this.#rates = new AskerRates(options.limits);
  }

  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    const { replyTo, correlationId, annotations } = head;
    // Answers go to the router that asks, and nowhere else.
    if (replyTo === null || correlationId === null || !replyTo.startsWith(`amqp:/_topo/0/${origin}/`)) {
      return new RefusedInquiry(upstream, DeliveryState.rejected, {
        condition: Condition.invalidField,
        description: 'a question has a correlation-id, and a reply-to at the router that asks',
      });
    }
    const { nowMs, answer } = this.#options;
    if (!this.#rates.take(origin, nowMs())) {
      return new RefusedInquiry(upstream, DeliveryState.rejected, {
        condition: Condition.resourceLimitExceeded,
        description: 'too many questions',
      });
    }
    const trace = annotations.trace.map((place) => place.slice(place.indexOf('/') + 1));
    return new GatheredInquiry(upstream, ({ body }) => {
      answer({ asker: origin, trace, body }, (answered) => this.#reply(replyTo, correlationId, answered));
    });
  }

  #reply(to: string, correlationId: string, body: InquiryFields): void {
    const { head, bytes } = encodeInquiry({ to, replyTo: null, correlationId, properties: noFields, body });
    const downstream = this.#options.forwarder.forward(head, false, true, undefined, nobody);
    if (typeof downstream !== 'number') downstream.send(bytes, 0, bytes.length, false);
  }
}

/** The producer of messages that were settled when they were sent. */
const nobody: Upstream = { update(): void {}, relieved(): void {} };
