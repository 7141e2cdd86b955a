import { DeliveryState } from '../amqp/performatives.ts';
import { GatheredBytes } from './gathered-bytes.ts';
import type { Consumer, Downstream, Upstream } from './leg.ts';
import type { MessageHead } from './message-head.ts';

/** Octets of one message: fifty records with long texts. */
const maxMessageBytes = 262_144;
/** Octets of messages that have not come whole, of one inbox. */
const maxGatheredBytes = 4_194_304;

/** Takes whole messages of an address that are told and not answered: one that is too long, or too much at a time, is let go. */
export class MessageInbox implements Consumer {
  readonly outstanding = 0;
  readonly #take: (octets: Uint8Array, head: MessageHead, origin: string) => void;
  gatheredBytes = 0;
  /** Messages that were let go. */
  dropped = 0;

  /** `take` gets the octets from the first section on, which it may keep, and the router that they come from. */
  constructor(take: (octets: Uint8Array, head: MessageHead, origin: string) => void) {
    this.#take = take;
  }

  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    return new InboxLeg(this, upstream, (octets) => this.#take(octets, head, origin));
  }

  isTooMuch(messageBytes: number, moreBytes: number): boolean {
    return messageBytes + moreBytes > maxMessageBytes || this.gatheredBytes + moreBytes > maxGatheredBytes;
  }
}

class InboxLeg implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #inbox: MessageInbox;
  readonly #take: (octets: Uint8Array) => void;
  readonly #gathered = new GatheredBytes();
  #upstream: Upstream | undefined;
  #over = false;

  constructor(inbox: MessageInbox, upstream: Upstream, take: (octets: Uint8Array) => void) {
    this.#inbox = inbox;
    this.#upstream = upstream;
    this.#take = take;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#over) return;
    if (this.#inbox.isTooMuch(this.#gathered.length, end - start)) {
      this.#inbox.dropped++;
      this.#end(DeliveryState.rejected);
      return;
    }
    this.#inbox.gatheredBytes += end - start;
    this.#gathered.add(bytes, start, end);
    if (more) return;
    this.#take(this.#gathered.bytes);
    this.#end(DeliveryState.accepted);
  }

  #end(state: DeliveryState): void {
    this.#over = true;
    this.#inbox.gatheredBytes -= this.#gathered.length;
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(state, true, 0, undefined);
  }

  abort(): void {
    if (this.#over) return;
    this.#upstream = undefined;
    this.#end(DeliveryState.modified);
  }

  forget(): void {
    this.#upstream = undefined;
  }
}
