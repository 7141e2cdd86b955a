import { Condition } from '../../amqp/constants.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { GatheredInquiry, RefusedInquiry } from './gathered-inquiry.ts';
import { encodeInquiry, noFields, refusedField, textField } from './inquiry-message.ts';
import type { InquiryContent, InquiryFields } from './inquiry-message.ts';

/** What became of a question. */
export type InquiryEnd =
  /** `trace`: ids of the routers that the answer has passed, the one that answers first. */
  | { readonly outcome: 'answered'; readonly content: InquiryContent; readonly trace: readonly string[] }
  /** No way leads to the router. */
  | { readonly outcome: 'no-way' }
  /** The router, or one on the way, had nobody to give it to. */
  | { readonly outcome: 'not-taken' }
  /** The router does not answer this. */
  | { readonly outcome: 'refused'; readonly reason: string; readonly isLimited: boolean }
  /** A link on the way broke. */
  | { readonly outcome: 'lost' };

export interface InquiryOptions {
  readonly forwarder: Forwarder;
  readonly routerId: string;
  /** Name of the address at that router. */
  readonly name: string;
  readonly body: InquiryFields;
  readonly properties?: InquiryFields;
  /** Told once, perhaps before `start` has returned. Not told once it was cancelled. */
  readonly ended: (end: InquiryEnd) => void;
}

const correlationId = 'inquiry';

/** One question to one router. It has an address of its own for the answer until it ends; whoever asks cancels it when that takes too long. */
export class Inquiry implements Upstream {
  readonly #options: InquiryOptions;
  readonly #replyTo: string;
  #downstream: Downstream | undefined;
  #isOver = false;

  constructor(options: InquiryOptions) {
    this.#options = options;
    this.#replyTo = options.forwarder.addTemporary({
      outstanding: 0,
      deliver: (head, upstream, origin) => this.#answered(head, upstream, origin),
    });
  }

  /** Sends it. */
  start(): void {
    const { forwarder, routerId, name, body, properties = noFields } = this.#options;
    const to = `amqp:/_topo/0/${routerId}/${name}`;
    const { head, bytes } = encodeInquiry({ to, replyTo: this.#replyTo, correlationId, properties, body });
    const downstream = forwarder.forward(head, false, false, undefined, this);
    if (typeof downstream === 'number') {
      this.#end({ outcome: routerId === forwarder.routerId ? 'not-taken' : 'no-way' });
      return;
    }
    this.#downstream = downstream;
    downstream.send(bytes, 0, bytes.length, false);
  }

  #answered(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    if (this.#isOver || origin !== this.#options.routerId || head.correlationId !== correlationId) {
      return new RefusedInquiry(upstream, DeliveryState.rejected, { condition: Condition.notFound, description: 'nobody asked' });
    }
    const trace = head.annotations.trace.map((place) => place.slice(place.indexOf('/') + 1));
    return new GatheredInquiry(upstream, (content) => {
      const reason = textField(content.body, refusedField);
      this.#end(reason === undefined ? { outcome: 'answered', content, trace } : { outcome: 'refused', reason, isLimited: false });
    });
  }

  /** What became of the question itself: that it was taken is no answer. */
  update(state: DeliveryState, settled: boolean, _sectionOffset: number, error: AmqpError | undefined): void {
    if (!settled) return;
    this.#downstream = undefined;
    switch (state) {
      case DeliveryState.accepted:
        return;
      case DeliveryState.rejected:
        this.#end({
          outcome: 'refused',
          reason: error?.description ?? 'refused',
          isLimited: error?.condition === Condition.resourceLimitExceeded,
        });
        return;
      case DeliveryState.modified:
        this.#end({ outcome: 'lost' });
        return;
      default:
        this.#end({ outcome: 'not-taken' });
    }
  }

  relieved(): void {}

  #end(end: InquiryEnd): void {
    if (this.#isOver) return;
    this.cancel();
    this.#options.ended(end);
  }

  /** Nothing more is wanted to be known. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#downstream?.forget();
    this.#downstream = undefined;
    this.#options.forwarder.removeTemporary(this.#replyTo);
  }
}
