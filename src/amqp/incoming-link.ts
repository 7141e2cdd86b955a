import { Condition } from './constants.ts';
import { IncomingDelivery } from './delivery.ts';
import type { DeliverySink } from './delivery.ts';
import type { LinkHandler, LinkIdentity } from './link.ts';
import type { AmqpError, Attach, Flow, Terminus } from './performatives.ts';
import type { Session } from './session.ts';

/** A link that this side receives on. */
export class IncomingLink implements LinkIdentity {
  readonly receiver = true;
  readonly session: Session;
  readonly name: string;
  readonly handle: number;
  readonly remoteInitiated: boolean;
  remoteHandle = -1;
  /** As the peer attached; undefined until it has. */
  remote: Attach | undefined;
  handler: LinkHandler | undefined;
  sink: DeliverySink | undefined;
  detachSent = false;
  /** Credit that is kept up: topped up when half of it is used. 0 = none is granted by itself. */
  capacity = 0;
  #credit = 0;
  #deliveryCount = 0;
  /** The furthest delivery-count that was ever granted: credit that was taken back may have been used already. */
  #limit = 0;
  #draining = false;
  #current: IncomingDelivery | undefined;
  /** Deliveries received and not yet handed back by `replenish`. */
  #held = 0;
  #unsettled = 0;
  #firstUnsettled: IncomingDelivery | undefined;

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

  get unsettled(): number {
    return this.#unsettled;
  }

  /** Deliveries that the peer may still begin. */
  get credit(): number {
    return this.#credit;
  }

  /** Grants `capacity` credits and keeps them up as deliveries are handed back with `replenish`. */
  grant(capacity: number): void {
    this.capacity = capacity;
    this.#draining = false;
    this.#top(Math.max(0, capacity - this.#held), false);
  }

  /**
   * One delivery of this link needs no room any more: its credit may go back to the sender. Called once for each delivery that reached the
   * sink, completed or aborted.
   */
  replenish(): void {
    if (this.#held > 0) this.#held--;
    this.#topUp();
  }

  #topUp(): void {
    const room = this.capacity - this.#credit - this.#held;
    if (room > 0 && room >= this.capacity >> 1) this.#top(this.#credit + room, false);
  }

