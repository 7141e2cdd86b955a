import type { OutgoingDelivery, DeliverySource } from '../amqp/delivery.ts';
import type { IncomingLink, OutgoingLink, OutgoingLinkHandler } from '../amqp/link.ts';
import { DeliveryState } from '../amqp/performatives.ts';
import type { AmqpError } from '../amqp/performatives.ts';
import type { DeliveryCounters, UnsettledEnd } from './delivery-counters.ts';
import type { Downstream, Upstream } from './leg.ts';
import type { Neighbour } from './neighbour.ts';

/** Bytes that wait in the stream's own link (for the peer's session window) before its source is asked to stop. */
const congestedBacklogBytes = 262_144;
/**
 * Bytes that wait for the neighbour's socket, or for its windows, before a connection that feeds it with many streams is stopped: 64 full
 * windows, and at most half of what ends the connection or its streams.
 */
const overloadBytes = 67_108_864;

/**
 * Why a message that was on its way ended, when the connection to a neighbour did, here or further on: then the condition alone comes
 * back. Routes are computed anew then: there may be another way. (A peer that ends one AMQP link or session changes no routes, and is
 * not told so.)
 */
export const linkLost: AmqpError = { condition: 'qd:routed-link-lost', description: 'the link to the next router was lost' };

/** Counts what an address owes through each neighbour, for the balanced choice. */
export interface OutstandingCounter {
  settled(link: number): void;
}

/** A message on its way to a neighbour, over a link of its own (a stream) or over the shared link of its priority. */
export class RemoteLeg implements Downstream, DeliverySource, OutgoingLinkHandler {
  readonly #neighbour: Neighbour;
  readonly #link: OutgoingLink;
  readonly #streaming: boolean;
  readonly #counter: OutstandingCounter | undefined;
  readonly #totals: DeliveryCounters;
  readonly #upstream: Upstream;
  readonly #delivery: OutgoingDelivery;
  #done = false;
  #waiting = false;
  /** The message is over, but the last of it waits for the peer's window: the link is not free yet. */
  #releasing = false;

  constructor(
    neighbour: Neighbour,
    link: OutgoingLink,
    streaming: boolean,
    preSettled: boolean,
    counter: OutstandingCounter | undefined,
    totals: DeliveryCounters,
    upstream: Upstream,
  ) {
    this.#neighbour = neighbour;
    this.#link = link;
    this.#streaming = streaming;
    this.#counter = counter;
    this.#totals = totals;
    totals.begin();
    this.#upstream = upstream;
    this.#delivery = link.deliver(preSettled, this);
    if (streaming) link.handler = this;
  }

  get congested(): boolean {
    if (this.#done || (!this.#neighbour.congested && this.#link.backlogBytes <= congestedBacklogBytes)) return false;
    this.#wait();
    return true;
  }

  get overloaded(): boolean {
    if (this.#done) return false;
    const { pendingBytes, budget } = this.#neighbour.connection;
    // A leg whose own link has nothing waiting would not hear when the links of others have written theirs.
    if (pendingBytes <= overloadBytes && (this.#link.backlogBytes === 0 || budget.backlogBytes <= overloadBytes)) return false;
    this.#wait();
    return true;
  }

  #wait(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#neighbour.waiting.add(this);
  }

  /** The neighbour's connection, or this leg's link, has room again. */
  relieved(): void {
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#neighbour.waiting.delete(this);
    this.#upstream.relieved();
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#delivery.send(bytes, start, end, more);
    if (!more && this.#delivery.settled) this.#finish('forgotten');
  }

  abort(): void {
    this.#cutOff();
    // The consumer of a message that is complete already hears that nobody waits for its outcome.
    this.#delivery.forget();
    this.#finish('aborted');
  }

  /** Takes back what has not been written. */
  #cutOff(): void {
    if (!this.#delivery.complete || this.#delivery.pending !== undefined) this.#delivery.abort();
  }

  forget(): void {
    this.#delivery.forget();
    if (this.#delivery.complete) this.#finish('forgotten');
  }

  disposition(
    delivery: OutgoingDelivery,
    state: DeliveryState,
    settled: boolean,
    sectionOffset: number,
    error: AmqpError | undefined,
  ): void {
    if (settled) {
      // A receiver that settles early wants no more: the rest is cut off, so that the link is free again.
      this.#cutOff();
      this.#finish(state);
    }
    this.#upstream.update(state, settled, sectionOffset, error);
  }

  lost(delivery: OutgoingDelivery): void {
    // Released: the consumer cannot have seen it. Modified: it may have.
    const state = delivery.id < 0 ? DeliveryState.released : DeliveryState.modified;
    this.#finish(state);
    this.#upstream.update(state, true, 0, this.#neighbour.connection.opened ? undefined : linkLost);
  }

  #finish(outcome: DeliveryState | UnsettledEnd): void {
    if (this.#done) return;
    this.#done = true;
    this.#totals.end(outcome);
    this.#counter?.settled(this.#neighbour.linkNumber);
    if (this.#streaming) {
      if (this.#delivery.pending === undefined) this.#neighbour.releaseStream(this.#link);
      else this.#releasing = true;
    }
    // Whoever was asked to stop for this leg must not wait for it any longer.
    this.relieved();
  }

  attached(): void {}

  detached(link: IncomingLink | OutgoingLink): void {
    this.#neighbour.detached(link);
  }

  flow(link: OutgoingLink): void {
    if (this.#releasing && this.#delivery.pending === undefined) {
      this.#releasing = false;
      this.#neighbour.releaseStream(link);
      return;
    }
    if (this.#waiting && !this.#neighbour.congested && link.backlogBytes <= congestedBacklogBytes) this.relieved();
  }
}
