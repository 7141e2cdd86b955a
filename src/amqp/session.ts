import { ProtocolViolation } from '../base/errors.ts';
import type { Connection } from './connection.ts';
import { Condition, Descriptor } from './constants.ts';
import { DeliveryTable } from './delivery-table.ts';
import type { IncomingDelivery, OutgoingDelivery } from './delivery.ts';
import { encodeDisposition } from './delivery-performatives.ts';
import type { Disposition, Transfer } from './delivery-performatives.ts';
import { Fifo } from './fifo.ts';
import { IncomingLink, OutgoingLink } from './link.ts';
import { DeliveryState, encodeAttach, encodeBegin, encodeDetach, encodeEnding, encodeFlow } from './performatives.ts';
import type { AmqpError, Attach, Begin, Ending, Flow, SettleModes } from './performatives.ts';
import { nullEncoded } from './terminus.ts';

/** Links of one session. All streams of a link between routers share one session: this is also the bound of concurrent streams. */
export const maxHandles = 65_536;
/** Frames the peer may send before the window is renewed, and bytes they may hold: what routers use between each other. */
const incomingWindowBytes = 134_217_728;
const maxOutgoingWindow = 0x7fffffff;
/** Pieces that one link writes before the next that waits for the session's window has its turn. */
const piecesPerTurn = 16;
/** Deliveries whose acceptance waits for the end of the turn, to be told together. */
const maxAcceptedTogether = 1_024;

/**
 * One AMQP session, §2.5. Made by `Connection.openSession` or by the peer's BEGIN.
 *
 * Violations that concern the session alone end it with END (§2.5.5); the connection and its other sessions go on.
 */
export class Session {
  readonly connection: Connection;
  /** Our channel. */
  readonly channel: number;
  remoteChannel = -1;
  endSent = false;
  /** The peer's handle-max. */
  #remoteHandleMax = maxHandles - 1;
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
  readonly #incoming: DeliveryTable<IncomingDelivery> = new DeliveryTable();
  readonly #outgoing: DeliveryTable<OutgoingDelivery> = new DeliveryTable();
  /** Incoming deliveries that were accepted, and that the peer has not been told of. */
  #accepted: number[] = [];
  /** Outgoing links with a backlog, in the order in which they began to wait. */
  readonly #waiting: Fifo<OutgoingLink> = new Fifo();
  #nextDeliveryId = 0;

