import { ProtocolViolation, assert } from '../base/errors.ts';
import type { Connection } from './connection.ts';
import { Condition, Descriptor } from './constants.ts';
import type { IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import { IncomingLink, OutgoingLink } from './link.ts';
import { encodeAttach, encodeBegin, encodeDetach, encodeDisposition, encodeEnding, encodeFlow } from './performatives.ts';
import type { AmqpError, Attach, Begin, DeliveryState, Disposition, Ending, Flow, Transfer } from './performatives.ts';

/** Links of one session. All streams of a link between routers share one session: this is also the bound of concurrent streams. */
export const maxHandles = 65_536;
/** Unsettled deliveries of one session in each direction. */
export const maxUnsettled = 131_072;
/** Frames the peer may send before the window is renewed, and bytes they may hold: what routers use between each other. */
export const incomingWindowBytes = 134_217_728;
const maxIncomingWindow = 0x7fffffff;

/** One AMQP session, §2.5. Made by `Connection.openSession` or by the peer's BEGIN. */
export class Session {
  readonly connection: Connection;
  /** Our channel. */
  readonly channel: number;
  remoteChannel = -1;
  endSent = false;
  #nextOutgoingId = 0;
  #nextIncomingId = 0;
  /** Transfer frames that the peer accepts now. */
  remoteIncomingWindow = 0;
  #incomingWindow: number;
  readonly #fullWindow: number;
  readonly #links: (IncomingLink | OutgoingLink | undefined)[] = [];
  readonly #freeHandles: number[] = [];
  readonly #byRemoteHandle = new Map<number, IncomingLink | OutgoingLink>();
  /** Links that this side attached and the peer has not answered, by role and name. */
  readonly #awaiting = new Map<string, IncomingLink | OutgoingLink>();
  readonly #incoming = new Map<number, IncomingDelivery>();
  readonly #outgoing = new Map<number, OutgoingDelivery>();
  /** Outgoing links with a backlog, in the order in which they began to wait. */
  #waiting: OutgoingLink[] = [];

  constructor(connection: Connection, channel: number) {
    this.connection = connection;
    this.channel = channel;
    this.#fullWindow = Math.max(16, Math.floor(incomingWindowBytes / connection.maxFrameSize));
    this.#incomingWindow = this.#fullWindow;
  }

  /** Sends our BEGIN. */
  begin(): void {
    const writer = this.connection.writer;
    encodeBegin(writer, {
      remoteChannel: this.remoteChannel,
      nextOutgoingId: this.#nextOutgoingId,
      incomingWindow: this.#incomingWindow,
      outgoingWindow: maxIncomingWindow,
      handleMax: maxHandles - 1,
    });
    this.connection.writeFrame(this.channel);
  }

  remoteBegin(begin: Begin, remoteChannel: number): void {
    this.remoteChannel = remoteChannel;
    this.#nextIncomingId = begin.nextOutgoingId;
    this.remoteIncomingWindow = begin.incomingWindow;
  }

  // ---- links ----

  /** Attaches a link for receiving; `source` and `target` are encoded termini. */
  attachIncoming(name: string, source: Uint8Array, target: Uint8Array): IncomingLink {
    const link = new IncomingLink(this, name, this.#takeHandle(), false);
    this.#attach(link, source, target);
    return link;
  }

  /** Attaches a link for sending. */
  attachOutgoing(name: string, source: Uint8Array, target: Uint8Array): OutgoingLink {
    const link = new OutgoingLink(this, name, this.#takeHandle(), false);
    this.#attach(link, source, target);
    return link;
  }

  #takeHandle(): number {
    const handle = this.#freeHandles.pop() ?? this.#links.length;
    if (handle >= maxHandles) throw new ProtocolViolation(Condition.resourceLimitExceeded, `more than ${maxHandles} links in a session`);
    return handle;
  }

  #attach(link: IncomingLink | OutgoingLink, source: Uint8Array, target: Uint8Array): void {
    this.#links[link.handle] = link;
    this.#awaiting.set(awaitingKey(link.receiver, link.name), link);
    this.#writeAttach(link, source, target);
  }

  #writeAttach(link: IncomingLink | OutgoingLink, source: Uint8Array, target: Uint8Array): void {
    encodeAttach(this.connection.writer, { name: link.name, handle: link.handle, receiver: link.receiver, source, target });
    this.connection.writeFrame(this.channel);
  }

  remoteAttach(attach: Attach): void {
    if (attach.handle >= maxHandles) throw new ProtocolViolation(Condition.resourceLimitExceeded, `handle ${attach.handle} is too large`);
    if (this.#byRemoteHandle.has(attach.handle)) {
      throw new ProtocolViolation(Condition.handleInUse, `handle ${attach.handle} is attached already`);
    }
    // The peer's receiver is our sender and the reverse.
    const key = awaitingKey(!attach.receiver, attach.name);
    const awaited = this.#awaiting.get(key);
    if (awaited !== undefined) {
      this.#awaiting.delete(key);
      this.#byRemoteHandle.set(attach.handle, awaited);
      awaited.remoteAttached(attach);
      if (!awaited.detachSent) awaited.handler?.attached(awaited);
      return;
    }
    const handle = this.#takeHandle();
    const link = attach.receiver ? new OutgoingLink(this, attach.name, handle, true) : new IncomingLink(this, attach.name, handle, true);
    this.#links[handle] = link;
    this.#byRemoteHandle.set(attach.handle, link);
    link.remote = attach;
    this.connection.handler.linkOffered(this.connection, link);
    assert(link.remoteHandle >= 0 || link.detachSent, 'an offered link must be accepted or refused');
  }

  /** Answers the peer's ATTACH, echoing its termini unless others are given. */
  accept(link: IncomingLink | OutgoingLink, source?: Uint8Array, target?: Uint8Array): void {
    const remote = link.remote;
    assert(remote !== undefined && link.remoteInitiated, 'only an offered link can be accepted');
    this.#writeAttach(link, source ?? remote.source.encoded, target ?? remote.target.encoded);
    link.remoteAttached(remote);
    link.handler?.attached(link);
  }

  /** Refuses the peer's ATTACH, §2.6.3: an answer without source and target, then a detach with the reason. */
  refuse(link: IncomingLink | OutgoingLink, error: AmqpError): void {
    const remote = link.remote;
    assert(remote !== undefined, 'only an offered link can be refused');
    const nothing = Uint8Array.of(0x40);
    this.#writeAttach(link, nothing, nothing);
    link.remoteHandle = remote.handle;
    this.detachLink(link, error);
  }

  detachLink(link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    if (link.detachSent || this.endSent) return;
    link.detachSent = true;
    encodeDetach(this.connection.writer, link.handle, true, error);
    this.connection.writeFrame(this.channel);
    this.#dropDeliveries(link);
    link.ended();
  }

  remoteDetach(ending: Ending): void {
    const link = this.#linkByRemoteHandle(ending.handle);
    this.#byRemoteHandle.delete(ending.handle);
    if (!link.detachSent) {
      link.detachSent = true;
      encodeDetach(this.connection.writer, link.handle, true, undefined);
      this.connection.writeFrame(this.channel);
      this.#dropDeliveries(link);
      link.ended();
    }
    this.#links[link.handle] = undefined;
    this.#freeHandles.push(link.handle);
    link.handler?.detached(link, ending.error);
  }

  /** Tells everyone who waits for an outcome on this link that none will come. */
  #dropDeliveries(link: IncomingLink | OutgoingLink): void {
    if (link.receiver) {
      if (link.unsettled === 0) return;
      for (const delivery of this.#incoming.values()) {
        if (delivery.link === link && delivery.complete) {
          delivery.settled = true;
          this.#incoming.delete(delivery.id);
          delivery.sink.senderSettled(delivery);
        }
      }
      return;
    }
    for (const delivery of link.begun) {
      this.#outgoing.delete(delivery.id);
      delivery.complete = true;
      delivery.settled = true;
      delivery.source?.lost(delivery);
    }
    link.begun.clear();
  }

  #linkByRemoteHandle(handle: number): IncomingLink | OutgoingLink {
    const link = this.#byRemoteHandle.get(handle);
    if (link === undefined) throw new ProtocolViolation(Condition.unattachedHandle, `handle ${handle} is not attached`);
    return link;
  }

  // ---- flow ----

  remoteFlow(flow: Flow): void {
    // §2.5.6: what the peer can take counts from the transfers it has seen.
    const seen = flow.nextIncomingId < 0 ? 0 : flow.nextIncomingId;
    const window = (seen + flow.incomingWindow - this.#nextOutgoingId) | 0;
    this.remoteIncomingWindow = window > 0 ? window : 0;
    if (flow.handle >= 0) this.#linkByRemoteHandle(flow.handle).remoteFlow(flow);
    else if (flow.echo) this.sendLinkFlow(-1, -1, -1, false);
    this.#flushWaiting();
  }

  waitForWindow(link: OutgoingLink): void {
    link.waiting = true;
    this.#waiting.push(link);
  }

  #flushWaiting(): void {
    if (this.#waiting.length === 0 || this.remoteIncomingWindow === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const link of waiting) link.waiting = false;
    for (const link of waiting) {
      link.flush();
      if (link.backlogBytes === 0) link.handler?.flow(link);
    }
  }

  /** FLOW with the session's state and, for `handle` >= 0, a link's. */
  sendLinkFlow(handle: number, deliveryCount: number, linkCredit: number, drain: boolean): void {
    if (this.endSent) return;
    encodeFlow(this.connection.writer, {
      nextIncomingId: this.remoteChannel < 0 ? -1 : this.#nextIncomingId,
      incomingWindow: this.#incomingWindow,
      nextOutgoingId: this.#nextOutgoingId,
      outgoingWindow: maxIncomingWindow,
      handle,
      deliveryCount,
      linkCredit,
      available: 0,
      drain,
      echo: false,
    });
    this.connection.writeFrame(this.channel);
  }

  /** Opens the incoming window again after the connection stopped withholding it. */
  renewWindow(): void {
    if (this.#incomingWindow <= this.#fullWindow >> 1) {
      this.#incomingWindow = this.#fullWindow;
      this.sendLinkFlow(-1, -1, -1, false);
    }
  }

  // ---- transfers ----

  remoteTransfer(transfer: Transfer, bytes: Uint8Array, start: number, end: number): void {
    if (this.#incomingWindow === 0) {
      throw new ProtocolViolation(Condition.windowViolation, 'transfer beyond the incoming window of the session');
    }
    this.#incomingWindow--;
    this.#nextIncomingId = (this.#nextIncomingId + 1) >>> 0;
    const link = this.#linkByRemoteHandle(transfer.handle);
    if (!link.receiver) throw new ProtocolViolation(Condition.notAllowed, 'transfer on a link that the peer receives on');
    if (!link.detachSent) {
      const error = link.transfer(transfer.deliveryId, transfer.settled, transfer.more, transfer.aborted, bytes, start, end);
      if (error !== undefined) link.detach(error);
    }
    if (this.#incomingWindow <= this.#fullWindow >> 1 && !this.connection.withholdWindow) {
      this.#incomingWindow = this.#fullWindow;
      this.sendLinkFlow(-1, -1, -1, false);
    }
  }

  /** Gives the delivery its id (§2.6.12: serial in the session). */
  addOutgoing(delivery: OutgoingDelivery): void {
    delivery.id = this.#nextDeliveryId;
    this.#nextDeliveryId = (this.#nextDeliveryId + 1) >>> 0;
    if (delivery.preSettled) return;
    this.#outgoing.set(delivery.id, delivery);
    delivery.link.begun.add(delivery);
  }
  #nextDeliveryId = 0;

  /** Writes one frame with as much of the bytes as fits and returns where the rest starts. The window has been checked. */
  writeTransfer(
    handle: number,
    delivery: OutgoingDelivery,
    first: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
    more: boolean,
  ): number {
    this.#nextOutgoingId = (this.#nextOutgoingId + 1) >>> 0;
    this.remoteIncomingWindow--;
    return this.connection.writeTransfer(this.channel, handle, first ? delivery.id : -1, delivery.preSettled, bytes, start, end, more);
  }

  writeAbort(handle: number, delivery: OutgoingDelivery): void {
    this.#nextOutgoingId = (this.#nextOutgoingId + 1) >>> 0;
    this.remoteIncomingWindow--;
    this.connection.writeAbort(this.channel, handle, delivery.id);
  }

  addIncoming(delivery: IncomingDelivery): AmqpError | undefined {
    if (this.#incoming.size >= maxUnsettled) {
      return { condition: Condition.resourceLimitExceeded, description: `more than ${maxUnsettled} unsettled deliveries` };
    }
    if (this.#incoming.has(delivery.id)) {
      return { condition: Condition.invalidField, description: `delivery-id ${delivery.id} is in use` };
    }
    this.#incoming.set(delivery.id, delivery);
    return undefined;
  }

  removeIncoming(delivery: IncomingDelivery): void {
    this.#incoming.delete(delivery.id);
  }

  forgetOutgoing(delivery: OutgoingDelivery): void {
    this.#outgoing.delete(delivery.id);
    delivery.link.begun.delete(delivery);
  }

  /** Settles an outgoing delivery from our side, §2.6.12. */
  settleOutgoing(delivery: OutgoingDelivery): void {
    this.forgetOutgoing(delivery);
    this.sendDisposition(false, delivery.id, true, 0, 0, undefined);
  }

  sendDisposition(
    receiver: boolean,
    deliveryId: number,
    settled: boolean,
    state: DeliveryState,
    sectionOffset: number,
    error: AmqpError | undefined,
  ): void {
    if (this.endSent) return;
    encodeDisposition(this.connection.writer, receiver, deliveryId, settled, state, sectionOffset, error);
    this.connection.writeFrame(this.channel);
  }

  remoteDisposition(disposition: Disposition): void {
    const { first, last } = disposition;
    const count = ((last - first) >>> 0) + 1;
    const known = disposition.receiver ? this.#outgoing : this.#incoming;
    if (count === 1) {
      this.#applyDisposition(first, disposition);
    } else if (count <= known.size) {
      for (let index = 0; index < count; index++) this.#applyDisposition((first + index) >>> 0, disposition);
    } else {
      // A range wider than what is unsettled: its cost must not be the width of the range.
      for (const id of [...known.keys()]) if ((id - first) >>> 0 < count) this.#applyDisposition(id, disposition);
    }
  }

  #applyDisposition(id: number, disposition: Disposition): void {
    if (disposition.receiver) {
      const delivery = this.#outgoing.get(id);
      if (delivery === undefined) return;
      if (disposition.settled) {
        delivery.settled = true;
        this.forgetOutgoing(delivery);
      }
      delivery.source?.disposition(delivery, disposition.state, disposition.settled, disposition.sectionOffset, disposition.error);
      return;
    }
    const delivery = this.#incoming.get(id);
    if (delivery === undefined || !disposition.settled) return;
    delivery.settled = true;
    delivery.link.deliverySettled(delivery);
    delivery.sink.senderSettled(delivery);
  }

  // ---- end ----

  end(error?: AmqpError): void {
    if (this.endSent) return;
    this.#drop();
    this.endSent = true;
    encodeEnding(this.connection.writer, Descriptor.end, error);
    this.connection.writeFrame(this.channel);
  }

  /** The peer's END: answer it. */
  remoteEnd(error: AmqpError | undefined): void {
    if (!this.endSent) {
      this.endSent = true;
      encodeEnding(this.connection.writer, Descriptor.end, undefined);
      this.connection.writeFrame(this.channel);
      this.#drop(error);
    }
  }

  /** The connection is gone. */
  lost(): void {
    if (this.endSent) return;
    this.endSent = true;
    this.#drop();
  }

  #drop(error?: AmqpError): void {
    this.#waiting = [];
    const links = this.#links.splice(0);
    this.#byRemoteHandle.clear();
    this.#awaiting.clear();
    for (const link of links) {
      if (link === undefined) continue;
      const told = link.detachSent;
      link.detachSent = true;
      if (!told) {
        this.#dropDeliveries(link);
        link.ended();
      }
      link.handler?.detached(link, error);
    }
    this.#incoming.clear();
    this.#outgoing.clear();
  }
}

function awaitingKey(receiver: boolean, name: string): string {
  return (receiver ? 'r' : 's') + name;
}
