import type { DeliveryState } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { noAnnotations } from '../../forwarding/router-annotations.ts';
import { encodeEvent, eventMessage } from './event-message.ts';
import type { EncodedEvent, EventMessage } from './event-message.ts';

/** Receipts go to addresses that routers make for answers and to nothing else: a message must not be able to reach a service in this way. */
const receiptAddress = /^amqp:\/_topo\/0\/[^/]{1,256}\/temp\.[\w.+-]{1,64}$/;

/** Tells whoever counts that one consumer has taken the message. Nobody waits for it. */
export function sendReceipt(forwarder: Forwarder, { receiptTo }: EventMessage): void {
  if (receiptTo === null || !receiptAddress.test(receiptTo)) return;
  const receipt = encodeEvent(eventMessage({ to: receiptTo }));
  const downstream = forwarder.forward(headOf(receiptTo, receipt), false, true, undefined, nobody);
  if (typeof downstream !== 'number') downstream.send(receipt.bytes, 0, receipt.bytes.length, false);
}

/** The head of a message that is made here, as forwarding wants it. */
export function headOf(to: string, { bodyStart }: EncodedEvent): MessageHead {
  return {
    annotations: noAnnotations,
    annotationsEnd: 0,
    priority: 4,
    to,
    replyTo: null,
    correlationId: null,
    contentType: null,
    bodyStart,
  };
}

/** The producer of messages that were settled when they were sent. */
const nobody: Upstream = { update(): void {}, relieved(): void {} };

/** Takes a message of which only that it came is of interest. */
export class CountedMessage implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  #upstream: Upstream | undefined;
  readonly #state: DeliveryState;
  readonly #counted: () => void;

  constructor(upstream: Upstream, state: DeliveryState, counted: () => void) {
    this.#upstream = upstream;
    this.#state = state;
    this.#counted = counted;
  }

  send(_bytes: Uint8Array, _start: number, _end: number, more: boolean): void {
    const upstream = this.#upstream;
    if (upstream === undefined || more) return;
    this.#upstream = undefined;
    this.#counted();
    upstream.update(this.#state, true, 0, undefined);
  }

  abort(): void {
    this.#upstream = undefined;
  }

  forget(): void {}
}