  constructor(connection: Connection, channel: number) {
    this.connection = connection;
    this.channel = channel;
    this.#fullWindow = Math.max(
      16,
      Math.floor((connection.options.limits?.incomingWindowBytes ?? incomingWindowBytes) / connection.maxFrameSize),
    );
    this.#incomingWindow = this.#fullWindow;
  }

  /** Sends our BEGIN. */
  begin(): void {
    const writer = this.connection.writer;
    encodeBegin(writer, {
      remoteChannel: this.remoteChannel,
      nextOutgoingId: this.#nextOutgoingId,
      incomingWindow: this.#incomingWindow,
      outgoingWindow: maxOutgoingWindow,
      handleMax: maxHandles - 1,
    });
    this.connection.writeFrame(this.channel);
  }

  remoteBegin(begin: Begin, remoteChannel: number): void {
    this.remoteChannel = remoteChannel;
    this.#nextIncomingId = begin.nextOutgoingId;
    this.remoteIncomingWindow = begin.incomingWindow;
    this.#remoteHandleMax = Math.min(begin.handleMax, maxHandles - 1);
    if (this.#links.length - 1 > this.#remoteHandleMax) {
      this.end({ condition: Condition.resourceLimitExceeded, description: `the peer accepts no handles above ${begin.handleMax}` });
    }
  }

  // ---- links ----

  /**
   * Attaches a link for receiving; `source` and `target` are encoded termini. The name must be unique between the two containers.
   * Throws ProtocolViolation when the session has ended or neither side has room for another link.
   */
  attachIncoming(name: string, source: Uint8Array, target: Uint8Array): IncomingLink {
    const link = new IncomingLink(this, name, this.#takeHandle(), false);
    this.#attach(link, source, target);
    return link;
  }

  /** Attaches a link for sending, as `attachIncoming`. */
  attachOutgoing(name: string, source: Uint8Array, target: Uint8Array): OutgoingLink {
    const link = new OutgoingLink(this, name, this.#takeHandle(), false);
    this.#attach(link, source, target);
    return link;
  }

  #takeHandle(): number {
    if (this.endSent) throw new ProtocolViolation(Condition.illegalState, 'the session has ended');
    const handle = this.#freeHandles.at(-1) ?? this.#links.length;
    if (handle > this.#remoteHandleMax || !this.connection.budget.reserveLink()) {
      throw new ProtocolViolation(Condition.resourceLimitExceeded, `no room for more links than ${this.#byRemoteHandle.size}`);
    }
    if (handle < this.#links.length) this.#freeHandles.pop();
    return handle;
  }

  #freeHandle(handle: number): void {
    this.#links[handle] = undefined;
    this.#freeHandles.push(handle);
    this.connection.budget.releaseLinks(1);
  }

  #attach(link: IncomingLink | OutgoingLink, source: Uint8Array, target: Uint8Array): void {
    this.#links[link.handle] = link;
    this.#awaiting.set(awaitingKey(link.receiver, link.name), link);
    this.#writeAttach(link, source, target);
  }

  #writeAttach(link: IncomingLink | OutgoingLink, source: Uint8Array, target: Uint8Array, modes?: SettleModes): void {
    encodeAttach(this.connection.writer, { name: link.name, handle: link.handle, receiver: link.receiver, source, target, ...modes });
    this.connection.writeFrame(this.channel);
  }

  remoteAttach(attach: Attach): void {
    if (attach.handle >= maxHandles) throw new ProtocolViolation(Condition.framingError, `handle ${attach.handle} is above handle-max`);
    if (this.#byRemoteHandle.has(attach.handle)) {
      this.end({ condition: Condition.handleInUse, description: `handle ${attach.handle} is attached already` });
      return;
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
    const handle = this.#freeHandles.pop() ?? this.#links.length;
    if (handle > this.#remoteHandleMax || !this.connection.budget.reserveLink()) {
      this.end({ condition: Condition.resourceLimitExceeded, description: 'too many links' });
      return;
    }
    const link = attach.receiver ? new OutgoingLink(this, attach.name, handle, true) : new IncomingLink(this, attach.name, handle, true);
    this.#links[handle] = link;
    this.#byRemoteHandle.set(attach.handle, link);
    link.remote = attach;
    this.connection.handler.linkOffered(this.connection, link);
    if (link.remoteHandle < 0) this.refuse(link, { condition: Condition.internalError, description: 'the link was not answered' });
  }

  /**
   * Answers the peer's ATTACH, echoing its termini unless others are given; `modes` are mixed and first unless given. An answer that the
   * peer could not receive refuses the link.
   */
  accept(link: IncomingLink | OutgoingLink, source?: Uint8Array, target?: Uint8Array, modes?: SettleModes): void {
    const remote = link.remote;
    if (remote === undefined || link.remoteHandle >= 0 || this.endSent) return;
    const ourSource = source ?? remote.source.encoded;
    const ourTarget = target ?? remote.target.encoded;
    if (ourSource.length + ourTarget.length + 3 * link.name.length + attachOverhead > this.connection.remoteMaxFrameSize) {
      this.refuse(link, { condition: Condition.frameSizeTooSmall, description: 'the answer would not fit into a frame' });
      return;
    }
    this.#writeAttach(link, ourSource, ourTarget, modes);
    link.remoteAttached(remote);
    link.handler?.attached(link);
  }

  /** Refuses the peer's ATTACH, §2.6.3: an answer without source and target, then a detach with the reason. */
  refuse(link: IncomingLink | OutgoingLink, error: AmqpError): void {
    const remote = link.remote;
    if (remote === undefined || link.remoteHandle >= 0 || this.endSent) return;
    this.#writeAttach(link, nullEncoded, nullEncoded);
    link.remoteHandle = remote.handle;
    this.detachLink(link, error);
  }

  detachLink(link: IncomingLink | OutgoingLink, error: AmqpError | undefined): void {
    if (link.detachSent || this.endSent) return;
    link.detachSent = true;
    this.tellAccepted();
    encodeDetach(this.connection.writer, link.handle, true, this.connection.fitError(error));
    this.connection.writeFrame(this.channel);
    link.ended();
  }

  remoteDetach(ending: Ending): void {
    const link = this.#linkByRemoteHandle(ending.handle);
    if (link === undefined) return;
    this.#byRemoteHandle.delete(ending.handle);
    if (!link.detachSent) {
      link.detachSent = true;
      this.tellAccepted();
      encodeDetach(this.connection.writer, link.handle, ending.closed, undefined);
      this.connection.writeFrame(this.channel);
      link.ended();
    }
    // What heard of the end may have ended the session, which told the link already.
    if (this.endSent) return;
    this.#freeHandle(link.handle);
    link.handler?.detached(link, ending.error);
  }

  /** The link of the peer's handle; without one, the session ends. */
  #linkByRemoteHandle(handle: number): IncomingLink | OutgoingLink | undefined {
    const link = this.#byRemoteHandle.get(handle);
    if (link === undefined) this.end({ condition: Condition.unattachedHandle, description: `handle ${handle} is not attached` });
    return link;
  }

  // ---- flow ----

  remoteFlow(flow: Flow): void {
    // §2.5.6: what the peer can take counts from the transfers it has seen.
    const unseen = (this.#nextOutgoingId - Math.max(0, flow.nextIncomingId)) >>> 0;
    this.remoteIncomingWindow = flow.incomingWindow > unseen ? flow.incomingWindow - unseen : 0;
    if (flow.handle >= 0) {
      const link = this.#linkByRemoteHandle(flow.handle);
      if (link === undefined) return;
      if (!link.detachSent) link.remoteFlow(flow);
    } else if (flow.echo) this.sendLinkFlow(-1, -1, -1, false);
    this.#flushWaiting();
  }

  waitForWindow(link: OutgoingLink): void {
    if (link.waiting) return;
    link.waiting = true;
    this.#waiting.push(link);
  }

  /** Links that wait for the window write in turn: each some pieces, then to the end of the line. */
  #flushWaiting(): void {
    while (this.remoteIncomingWindow > 0) {
      const link = this.#waiting.shift();
      if (link === undefined) return;
      link.waiting = false;
      link.flush(piecesPerTurn);
      if (link.backlogBytes === 0 && !link.detachSent) link.handler?.flow(link);
    }
  }

  /** FLOW with the session's state and, for `handle` >= 0, a link's. */
  sendLinkFlow(handle: number, deliveryCount: number, linkCredit: number, drain: boolean): void {
    if (this.endSent) return;
    encodeFlow(this.connection.writer, {
      nextIncomingId: this.remoteChannel < 0 ? -1 : this.#nextIncomingId,
      incomingWindow: this.#incomingWindow,
      nextOutgoingId: this.#nextOutgoingId,
      outgoingWindow: maxOutgoingWindow,
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

  /** A transfer frame; `unfinished` when the rest of its payload follows by `remotePayload`. */
  remoteTransfer(transfer: Transfer, unfinished: boolean, bytes: Uint8Array, start: number, end: number): void {
    if (this.#incomingWindow === 0) {
      this.end({ condition: Condition.windowViolation, description: 'transfer beyond the incoming window of the session' });
      return;
    }
    this.#incomingWindow--;
    this.#nextIncomingId = (this.#nextIncomingId + 1) >>> 0;
    const link = this.#linkByRemoteHandle(transfer.handle);
    if (link === undefined) return;
    if (!link.receiver) {
      this.end({ condition: Condition.errantLink, description: 'transfer on a link that the peer receives on' });
      return;
    }
    if (!link.detachSent) {
      const error = link.transfer(transfer.deliveryId, transfer.settled, transfer.more || unfinished, transfer.aborted, bytes, start, end);
      if (error !== undefined) link.detach(error);
    }
    if (this.#incomingWindow <= this.#fullWindow >> 1 && !this.connection.withholdWindow) {
      this.#incomingWindow = this.#fullWindow;
      this.sendLinkFlow(-1, -1, -1, false);
    }
  }

  /** More payload of the last transfer frame of the link. */
  remotePayload(handle: number, bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.endSent) return;
    const link = this.#byRemoteHandle.get(handle);
    if (link !== undefined && link.receiver && !link.detachSent) link.payload(bytes, start, end, more);
  }

  /** Gives the delivery its id (§2.6.12: serial in the session). */
  addOutgoing(delivery: OutgoingDelivery): void {
    delivery.id = this.#nextDeliveryId;
    this.#nextDeliveryId = (this.#nextDeliveryId + 1) >>> 0;
    if (delivery.settled) return;
    this.#outgoing.add(delivery);
    delivery.link.addBegun(delivery);
  }

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
    return this.connection.writeTransfer(this.channel, handle, first ? delivery.id : -1, delivery.settled, bytes, start, end, more);
  }

  writeAbort(handle: number, delivery: OutgoingDelivery): void {
    this.#nextOutgoingId = (this.#nextOutgoingId + 1) >>> 0;
    this.remoteIncomingWindow--;
    this.connection.writeAbort(this.channel, handle, delivery.id);
  }

  addIncoming(delivery: IncomingDelivery): AmqpError | undefined {
    if (this.#incoming.get(delivery.id) !== undefined) {
      return { condition: Condition.invalidField, description: `delivery-id ${delivery.id} is in use` };
    }
    if (!this.connection.budget.reserveUnsettled()) {
      return { condition: Condition.resourceLimitExceeded, description: 'too many unsettled deliveries' };
    }
    this.#incoming.add(delivery);
    return undefined;
  }

  removeIncoming(delivery: IncomingDelivery): void {
    if (this.#incoming.remove(delivery.id)) this.connection.budget.releaseUnsettled();
  }

  forgetOutgoing(delivery: OutgoingDelivery): void {
    if (this.#outgoing.remove(delivery.id)) delivery.link.removeBegun(delivery);
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
    mayWait = false,
  ): void {
    if (this.endSent) return;
    if (receiver && settled && state === DeliveryState.accepted) {
      if (this.#accepted.length === 0) this.connection.tellAcceptedLater(this);
      if (!mayWait) this.connection.tellAcceptedSoon();
      this.#accepted.push(deliveryId);
      if (this.#accepted.length >= maxAcceptedTogether) this.tellAccepted();
      return;
    }
    // Outcomes reach the peer in the order in which they were given.
    if (receiver && settled) this.tellAccepted();
    const { writer } = this.connection;
    encodeDisposition(writer, receiver, deliveryId, deliveryId, settled, state, sectionOffset, this.connection.fitError(error));
    this.connection.writeFrame(this.channel);
  }

  /** Tells the peer what was accepted, with one frame for ids that follow each other. Before the end of a link, it must have heard. */
  tellAccepted(): void {
    const accepted = this.#accepted;
    if (accepted.length === 0) return;
    if (accepted.length > 1) {
      // Serial numbers: by their distance from one of them.
      const [base] = accepted;
      accepted.sort((a, b) => ((a - base) | 0) - ((b - base) | 0));
    }
    for (let index = 0; index < accepted.length;) {
      const first = accepted[index];
      let last = first;
      for (index++; index < accepted.length && accepted[index] === (last + 1) >>> 0; index++) last = accepted[index];
      encodeDisposition(this.connection.writer, true, first, last, true, DeliveryState.accepted, 0, undefined);
      this.connection.writeFrame(this.channel);
    }
    accepted.length = 0;
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
      // A range wider than what is unsettled: its cost must not be the width of the range. A copy, because settling may begin deliveries.
      for (const id of known.ids()) if ((id - first) >>> 0 < count) this.#applyDisposition(id, disposition);
    }
  }

  #applyDisposition(id: number, disposition: Disposition): void {
    if (disposition.receiver) {
      const delivery = this.#outgoing.get(id);
      if (delivery === undefined) return;
      if (disposition.settled) {
        delivery.settled = true;
        delivery.over = true;
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

  /** Ends the session; its links hear `error`. */
  end(error?: AmqpError): void {
    if (this.endSent) return;
    this.tellAccepted();
    this.endSent = true;
    this.#writeEnd(error);
    this.#drop(error);
  }

  /** The peer's END: answer it. */
  remoteEnd(error: AmqpError | undefined): void {
    if (this.endSent) return;
    this.tellAccepted();
    this.endSent = true;
    this.#writeEnd(undefined);
    this.#drop(error);
  }

  #writeEnd(error: AmqpError | undefined): void {
    encodeEnding(this.connection.writer, Descriptor.end, this.connection.fitError(error));
    this.connection.writeFrame(this.channel);
  }

  /** The connection is gone. */
  lost(): void {
    if (this.endSent) return;
    this.endSent = true;
    this.#drop(undefined);
  }

  #drop(error: AmqpError | undefined): void {
    const links = this.#links.splice(0);
    this.#byRemoteHandle.clear();
    this.#awaiting.clear();
    let count = 0;
    for (const link of links) {
      if (link === undefined) continue;
      count++;
      const told = link.detachSent;
      link.detachSent = true;
      if (!told) link.ended();
      link.handler?.detached(link, error);
    }
    this.connection.budget.releaseLinks(count);
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#accepted = [];
  }
}

/** What an ATTACH holds beside name and termini, with its frame header. */
const attachOverhead = 64;

function awaitingKey(receiver: boolean, name: string): string {
  return (receiver ? 'r' : 's') + name;
}
