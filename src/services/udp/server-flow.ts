import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import type { EndOfTurnTask } from '../http/end-of-turn.ts';
import { connectFailed, flowLost } from './conditions.ts';
import { headBytesOf, startMessage } from './datagram-message.ts';
import { DatagramQueue } from './datagram-queue.ts';
import { RecordReader } from './datagram-records.ts';
import type { DatagramSink } from './datagram-records.ts';
import { DatagramSender } from './datagram-sender.ts';
import type { DropCounts } from './drop-counts.ts';
import type { FlowContext } from './flow-context.ts';
import { acknowledgeStepBytes } from './flow-window.ts';
import type { Idle } from './idle-list.ts';
import { datagramCostBytes, maxEarlyBytes } from './limits.ts';
import type { OpenServerSocket, ServerSocket, ServerSocketHandler } from './server-socket.ts';

/** The connector that a flow belongs to. */
export interface ServerFlowOwner {
  readonly context: FlowContext;
  readonly drops: DropCounts;
  readonly maxDatagramBytes: number;
  /** Datagrams have come from the client, or from the server. */
  used(flow: ServerFlow): void;
  toServer(bytes: number): void;
  fromServer(bytes: number): void;
  /** The flow has ended by itself; `failure` says why the server could not be reached. */
  ended(flow: ServerFlow, failure: string | undefined): void;
}

/** The datagrams of one flow at the server's side: a socket of its own, so that the server sees a client of its own. */
export class ServerFlow implements Upstream, Downstream, DatagramSink, ServerSocketHandler, EndOfTurnTask, Idle<ServerFlow> {
  readonly congested = false;
  readonly overloaded = false;
  previous: ServerFlow | undefined = undefined;
  next: ServerFlow | undefined = undefined;
  lastUsedMs = 0;
  readonly #owner: ServerFlowOwner;
  readonly #replyTo: string;
  readonly #reader: RecordReader;
  readonly #queue: DatagramQueue;
  #upstream: Upstream | undefined;
  #socket: ServerSocket | undefined;
  #isSocketOpen = false;
  /** Datagrams that have come before the socket was open. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #acknowledgedBytes = 0;
  /** The answer, once the server has said something. */
  #sender: DatagramSender | undefined;
  #isScheduled = false;
  #isOver = false;

  constructor(owner: ServerFlowOwner, head: MessageHead, replyTo: string, upstream: Upstream) {
    this.#owner = owner;
    this.#replyTo = replyTo;
    this.#upstream = upstream;
    this.#reader = new RecordReader(this, headBytesOf(head));
    this.#queue = new DatagramQueue(owner.context.budget.waiting, owner.drops);
  }

  /** Opens the socket. False when there is none to be had: the flow has not begun. */
  open(open: OpenServerSocket): boolean {
    this.#socket = open(this);
    return this.#socket !== undefined;
  }

  // ---- from the client ----

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#isOver) return;
    this.#owner.used(this);
    this.#reader.read(bytes, start, end);
    if (this.#reader.bytes - this.#acknowledgedBytes >= acknowledgeStepBytes) this.acknowledge();
    if (more) return;
    this.#finish(DeliveryState.accepted, undefined);
    this.#owner.ended(this, undefined);
  }

