import { Condition } from './constants.ts';
import { IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import type { DeliverySink, DeliverySource } from './delivery.ts';
import type { AmqpError, Attach, Flow, Terminus } from './performatives.ts';
import type { Session } from './session.ts';

/** Bytes that wait in one link for credit or session window. Sources stop earlier (`congested`); beyond this the delivery is aborted. */
export const maxBacklogBytes = 4_194_304;

/** Hears what happens to a link. The owner sets it when it attaches, or when it accepts the peer's attach. */
export interface LinkHandler {
  /** The peer answered our attach (or `accept` was called for the peer's). */
  attached(link: IncomingLink | OutgoingLink): void;
  /** The link is gone; `error` is the peer's reason. Called once; deliveries have been told before. */
  detached(link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void;
}

/** Hears when an outgoing link can take deliveries. */
export interface OutgoingLinkHandler extends LinkHandler {
  /** Credit arrived or the backlog was written: `link.credit` and `link.backlogBytes` changed. */
  flow(link: OutgoingLink): void;
}

/** What both kinds of link share. */
interface LinkIdentity {
  readonly session: Session;
  readonly name: string;
  /** Our handle. */
  readonly handle: number;
  /** True when the peer attached first. */
  readonly remoteInitiated: boolean;
}

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
  #current: IncomingDelivery | undefined;
  /** Deliveries received and not yet handed back by `replenish`. */
  #held = 0;
  #unsettled = 0;

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

  /** Grants `capacity` credits and keeps them up as deliveries are handed back with `replenish`. */
  grant(capacity: number): void {
    this.capacity = capacity;
    this.#top(capacity);
  }

  /** One delivery of this link needs no room any more: its credit may go back to the sender. */
  replenish(): void {
    if (this.#held > 0) this.#held--;
    const room = this.capacity - this.#credit - this.#held;
    if (room > 0 && room >= this.capacity >> 1) this.#top(this.#credit + room);
  }

  #top(credit: number): void {
    this.#credit = credit;
    if (!this.detachSent && this.remoteHandle >= 0) {
      this.session.sendLinkFlow(this.handle, this.#deliveryCount, credit, false);
    }
  }

  /** Called by the session when the peer's ATTACH arrived. */
  remoteAttached(attach: Attach): void {
    this.remote = attach;
    this.remoteHandle = attach.handle;
    this.#deliveryCount = attach.initialDeliveryCount;
    if (this.capacity > 0) this.#top(this.capacity);
  }

  /** The peer's FLOW for this link: it may drain, by moving its delivery-count forward. */
  remoteFlow(flow: Flow): void {
    if (flow.deliveryCount >= 0) {
      const skipped = (flow.deliveryCount - this.#deliveryCount) >>> 0;
      if (skipped > 0 && skipped <= this.#credit) {
        this.#deliveryCount = flow.deliveryCount;
        this.#credit -= skipped;
      }
    }
    if (flow.echo) this.session.sendLinkFlow(this.handle, this.#deliveryCount, this.#credit, false);
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
      if (this.#credit <= 0) return { condition: Condition.transferLimitExceeded, description: 'transfer without link credit' };
      const sink = this.sink;
      if (sink === undefined) return { condition: Condition.notAllowed, description: 'nothing receives on this link' };
      this.#credit--;
      this.#held++;
      this.#deliveryCount = (this.#deliveryCount + 1) >>> 0;
      delivery = new IncomingDelivery(this, deliveryId, settled, sink);
      if (!settled) {
        const refused = this.session.addIncoming(delivery);
        if (refused !== undefined) return refused;
        this.#unsettled++;
      }
      this.#current = delivery;
    } else if (deliveryId >= 0 && deliveryId !== delivery.id) {
      return { condition: Condition.notAllowed, description: 'a delivery began before the last one on the link ended' };
    }
    if (aborted) {
      this.#current = undefined;
      this.#drop(delivery);
      delivery.sink.aborted(delivery);
      return undefined;
    }
    if (!more) {
      this.#current = undefined;
      delivery.complete = true;
    }
    delivery.sink.transfer(delivery, bytes, start, end, more);
    return undefined;
  }

  #drop(delivery: IncomingDelivery): void {
    if (!delivery.settled) {
      delivery.settled = true;
      this.session.removeIncoming(delivery);
      this.#unsettled--;
    }
  }

  /** Called by the delivery and by the session when it has been settled. */
  deliverySettled(delivery: IncomingDelivery): void {
    this.session.removeIncoming(delivery);
    this.#unsettled--;
  }

  /** The link is over: its unfinished delivery is aborted. Deliveries that are complete and unsettled are told by the session. */
  ended(): void {
    const delivery = this.#current;
    this.#current = undefined;
    if (delivery !== undefined) {
      this.#drop(delivery);
      delivery.sink.aborted(delivery);
    }
  }

  detach(error?: AmqpError): void {
    this.session.detachLink(this, error);
  }
}

/** A piece of a delivery that waits for credit or for the session's window. */
interface BacklogEntry {
  readonly delivery: OutgoingDelivery;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly more: boolean;
}

/** A link that this side sends on. */
export class OutgoingLink implements LinkIdentity {
  readonly receiver = false;
  readonly session: Session;
  readonly name: string;
  readonly handle: number;
  readonly remoteInitiated: boolean;
  remoteHandle = -1;
  remote: Attach | undefined;
  handler: OutgoingLinkHandler | undefined;
  detachSent = false;
  backlogBytes = 0;
  /** Waits in the session's list for its window to open. */
  waiting = false;
  #credit = 0;
  #deliveryCount = 0;
  #draining = false;
  readonly #backlog: BacklogEntry[] = [];
  /** Deliveries that have begun on the wire and that nobody has settled. */
  readonly begun: Set<OutgoingDelivery> = new Set();
  /** The delivery whose frames are being written; no other may begin before it ends. */
  #writing: OutgoingDelivery | undefined;

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

  /** Deliveries that may begin now. */
  get credit(): number {
    return this.#credit;
  }

  remoteAttached(attach: Attach): void {
    this.remote = attach;
    this.remoteHandle = attach.handle;
  }

  /** The peer's FLOW, §2.6.7: credit counts from the delivery-count the receiver has seen. */
  remoteFlow(flow: Flow): void {
    if (flow.linkCredit >= 0) {
      const seen = flow.deliveryCount < 0 ? 0 : flow.deliveryCount;
      const limit = (seen + flow.linkCredit) >>> 0;
      const credit = (limit - this.#deliveryCount) | 0;
      this.#credit = credit > 0 ? credit : 0;
    }
    this.#draining = flow.drain;
    this.flush();
    if (this.#draining && this.#credit > 0 && this.#backlog.length === 0) {
      this.#deliveryCount = (this.#deliveryCount + this.#credit) >>> 0;
      this.#credit = 0;
      this.session.sendLinkFlow(this.handle, this.#deliveryCount, 0, true);
    } else if (flow.echo) {
      this.session.sendLinkFlow(this.handle, this.#deliveryCount, this.#credit, this.#draining);
    }
    this.handler?.flow(this);
  }

  /** A new delivery; its bytes follow by `send`. */
  deliver(preSettled: boolean, source: DeliverySource | undefined): OutgoingDelivery {
    return new OutgoingDelivery(this, preSettled, source);
  }

  send(delivery: OutgoingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (delivery.complete || this.detachSent) return;
    if (!more) delivery.complete = true;
    if (this.#backlog.length === 0) {
      const written = this.#write(delivery, bytes, start, end, more);
      if (written === -1) return;
      start = written;
    }
    this.backlogBytes += end - start;
    if (this.backlogBytes > maxBacklogBytes) {
      this.abort(delivery);
      delivery.source?.lost(delivery);
      return;
    }
    this.#backlog.push({ delivery, bytes, start, end, more });
    if (!this.waiting) this.session.waitForWindow(this);
  }

  /** Writes what credit and window allow. Returns where the rest starts, or -1 when all has been written. */
  #write(delivery: OutgoingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): number {
    const session = this.session;
    if (this.remoteHandle < 0) return start;
    let first = false;
    if (delivery.id < 0) {
      if (this.#credit === 0 || this.#writing !== undefined || session.remoteIncomingWindow === 0) return start;
      this.#credit--;
      this.#deliveryCount = (this.#deliveryCount + 1) >>> 0;
      session.addOutgoing(delivery);
      this.#writing = delivery;
      first = true;
    }
    do {
      if (session.remoteIncomingWindow === 0) return start;
      start = session.writeTransfer(this.handle, delivery, first, bytes, start, end, more);
      first = false;
    } while (start < end);
    if (!more) this.#writing = undefined;
    return -1;
  }

  /** Writes the backlog as far as credit and window allow. */
  flush(): void {
    const backlog = this.#backlog;
    let count = 0;
    for (; count < backlog.length; count++) {
      const entry = backlog[count];
      const written = this.#write(entry.delivery, entry.bytes, entry.start, entry.end, entry.more);
      if (written === -1) {
        this.backlogBytes -= entry.end - entry.start;
        continue;
      }
      if (written > entry.start) {
        this.backlogBytes -= written - entry.start;
        backlog[count] = { delivery: entry.delivery, bytes: entry.bytes, start: written, end: entry.end, more: entry.more };
      }
      break;
    }
    if (count > 0) backlog.splice(0, count);
    if (backlog.length > 0 && !this.waiting) this.session.waitForWindow(this);
  }

  abort(delivery: OutgoingDelivery): void {
    const writing = this.#writing === delivery;
    this.#forgetBacklog(delivery);
    delivery.complete = true;
    delivery.settled = true;
    if (writing) {
      this.#writing = undefined;
      if (!this.detachSent) this.session.writeAbort(this.handle, delivery);
    }
    if (delivery.id >= 0) this.session.forgetOutgoing(delivery);
    this.flush();
  }

  #forgetBacklog(delivery: OutgoingDelivery): void {
    const backlog = this.#backlog;
    let kept = 0;
    for (const entry of backlog) {
      if (entry.delivery === delivery) this.backlogBytes -= entry.end - entry.start;
      else backlog[kept++] = entry;
    }
    backlog.length = kept;
  }

  /** The link is over: deliveries that were never begun are lost; begun ones are told by the session. */
  ended(): void {
    const lost = new Set<OutgoingDelivery>();
    for (const entry of this.#backlog) if (entry.delivery.id < 0) lost.add(entry.delivery);
    this.#backlog.length = 0;
    this.backlogBytes = 0;
    this.#writing = undefined;
    this.#credit = 0;
    for (const delivery of lost) {
      delivery.complete = true;
      delivery.settled = true;
      delivery.source?.lost(delivery);
    }
  }

  detach(error?: AmqpError): void {
    this.session.detachLink(this, error);
  }
}