  /** Asks the sender to use its credit now or to give it up, §2.6.7. `handler.drained` is called when none is left; none is granted until `grant`. */
  drain(): void {
    this.capacity = 0;
    this.#draining = true;
    if (this.#credit > 0) this.#top(this.#credit, true);
    else this.handler?.drained?.(this);
  }

  #top(credit: number, drain: boolean): void {
    this.#credit = credit;
    const limit = (this.#deliveryCount + credit) >>> 0;
    if (((limit - this.#limit) | 0) > 0) this.#limit = limit;
    if (!this.detachSent && this.remoteHandle >= 0) {
      this.session.sendLinkFlow(this.handle, this.#deliveryCount, credit, drain);
    }
  }

  /** Called by the session when the peer's ATTACH arrived. */
  remoteAttached(attach: Attach): void {
    this.remote = attach;
    this.remoteHandle = attach.handle;
    this.#deliveryCount = attach.initialDeliveryCount;
    this.#limit = attach.initialDeliveryCount;
    if (this.capacity > 0) this.#top(this.capacity, false);
  }

  /** The peer's FLOW for this link: it may give credit up, by moving its delivery-count forward. */
  remoteFlow(flow: Flow): void {
    if (flow.deliveryCount >= 0) {
      const skipped = (flow.deliveryCount - this.#deliveryCount) >>> 0;
      if (skipped > 0 && skipped <= (this.#limit - this.#deliveryCount) >>> 0) {
        this.#deliveryCount = flow.deliveryCount;
        this.#credit = Math.max(0, this.#credit - skipped);
        this.#topUp();
      }
    }
    if (flow.echo) this.session.sendLinkFlow(this.handle, this.#deliveryCount, this.#credit, this.#draining);
    this.#tellDrained();
  }

  #tellDrained(): void {
    if (!this.#draining || this.#credit > 0) return;
    this.#draining = false;
    this.handler?.drained?.(this);
  }

  /** One transfer frame; returns an error that ends the link. */
  transfer(
    deliveryId: number,
    settled: boolean,
    more: boolean,
    aborted: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): AmqpError | undefined {
    let delivery = this.#current;
    if (delivery === undefined) {
      if (deliveryId < 0) return { condition: Condition.invalidField, description: 'the first transfer of a delivery needs a delivery-id' };
      if (this.#deliveryCount === this.#limit) {
        return { condition: Condition.transferLimitExceeded, description: 'transfer without link credit' };
      }
      const sink = this.sink;
      if (sink === undefined) return { condition: Condition.notAllowed, description: 'nothing receives on this link' };
      if (this.#credit > 0) this.#credit--;
      this.#deliveryCount = (this.#deliveryCount + 1) >>> 0;
      if (aborted) {
        // Nobody has heard of it, and nobody needs to.
        this.#topUp();
        this.#tellDrained();
        return undefined;
      }
      delivery = new IncomingDelivery(this, deliveryId, settled, sink);
      if (!settled) {
        const refused = this.session.addIncoming(delivery);
        if (refused !== undefined) return refused;
        this.#link(delivery);
      }
      this.#held++;
      this.#current = delivery;
    } else if (deliveryId >= 0 && deliveryId !== delivery.id) {
      return { condition: Condition.notAllowed, description: 'a delivery began before the last one on the link ended' };
    }
    if (aborted) {
      this.#current = undefined;
      if (!delivery.settled) {
        delivery.settled = true;
        this.deliverySettled(delivery);
      }
      delivery.sink.aborted(delivery);
    } else {
      if (!more) {
        this.#current = undefined;
        delivery.complete = true;
      }
      delivery.sink.transfer(delivery, bytes, start, end, more);
      // §2.7.5: a later frame may settle what the first did not.
      if (settled && !delivery.settled) {
        delivery.settled = true;
        this.deliverySettled(delivery);
        delivery.sink.senderSettled(delivery);
      }
    }
    if (this.#draining) this.#tellDrained();
    return undefined;
  }

  /** The payload of the last transfer frame goes on; `more` is false with the last piece of the delivery. */
  payload(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const delivery = this.#current;
    if (delivery === undefined) return;
    if (!more) {
      this.#current = undefined;
      delivery.complete = true;
    }
    delivery.sink.transfer(delivery, bytes, start, end, more);
  }

  #link(delivery: IncomingDelivery): void {
    const first = this.#firstUnsettled;
    delivery.next = first;
    if (first !== undefined) first.previous = delivery;
    this.#firstUnsettled = delivery;
    this.#unsettled++;
  }

  /** Called by the delivery and by the session when it has been settled. */
  deliverySettled(delivery: IncomingDelivery): void {
    this.session.removeIncoming(delivery);
    const { previous, next } = delivery;
    if (previous !== undefined) previous.next = next;
    else if (this.#firstUnsettled === delivery) this.#firstUnsettled = next;
    if (next !== undefined) next.previous = previous;
    delivery.previous = undefined;
    delivery.next = undefined;
    this.#unsettled--;
  }

  /** The link is over: its unfinished delivery is aborted; who holds complete, unsettled ones hears that no outcome can be told. */
  ended(): void {
    const current = this.#current;
    this.#current = undefined;
    this.#credit = 0;
    for (let delivery = this.#firstUnsettled; delivery !== undefined; delivery = this.#firstUnsettled) {
      delivery.settled = true;
      this.deliverySettled(delivery);
      if (delivery !== current) delivery.sink.senderSettled(delivery);
    }
    if (current !== undefined) {
      current.settled = true;
      current.sink.aborted(current);
    }
  }

  detach(error?: AmqpError): void {
    this.session.detachLink(this, error);
  }
}