  datagram(bytes: Uint8Array, start: number, end: number): void {
    const { drops, maxDatagramBytes } = this.#owner;
    if (this.#isOver) drops.add('flowEnded');
    else if (end - start > maxDatagramBytes) drops.add('tooLong');
    else if (this.#isSocketOpen) this.#toServer(bytes, start, end);
    else if (this.#earlyBytes + end - start > maxEarlyBytes) drops.add('noSocket');
    else {
      this.#earlyBytes += end - start + datagramCostBytes;
      this.#early.push(bytes.subarray(start, end));
    }
  }

  #toServer(bytes: Uint8Array, start: number, end: number): void {
    this.#owner.toServer(end - start);
    this.#socket?.send(bytes, start, end);
  }

  /** Tells the client's side how far its datagrams have come. Before the socket is open they may still go to another server. */
  acknowledge(): void {
    const { bytes } = this.#reader;
    if (!this.#isSocketOpen || bytes === this.#acknowledgedBytes) return;
    this.#acknowledgedBytes = bytes;
    this.#upstream?.update(DeliveryState.received, false, bytes, undefined);
  }

  abort(): void {
    this.#upstream = undefined;
    if (this.#isOver) return;
    this.#close();
    this.#sender?.abort();
    this.#owner.ended(this, undefined);
  }

  forget(): void {
    this.#upstream = undefined;
  }

  // ---- the server ----

  opened(): void {
    if (this.#isOver) return;
    this.#isSocketOpen = true;
    const early = this.#early;
    this.#early = [];
    for (const datagram of early) this.#toServer(datagram, 0, datagram.length);
    if (this.#reader.bytes >= acknowledgeStepBytes) this.acknowledge();
  }

  received(datagram: Uint8Array): void {
    const owner = this.#owner;
    if (this.#isOver) return;
    if (datagram.length > owner.maxDatagramBytes) {
      owner.drops.add('tooLong');
      return;
    }
    owner.fromServer(datagram.length);
    const nowMs = owner.context.clock.nowMs();
    this.#queue.add(datagram, nowMs);
    if (this.#queue.isBatch) this.#flush(nowMs);
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      owner.context.turns.add(this);
    }
  }

  endOfTurn(): void {
    this.#isScheduled = false;
    const { context } = this.#owner;
    this.#flush(context.clock.nowMs());
    context.turns.touch();
  }

  failed(reason: string): void {
    if (this.#isOver) return;
    // What waited for the socket has certainly not been given to the server.
    const state = this.#isSocketOpen ? DeliveryState.modified : DeliveryState.released;
    this.#owner.drops.add(this.#isSocketOpen ? 'refused' : 'noSocket');
    this.#finish(state, { condition: connectFailed, description: reason });
    this.#owner.ended(this, reason);
  }

  dropped(): void {
    this.#owner.drops.add('socketFull');
  }

  #flush(nowMs: number): void {
    if (this.#isOver || this.#queue.length === 0) return;
    this.#owner.used(this);
    if (this.#sender === undefined) {
      const { forwarder, budget } = this.#owner.context;
      const started = startMessage(forwarder, this.#replyTo, null, null, this);
      if (started === undefined) {
        // Routes are changing: the next datagram, or the next look at the flow, tries again.
        this.#queue.expire(nowMs, 'noWay');
        return;
      }
      this.#sender = new DatagramSender(this.#queue, budget.window, started.downstream, started.start, false);
    }
    this.#sender.flush(nowMs);
  }

  // ---- to the client ----

  update(state: DeliveryState, settled: boolean, sectionOffset: number, _error: AmqpError | undefined): void {
    const sender = this.#sender;
    if (sender === undefined || this.#isOver) return;
    if (state === DeliveryState.received) {
      const nowMs = this.#owner.context.clock.nowMs();
      sender.acknowledged(sectionOffset, nowMs);
      if (!settled) {
        this.#flush(nowMs);
        return;
      }
    }
    if (!settled && state === DeliveryState.none) return;
    sender.over(settled);
    if (state === DeliveryState.accepted) this.#finish(DeliveryState.accepted, undefined);
    else this.#finish(DeliveryState.modified, flowLost);
    this.#owner.ended(this, undefined);
  }

  relieved(): void {
    this.#flush(this.#owner.context.clock.nowMs());
  }

  // ---- end ----

  /** Looks after the way to the client. True when it is dead, and this flow with it. */
  check(nowMs: number): boolean {
    const sender = this.#sender;
    if (sender !== undefined && (sender.severed || sender.isSilent(nowMs))) {
      sender.abort();
      this.#finish(DeliveryState.modified, flowLost);
      return true;
    }
    this.acknowledge();
    this.#flushLate(nowMs);
    return false;
  }

  #flushLate(nowMs: number): void {
    if (this.#queue.length === 0) return;
    if (this.#sender === undefined) this.#queue.expire(nowMs, 'noWay');
    this.#flush(nowMs);
  }

  /** Ends in order, as when it is idle. The owner is told nothing. */
  end(): void {
    if (!this.#isOver) this.#finish(DeliveryState.accepted, undefined);
  }

  /** Ends in the middle. The owner is told nothing. */
  cut(): void {
    if (this.#isOver) return;
    this.#sender?.abort();
    this.#finish(this.#isSocketOpen ? DeliveryState.modified : DeliveryState.released, this.#isSocketOpen ? flowLost : undefined);
  }

  #finish(state: DeliveryState, error: AmqpError | undefined): void {
    this.#close();
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(state, true, 0, error);
    this.#sender?.complete();
  }

  #close(): void {
    this.#isOver = true;
    this.#owner.drops.add('noSocket', this.#early.length);
    this.#early = [];
    this.#queue.clear('flowEnded');
    this.#socket?.close();
    this.#socket = undefined;
  }
}
