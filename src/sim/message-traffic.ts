import { DeliveryState } from '../amqp/performatives.ts';
import { ValueReader } from '../amqp/value-reader.ts';
import type { Consumer, Downstream, Upstream } from '../forwarding/leg.ts';
import { decodeHead } from '../forwarding/message-head.ts';
import type { MessageHead } from '../forwarding/message-head.ts';
import { bodyMarkBytes, encodeStreamStart } from '../services/tcp/stream-message.ts';
import { contentOf, differenceAt } from './content.ts';
import type { Machine } from './machine.ts';
import type { SeededRandom } from './seeded-random.ts';
import type { VirtualRouter } from './virtual-router.ts';

/** The number of a message stands in front of its content. */
const numberBytes = 4;

/** A message on its way: what was sent and what became of it, as the world outside of the routers sees it. */
export interface SentMessage {
  readonly number: number;
  readonly address: string;
  readonly from: Machine;
  readonly process: VirtualRouter;
  readonly preSettled: boolean;
  readonly sentAtMs: number;
  readonly bodyBytes: number;
  readonly outcomes: DeliveryState[];
  readonly takings: Taking[];
  /** All of it has been given to the router, or its producer has given up. */
  finished: boolean;
}

/** A message as one consumer got it. */
export interface Taking {
  readonly offer: MessageOffer;
  readonly head: MessageHead;
  received: number;
  complete: boolean;
  aborted: boolean;
  settledAs: DeliveryState | undefined;
}

/** Hears what happens to messages. */
export interface MessageObserver {
  messageTaken(message: SentMessage, taking: Taking): void;
  messageSettled(message: SentMessage, state: DeliveryState): void;
  messageCorrupt(message: SentMessage | undefined, taking: Taking, reason: string): void;
}

/** A consumer of one address in one process. */
export class MessageOffer implements Consumer {
  readonly address: string;
  readonly machine: Machine;
  readonly process: VirtualRouter;
  readonly #traffic: MessageTraffic;
  outstanding = 0;
  /** Settles nothing while true. */
  holds = false;
  readonly #held: (() => void)[] = [];
  taken = 0;

