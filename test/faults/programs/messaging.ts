/**
 * A messaging peer: a router of its own with producers and consumers of numbered messages in place of TCP services.
 *
 * `node messaging.ts CONFIGURATION`; runs until SIGTERM. Questions on the message channel:
 *
 *     { consume: { address, consumers, messages } }     receives numbers below `messages` and counts how often each came
 *     { produce: { address, messages, perSecond, preSettled, window } }
 *                                                       sends each number until it is accepted; pre-settled: once
 *     { progress: true }                                how many messages are done, of all producers; cheap enough to be asked often
 *     { report: true }                                  Report, with some octets for each message
 */
import { readFileSync } from 'node:fs';
import { ValueReader } from '../../../src/amqp/value-reader.ts';
import { DeliveryState } from '../../../src/amqp/performatives.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { DeliveryCounts } from '../../../src/forwarding/delivery-counters.ts';
import type { Consumer, Downstream, Upstream } from '../../../src/forwarding/leg.ts';
import { decodeHead } from '../../../src/forwarding/message-head.ts';
import type { MessageHead } from '../../../src/forwarding/message-head.ts';
import { processClock } from '../../../src/host/process-clock.ts';
import { processRandom } from '../../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../../src/management/router-configuration.ts';
import { Router } from '../../../src/router/router.ts';
import { encodeStreamStart } from '../../../src/services/tcp/stream-message.ts';

export interface ConsumeQuestion {
  readonly address: string;
  readonly consumers: number;
  readonly messages: number;
}

export interface ProduceQuestion {
  readonly address: string;
  readonly messages: number;
  readonly perSecond: number;
  readonly preSettled: boolean;
  /** Unsettled messages at a time. */
  readonly window: number;
}

export type MessagingQuestion =
  | { readonly consume: ConsumeQuestion }
  | { readonly produce: ProduceQuestion }
  | { readonly progress: true }
  | { readonly report: true };

/** Messages of all producers that are accepted, or sent pre-settled, and how many there are in all. */
export interface ProducingProgress {
  readonly finished: number;
  readonly messages: number;
}

/** What one consumer got. */
export interface ConsumerReport {
  readonly address: string;
  /** How often each number came, as base64 of one octet each. */
  readonly counts: string;
}

export interface ProducerReport {
  readonly address: string;
  readonly preSettled: boolean;
  /** Accepted numbers, as base64 of one octet each; of a pre-settled producer: those that were sent. */
  readonly accepted: string;
  readonly sends: number;
  readonly released: number;
  readonly modified: number;
  readonly rejected: number;
  readonly finished: boolean;
}

export interface MessagingReport {
  /** What the peer's own router counted. */
  readonly incoming: DeliveryCounts;
  readonly outgoing: DeliveryCounts;
  readonly consumers: readonly ConsumerReport[];
  readonly producers: readonly ProducerReport[];
}

const numberBytes = 8;
/** A message for which there is no way, or that was lost, is sent again after this time. */
const retryMs = 20;
const tickMs = 5;

const [file = ''] = process.argv.slice(2);
const router = new Router(parseRouterConfiguration(readFileSync(file, 'utf8'), file), {
  clock: processClock,
  random: processRandom(),
  log: silentLogger,
  version: 'faults',
});

/** Counts the messages it takes and accepts each at the end of the turn. */
class CountingConsumer implements Consumer {
  readonly address: string;
  readonly counts: Uint8Array;
  readonly outstanding = 0;

  constructor(address: string, messages: number) {
    this.address = address;
    this.counts = new Uint8Array(messages);
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    let tail: Uint8Array = new Uint8Array(0);
    let over = false;
    void head;
    return {
      congested: false,
      overloaded: false,
      send: (bytes, start, end, more) => {
        const piece = bytes.subarray(Math.max(start, end - numberBytes), end);
        tail = piece.length >= numberBytes ? piece : Buffer.concat([tail, piece]).subarray(-numberBytes);
        if (more || over) return;
        over = true;
        const number = Buffer.from(tail).readUInt32BE(4);
        if (number < this.counts.length && this.counts[number] < 255) this.counts[number]++;
        setImmediate(() => {
          upstream.update(DeliveryState.accepted, true, 0, undefined);
          router.turns.touch();
        });
      },
      abort: () => (over = true),
      forget: () => undefined,
    };
  }
}

