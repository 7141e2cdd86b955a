import type { DeliverySink, IncomingDelivery } from '../../amqp/delivery.ts';
import type { IncomingLink, LinkHandler, OutgoingLink } from '../../amqp/link.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import { ClientMessage } from './client-message.ts';
import { leastLinkWindow, linkWindowBytes } from './limits.ts';
import type { LinkOwner } from './link-owner.ts';

/**
 * A link on which a client sends. It has credit while its address has a consumer somewhere, so that a client waits where its messages would
 * only come back. Credit comes back with the outcome.
 */
export class ClientProducer implements LinkHandler, DeliverySink {
  readonly client: LinkOwner;
  /** As the client wrote it; null = each message says where it goes. */
  readonly address: string | null;
  readonly link: IncomingLink;
  /** The service address that is waited for; null when the client has credit always. */
  readonly #service: string | null;
  #granted = 0;
  #isStopped = false;
  /** Size of messages lately: rises at once and falls slowly. */
  #usualBytes = 0;

  constructor(client: LinkOwner, link: IncomingLink, address: string | null, service: string | null) {
    this.client = client;
    this.link = link;
    this.address = address;
    this.#service = service;
    link.handler = this;
    link.sink = this;
  }

  /** Gives credit when there is a consumer, and takes it back when there is none. */
  routesChanged(): void {
    const isReachable = this.#service === null || this.client.port.forwarder.reachable(this.#service);
    if (isReachable === this.#granted > 0 || this.#isStopped) return;
    // Taken back, not drained: many clients leave it to their application to answer a drain.
    this.#grant(isReachable ? this.#window() : 0);
  }

  /** Takes the credit back; what is under way goes on. */
  stop(): void {
    this.#isStopped = true;
    this.#grant(0);
  }

  #grant(window: number): void {
    this.#granted = window;
    this.link.grant(window);
  }

  #window(): number {
    const { linkWindow } = this.client.port;
    return Math.max(Math.min(leastLinkWindow, linkWindow), Math.min(linkWindow, Math.floor(linkWindowBytes / (this.#usualBytes + 1))));
  }

  /** A message of this size is complete. */
  complete(bytes: number): void {
    const { counters } = this.client.port;
    counters.messagesIn++;
    counters.bytesIn += bytes;
    this.#usualBytes = Math.max(bytes, Math.floor(this.#usualBytes * 0.9));
    if (this.#granted === 0) return;
    const window = this.#window();
    if (window * 2 <= this.#granted || window >= this.#granted * 2) this.#grant(window);
  }

  transfer(delivery: IncomingDelivery, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const message = new ClientMessage(this, delivery);
    delivery.sink = message;
    message.transfer(delivery, bytes, start, end, more);
  }

  aborted(): void {}

  senderSettled(): void {}

  attached(): void {
    this.client.producerAttached(this);
  }

  detached(_link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    this.client.producerGone(this, error);
  }
}