  constructor(traffic: MessageTraffic, address: string, machine: Machine, process: VirtualRouter) {
    this.#traffic = traffic;
    this.address = address;
    this.machine = machine;
    this.process = process;
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    this.outstanding++;
    this.taken++;
    return new TakenMessage(this.#traffic, this, head, upstream);
  }

  /** Runs when this consumer settles again. */
  later(delayMs: number, settle: () => void): void {
    this.process.after(delayMs, () => {
      if (this.holds) this.#held.push(settle);
      else settle();
      this.process.touch();
    });
  }

  release(): void {
    this.holds = false;
    for (const settle of this.#held.splice(0)) settle();
    this.process.touch();
  }
}

/** A message in the hands of a consumer. */
class TakenMessage implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  readonly #traffic: MessageTraffic;
  readonly #taking: Taking;
  readonly #upstream: Upstream;
  /** Octets of sections in front of the body. */
  #skip: number;
  #number = 0;
  #message: SentMessage | undefined;
  #over = false;
  #forgotten = false;

  constructor(traffic: MessageTraffic, offer: MessageOffer, head: MessageHead, upstream: Upstream) {
    this.#traffic = traffic;
    this.#upstream = upstream;
    this.#skip = head.bodyStart - head.annotationsEnd + bodyMarkBytes;
    this.#taking = { offer, head, received: 0, complete: false, aborted: false, settledAs: undefined };
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#over) return;
    const taking = this.#taking;
    const skipped = Math.min(this.#skip, end - start);
    this.#skip -= skipped;
    let at = start + skipped;
    for (; at < end && taking.received < numberBytes; at++) {
      this.#number = (this.#number << 8) | bytes[at];
      if (++taking.received === numberBytes) this.#identify();
    }
    if (this.#over) return;
    const wrongAt = differenceAt(this.#number, taking.received, bytes, at, end);
    taking.received += end - at;
    if (wrongAt >= 0) {
      this.#over = true;
      this.#traffic.observer.messageCorrupt(this.#message, taking, `octet ${wrongAt} is wrong`);
    } else if (!more) this.#completed();
  }

  #identify(): void {
    this.#message = this.#traffic.sent.get(this.#number);
    if (this.#message === undefined) {
      this.#over = true;
      this.#traffic.observer.messageCorrupt(undefined, this.#taking, `no message has number ${this.#number}`);
      return;
    }
    this.#message.takings.push(this.#taking);
  }

  #completed(): void {
    const message = this.#message;
    const taking = this.#taking;
    this.#over = true;
    taking.complete = true;
    if (message === undefined) return;
    if (taking.received !== message.bodyBytes) {
      this.#traffic.observer.messageCorrupt(message, taking, `${taking.received} octets of ${message.bodyBytes} came`);
    }
    this.#traffic.observer.messageTaken(message, taking);
    taking.offer.later(this.#traffic.settleDelayMs(message), () => this.#settle(this.#traffic.outcomeOf(message)));
  }

  #settle(state: DeliveryState): void {
    if (this.#taking.settledAs !== undefined || this.#taking.aborted) return;
    this.#taking.settledAs = state;
    this.#taking.offer.outstanding--;
    if (!this.#forgotten) this.#upstream.update(state, true, 0, undefined);
  }

  abort(): void {
    if (this.#taking.aborted || this.#taking.settledAs !== undefined) return;
    this.#taking.aborted = true;
    this.#over = true;
    this.#taking.offer.outstanding--;
  }

  forget(): void {
    this.#forgotten = true;
  }
}

/** A message as its producer sees it. */
class Producer implements Upstream {
  readonly #traffic: MessageTraffic;
  readonly #message: SentMessage;

  constructor(traffic: MessageTraffic, message: SentMessage) {
    this.#traffic = traffic;
    this.#message = message;
  }

  update(state: DeliveryState, settled: boolean): void {
    if (!settled) return;
    this.#message.outcomes.push(state);
    this.#message.finished = true;
    this.#traffic.observer.messageSettled(this.#message, state);
  }

  relieved(): void {}
}

/** Sends messages and remembers what became of them. */
export class MessageTraffic {
  readonly sent: Map<number, SentMessage> = new Map();
  readonly observer: MessageObserver;
  readonly #random: SeededRandom;
  readonly #nowMs: () => number;
  maxSettleMs: number;
  #number = 0;

  constructor(observer: MessageObserver, random: SeededRandom, nowMs: () => number, maxSettleMs: number) {
    this.observer = observer;
    this.#random = random;
    this.#nowMs = nowMs;
    this.maxSettleMs = maxSettleMs;
  }

  /** Depends on the message alone: the order in which consumers get messages must not matter. */
  settleDelayMs(message: SentMessage): number {
    return ((message.number * 7919) % 1000) * (this.maxSettleMs / 1000);
  }

  outcomeOf(message: SentMessage): DeliveryState {
    const outcomes = [DeliveryState.accepted, DeliveryState.released, DeliveryState.rejected, DeliveryState.modified];
    const kind = (message.number * 31) % 16;
    return kind < 3 ? outcomes[kind + 1] : DeliveryState.accepted;
  }

  offer(address: string, machine: Machine, process: VirtualRouter): MessageOffer {
    const offer = new MessageOffer(this, address, machine, process);
    process.control.forwarder.addConsumer(address, offer);
    return offer;
  }

  withdraw(offer: MessageOffer): void {
    offer.process.control.forwarder.removeConsumer(offer.address, offer);
    offer.process.touch();
  }

  /** Sends a message; a large one may go as a stream, in pieces over time. */
  send(from: Machine, process: VirtualRouter, address: string, bodyBytes: number, preSettled: boolean, streaming: boolean): SentMessage {
    const number = ++this.#number;
    const body = contentOf(number, 0, Math.max(numberBytes, bodyBytes)).slice();
    for (let at = 0; at < numberBytes; at++) body[at] = (number >>> (24 - at * 8)) & 255;
    const message: SentMessage = {
      number,
      address,
      from,
      process,
      preSettled,
      sentAtMs: this.#nowMs(),
      bodyBytes: body.length,
      outcomes: [],
      takings: [],
      finished: false,
    };
    this.sent.set(number, message);
    const start = encodeStreamStart(address, null, null);
    const plain = decodeHead(new ValueReader(start));
    const head = { ...plain, annotations: { ...plain.annotations, flags: streaming ? 5 : 0 } };
    const routed = process.control.forwarder.forward(head, streaming, preSettled, undefined, new Producer(this, message));
    if (typeof routed === 'number') {
      message.finished = true;
      message.outcomes.push(routed);
      this.observer.messageSettled(message, routed);
      return message;
    }
    const first = new Uint8Array(start.length + body.length);
    first.set(start);
    first.set(body, start.length);
    const pieces = streaming ? 1 + this.#random.below(4) : 1;
    this.#sendPieces(message, routed, first, 0, pieces);
    process.touch();
    return message;
  }

  #sendPieces(message: SentMessage, routed: Downstream, bytes: Uint8Array, from: number, pieces: number): void {
    if (message.outcomes.length > 0) return;
    const end = pieces === 1 ? bytes.length : from + Math.floor((bytes.length - from) / pieces);
    routed.send(bytes, from, end, pieces > 1);
    if (pieces === 1) {
      message.finished = true;
      return;
    }
    message.process.after(this.#random.below(300), () => {
      this.#sendPieces(message, routed, bytes, end, pieces - 1);
      message.process.touch();
    });
  }
}
