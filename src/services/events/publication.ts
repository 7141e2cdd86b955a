import { assert } from '../../base/errors.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { encodeEvent, maxEventBodyBytes } from './event-message.ts';
import type { EventMessage } from './event-message.ts';
import { CountedMessage, headOf } from './receipts.ts';

/** What became of a message. */
export const PublicationOutcome = {
  /** At least one consumer has it. */
  accepted: 'accepted',
  /** A consumer refuses it, or this site may not send to the address. */
  rejected: 'rejected',
  /** Nobody has it; it may be sent again. */
  released: 'released',
  /** A link broke or a consumer gave up: somebody may have it. */
  modified: 'modified',
} as const;
export type PublicationOutcome = (typeof PublicationOutcome)[keyof typeof PublicationOutcome];

/** One message that this router sends, until all its consumers have told what became of it. */
export class Publication implements Upstream, Consumer {
  readonly outstanding = 0;
  readonly #forwarder: Forwarder;
  readonly #ended: () => void;
  readonly #receiptTo: string;
  #downstream: Downstream | undefined;
  /** Undefined until all consumers have told. */
  outcome: PublicationOutcome | undefined;
  error: AmqpError | undefined;
  /** Consumers that have told that they took it. Consumers of other kinds than Caravan's only accept. */
  receipts = 0;

  /** Sends `message`, whose `to` is the address. `ended` is told when there is an outcome, perhaps at once. */
  constructor(forwarder: Forwarder, message: EventMessage, ended: () => void) {
    const { to, body } = message;
    assert(to !== null, 'a message that is published has an address');
    assert(body.length <= maxEventBodyBytes, 'the length of a body is checked before');
    this.#forwarder = forwarder;
    this.#ended = ended;
    this.#receiptTo = forwarder.addTemporary(this);
    const encoded = encodeEvent({ ...message, receiptTo: this.#receiptTo });
    const downstream = forwarder.forward(headOf(to, encoded), false, false, undefined, this);
    if (typeof downstream === 'number') {
      this.#end(downstream, undefined);
      return;
    }
    this.#downstream = downstream;
    downstream.send(encoded.bytes, 0, encoded.bytes.length, false);
  }

  /** A receipt. */
  deliver(_head: MessageHead, upstream: Upstream): Downstream {
    return new CountedMessage(upstream, DeliveryState.accepted, () => this.receipts++);
  }

  update(state: DeliveryState, settled: boolean, _sectionOffset: number, error: AmqpError | undefined): void {
    if (settled && this.outcome === undefined) this.#end(state, error);
  }

  relieved(): void {}

  #end(state: DeliveryState, error: AmqpError | undefined): void {
    this.outcome = outcomeOf(state);
    this.error = error;
    this.#downstream = undefined;
    this.#ended();
  }

  /** Nothing more is wanted to be known. Receipts are counted until then. */
  close(): void {
    this.#downstream?.forget();
    this.#downstream = undefined;
    this.#forwarder.removeTemporary(this.#receiptTo);
  }
}

function outcomeOf(state: DeliveryState): PublicationOutcome {
  switch (state) {
    case DeliveryState.accepted:
      return 'accepted';
    case DeliveryState.rejected:
      return 'rejected';
    case DeliveryState.modified:
      return 'modified';
    default:
      return 'released';
  }
}
