import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import { Refusal } from '../tcp/listener.ts';
import { flowLost } from './conditions.ts';
import { datagramsType, headBytesOf, startMessage } from './datagram-message.ts';
import type { DatagramQueue } from './datagram-queue.ts';
import { RecordReader } from './datagram-records.ts';
import type { DatagramSink } from './datagram-records.ts';
import { DatagramSender } from './datagram-sender.ts';
import type { FlowContext } from './flow-context.ts';
import { acknowledgeStepBytes } from './flow-window.ts';

/**
 * How a way ended: `returned`: no server has been given anything; `finished`: the server's side has ended it in order; `lost`: something on
 * the way has; `failed`: the server cannot be reached.
 */
export type WayEnd = 'returned' | 'finished' | 'lost' | 'failed';

/** Hears of one way at a time. */
export interface WayOwner extends DatagramSink {
  /** A server takes part. */
  established(): void;
  /** The server's router has answered. */
  answeredBy(routerId: string): void;
  /** The way takes datagrams again. */
  passable(): void;
  ended(how: WayEnd, reason: string | undefined): void;
}

/** One try of a client's flow to reach a server: the message to the server and its answer. */
export class ClientWay implements Consumer, Upstream, Downstream, DatagramSink {
  readonly outstanding = 0;
  readonly congested = false;
  readonly overloaded = false;
  readonly #context: FlowContext;
  readonly #owner: WayOwner;
  readonly #replyTo: string;
  #sender: DatagramSender | undefined;
  #reader: RecordReader | undefined;
  #upstream: Upstream | undefined;
  #acknowledgedBytes = 0;
  #isEstablished = false;
  /** The owner hears nothing more, and clients get nothing more. */
  #isOver = false;

  constructor(context: FlowContext, owner: WayOwner) {
    this.#context = context;
    this.#owner = owner;
    this.#replyTo = context.forwarder.addTemporary(this);
  }

  /** Begins the message. False when there is no way to the address now: then this is over. */
  begin(queue: DatagramQueue, address: string, correlationId: string): boolean {
    const started = startMessage(this.#context.forwarder, address, this.#replyTo, correlationId, this);
    if (started === undefined) {
      this.#leave();
      return false;
    }
    this.#sender = new DatagramSender(queue, this.#context.budget.window, started.downstream, started.start, true);
    return true;
  }

  /** Sends what waits in the queue. */
  flush(nowMs: number): void {
    this.#sender?.flush(nowMs);
  }

  /** Nothing comes of this way, as far as is known. */
  isDead(nowMs: number): boolean {
    return this.#sender !== undefined && (this.#sender.severed || this.#sender.isSilent(nowMs));
  }

  // ---- to the server ----

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    const sender = this.#sender;
    if (this.#isOver || sender === undefined) return;
    if (state === DeliveryState.received) {
      this.#establish();
      sender.acknowledged(sectionOffset, this.#context.clock.nowMs());
      if (!settled) {
        this.#owner.passable();
        return;
      }
    }
    if (!settled && state === DeliveryState.none) return;
    sender.over(settled);
    if (state === DeliveryState.released && !this.#isEstablished) {
      sender.returnRetained();
      this.#end('returned', undefined);
    } else if (state === DeliveryState.accepted) this.#end('finished', undefined);
    else this.#end(isOfTheWay(error) ? 'lost' : 'failed', error?.description || error?.condition);
  }

  relieved(): void {
    if (!this.#isOver) this.#owner.passable();
  }

  #establish(): void {
    if (this.#isEstablished) return;
    this.#isEstablished = true;
    this.#sender?.keepNoMore();
    this.#owner.established();
  }

  // ---- from the server ----

  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    if (this.#isOver || this.#reader !== undefined || head.contentType !== datagramsType) return new Refusal(upstream);
    this.#upstream = upstream;
    this.#reader = new RecordReader(this, headBytesOf(head));
    this.#establish();
    this.#owner.answeredBy(origin);
    return this;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    reader.read(bytes, start, end);
    if (reader.bytes - this.#acknowledgedBytes >= acknowledgeStepBytes) this.acknowledge();
    if (more) return;
    this.#settle(DeliveryState.accepted);
    if (this.#isOver) return;
    // The server's side wants no more datagrams either.
    this.#sender?.complete();
    this.#end('finished', undefined);
  }

  datagram(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isOver) this.#owner.datagram(bytes, start, end);
  }

  /** Tells the server's side how far its datagrams have come. */
  acknowledge(): void {
    const reader = this.#reader;
    if (reader === undefined || reader.bytes === this.#acknowledgedBytes) return;
    this.#acknowledgedBytes = reader.bytes;
    this.#upstream?.update(DeliveryState.received, false, reader.bytes, undefined);
  }

  abort(): void {
    this.#upstream = undefined;
    if (this.#isOver) return;
    this.#sender?.abort();
    this.#end('lost', undefined);
  }

  forget(): void {
    this.#upstream = undefined;
  }

  #settle(state: DeliveryState): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(state, true, 0, undefined);
  }

  // ---- end ----

  #leave(): void {
    this.#isOver = true;
    this.#context.forwarder.removeTemporary(this.#replyTo);
  }

  #end(how: WayEnd, reason: string | undefined): void {
    this.#leave();
    this.#settle(how === 'finished' ? DeliveryState.accepted : DeliveryState.modified);
    this.#owner.ended(how, reason);
  }

  /** The client's side wants no more: both messages end in order. The owner is told nothing. */
  finish(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#sender?.complete();
  }

  /** Ends both messages in the middle. The owner is told nothing. */
  cut(): void {
    if (this.#isOver) return;
    this.#leave();
    this.#sender?.abort();
    this.#settle(DeliveryState.modified);
  }
}

function isOfTheWay(error: AmqpError | undefined): boolean {
  return error === undefined || error.condition === linkLost.condition || error.condition === flowLost.condition;
}