/** Sends numbered messages at a rate. */
class NumberedProducer {
  readonly question: ProduceQuestion;
  readonly done: Uint8Array;
  sends = 0;
  released = 0;
  modified = 0;
  rejected = 0;
  #finished = 0;
  #next = 0;
  #underWay = 0;
  #congested = false;
  readonly #again: number[] = [];
  readonly #start: Uint8Array;
  readonly #startedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(question: ProduceQuestion) {
    this.question = question;
    this.done = new Uint8Array(question.messages);
    this.#start = encodeStreamStart(question.address, null, null);
    this.#tick();
  }

  get finished(): boolean {
    return this.#finished >= this.question.messages;
  }

  /** Messages that are accepted, or sent pre-settled. */
  get finishedMessages(): number {
    return this.#finished;
  }

  #tick(): void {
    this.#timer = undefined;
    const { messages, perSecond, window } = this.question;
    const due = Math.min(messages, Math.floor(((performance.now() - this.#startedMs) * perSecond) / 1000));
    let isBlocked = false;
    while (!isBlocked && !this.#congested && this.#underWay < window && (this.#again.length > 0 || this.#next < due)) {
      isBlocked = !this.#send(this.#again.pop() ?? this.#next++);
    }
    router.turns.touch();
    if (!this.finished) this.#timer = setTimeout(() => this.#tick(), isBlocked ? retryMs : tickMs);
  }

  /** False when there is no way now. */
  #send(number: number): boolean {
    const { preSettled } = this.question;
    const bytes = Buffer.alloc(this.#start.length + numberBytes);
    bytes.set(this.#start);
    bytes.writeUInt32BE(number, this.#start.length + 4);
    const plain = decodeHead(new ValueReader(this.#start));
    const head = { ...plain, annotations: { ...plain.annotations, flags: 0 } };
    const upstream: Upstream = {
      update: (state, settled) => {
        if (settled) this.#settled(number, state);
      },
      relieved: () => (this.#congested = false),
    };
    const routed = router.forwarder.forward(head, false, preSettled, undefined, upstream);
    if (typeof routed === 'number') {
      this.#again.push(number);
      return false;
    }
    this.sends++;
    if (preSettled) this.#finish(number);
    else this.#underWay++;
    routed.send(bytes, 0, bytes.length, false);
    if (routed.congested) this.#congested = true;
    return true;
  }

  #settled(number: number, state: DeliveryState): void {
    if (this.question.preSettled) return;
    this.#underWay--;
    if (state === DeliveryState.accepted) {
      this.#finish(number);
      return;
    }
    if (state === DeliveryState.released) this.released++;
    else if (state === DeliveryState.modified) this.modified++;
    else this.rejected++;
    setTimeout(() => this.#again.push(number), retryMs);
  }

  #finish(number: number): void {
    this.done[number] = 1;
    this.#finished++;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

const consumers: CountingConsumer[] = [];
const producers: NumberedProducer[] = [];

function progress(): ProducingProgress {
  let [finished, messages] = [0, 0];
  for (const producer of producers) {
    finished += producer.finishedMessages;
    messages += producer.question.messages;
  }
  return { finished, messages };
}

function report(): MessagingReport {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  return {
    incoming: router.forwarder.incoming.counts(),
    outgoing: router.forwarder.outgoing.counts(),
    consumers: consumers.map(({ address, counts }) => ({ address, counts: base64(counts) })),
    producers: producers.map(({ question, done, sends, released, modified, rejected, finished }) => {
      const { address, preSettled } = question;
      return { address, preSettled, accepted: base64(done), sends, released, modified, rejected, finished };
    }),
  };
}

process.on('message', (question: MessagingQuestion) => {
  if ('consume' in question) {
    const { address, consumers: count, messages } = question.consume;
    for (let index = 0; index < count; index++) {
      const consumer = new CountingConsumer(address, messages);
      consumers.push(consumer);
      router.forwarder.addConsumer(address, consumer);
    }
    router.turns.touch();
  } else if ('produce' in question) {
    producers.push(new NumberedProducer(question.produce));
  }
  process.send?.('report' in question ? report() : 'progress' in question ? progress() : {});
});
process.once('SIGTERM', () => {
  for (const producer of producers) producer.stop();
  void router.stop().then(() => process.exit(0));
});
await router.start();
console.log('running');
