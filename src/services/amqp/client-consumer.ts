import type { IncomingLink, OutgoingLink, OutgoingLinkHandler } from '../../amqp/link.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { ClientLeg } from './client-leg.ts';
import type { LinkOwner } from './link-owner.ts';

/** A link on which a client receives, or a server's node: a consumer of its address. */
export class ClientConsumer implements Consumer, OutgoingLinkHandler {
  readonly client: LinkOwner;
  readonly link: OutgoingLink;
  /** The client wants its messages settled, whatever their senders want. */
  readonly #settlesAtOnce: boolean;
  #address: string | undefined;
  #temporary: string | undefined;
  outstanding = 0;
  /** Legs whose octets wait for the client's window or socket. */
  readonly #waiting = new Set<ClientLeg>();

  constructor(client: LinkOwner, link: OutgoingLink, settlesAtOnce: boolean) {
    this.client = client;
    this.link = link;
    this.#settlesAtOnce = settlesAtOnce;
    link.handler = this;
  }

  /** Offers the client as a consumer of a service address. False when the router has no room for another address. */
  offer(address: string): boolean {
    if (!this.client.port.forwarder.addConsumer(address, this)) return false;
    this.#address = address;
    return true;
  }

  /** Makes an address for answers, which leads to the client. */
  makeTemporary(): string {
    this.#temporary = this.client.port.forwarder.addTemporary(this);
    return this.#temporary;
  }

  get congested(): boolean {
    return this.client.connection.congested || this.link.backlogBytes > 0;
  }

  /** It has asked for more than waits for it already, and reads. */
  get ready(): boolean {
    return this.link.credit > this.link.queued && !this.client.connection.congested;
  }

  deliver(_head: MessageHead, upstream: Upstream, _origin: string, preSettled: boolean): Downstream {
    this.outstanding++;
    this.client.port.counters.messagesOut++;
    return new ClientLeg(this, upstream, preSettled || this.#settlesAtOnce, preSettled);
  }

  wait(leg: ClientLeg): void {
    this.#waiting.add(leg);
  }

  over(leg: ClientLeg): void {
    this.#waiting.delete(leg);
    this.outstanding--;
  }

  /** The client's socket, or its window, has room. */
  relieved(): void {
    if (this.congested) return;
    for (const leg of [...this.#waiting]) {
      this.#waiting.delete(leg);
      leg.relieved();
    }
  }

  flow(): void {
    this.relieved();
  }

  attached(): void {
    this.client.consumerAttached(this);
  }

  detached(_link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    this.withdraw();
    this.client.consumerGone(this, error);
  }

  /** Other routers are told that it is gone. */
  conceal(): void {
    if (this.#address !== undefined) this.client.port.forwarder.concealConsumer(this.#address, this);
  }

  withdraw(): void {
    const { forwarder } = this.client.port;
    if (this.#address !== undefined) forwarder.removeConsumer(this.#address, this);
    if (this.#temporary !== undefined) forwarder.removeTemporary(this.#temporary);
    this.#address = undefined;
    this.#temporary = undefined;
  }
}
