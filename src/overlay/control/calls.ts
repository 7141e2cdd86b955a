import type { Durations } from './durations.ts';
import { messageLimits, weightOf, type AnswerRecord, type CallRecord, type MessageRecord, type NoticeRecord } from './messages.ts';

/** Gets the answer, or undefined when there is none after `callTimeoutMs` or the call could not be made. */
export type Answered = (answer: AnswerRecord | undefined, nowMs: number) => void;

type WithoutId<T> = T extends CallRecord ? Omit<T, 'id'> : never;
/** A call as its maker gives it. */
export type NewCall = WithoutId<CallRecord>;

interface Outstanding {
  readonly to: number;
  readonly record: CallRecord;
  readonly answered: Answered;
  readonly endsMs: number;
  waitMs: number;
  repeatMs: number;
}

export interface Outgoing {
  readonly to: number;
  readonly records: readonly MessageRecord[];
}

/** Calls that wait for their answers, at most: 4,096 endpoints come or go at once with two calls each, and the rest. */
const outstandingLimit = 16_384;

/** Calls to other hosts: repeats them, matches their answers, and packs what goes to one host into few messages. */
export class Calls {
  readonly #durations: Durations;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #queued = new Map<number, MessageRecord[]>();
  /** Calls made, by type, without repetitions. */
  readonly counts: Map<CallRecord['type'], number> = new Map<CallRecord['type'], number>();
  #lastId: number;
  #dueMs = Infinity;

  /** `firstId`: random, so that answers to another life of this host match nothing. */
  constructor(durations: Durations, firstId: number) {
    this.#durations = durations;
    this.#lastId = firstId >>> 0;
  }

  get size(): number {
    return this.#outstanding.size;
  }

  call(to: number, call: NewCall, nowMs: number, answered: Answered): void {
    if (this.#outstanding.size >= outstandingLimit) {
      answered(undefined, nowMs);
      return;
    }
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#outstanding.has(this.#lastId));
    const record = { ...call, id: this.#lastId } as CallRecord;
    const { retryMs, callTimeoutMs } = this.#durations;
    this.#outstanding.set(record.id, { to, record, answered, endsMs: nowMs + callTimeoutMs, waitMs: retryMs, repeatMs: nowMs + retryMs });
    this.#dueMs = Math.min(this.#dueMs, nowMs + retryMs);
    this.counts.set(record.type, (this.counts.get(record.type) ?? 0) + 1);
    this.#queue(to, record);
  }

  notify(to: number, notice: NoticeRecord): void {
    this.#queue(to, notice);
  }

  answer(to: number, answer: AnswerRecord): void {
    this.#queue(to, answer);
  }

  /** An answer came. One that nobody waits for is dropped. */
  answered(from: number, answer: AnswerRecord, nowMs: number): void {
    const outstanding = this.#outstanding.get(answer.id);
    if (outstanding === undefined || outstanding.to !== from) return;
    this.#outstanding.delete(answer.id);
    outstanding.answered(answer, nowMs);
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#dueMs) return;
    this.#dueMs = Infinity;
    const ended: Outstanding[] = [];
    for (const outstanding of this.#outstanding.values()) {
      if (nowMs >= outstanding.endsMs) {
        ended.push(outstanding);
        continue;
      }
      if (nowMs >= outstanding.repeatMs) {
        outstanding.waitMs = Math.min(outstanding.waitMs * 2, this.#durations.longestRetryMs);
        outstanding.repeatMs = nowMs + outstanding.waitMs;
        this.#queue(outstanding.to, outstanding.record);
      }
      this.#dueMs = Math.min(this.#dueMs, outstanding.repeatMs, outstanding.endsMs);
    }
    for (const outstanding of ended) {
      this.#outstanding.delete(outstanding.record.id);
      outstanding.answered(undefined, nowMs);
    }
  }

  nextDeadlineMs(): number {
    return this.#outstanding.size === 0 ? Infinity : this.#dueMs;
  }

  /** What is to be sent now: to each host as few messages as the limit allows. */
  take(): Outgoing[] {
    const outgoing: Outgoing[] = [];
    for (const [to, records] of this.#queued) {
      let packed: MessageRecord[] = [];
      let weight = 0;
      for (const record of records) {
        if (packed.length > 0 && (packed.length >= messageLimits.records || weight + weightOf(record) > messageLimits.bytes)) {
          outgoing.push({ to, records: packed });
          packed = [];
          weight = 0;
        }
        packed.push(record);
        weight += weightOf(record);
      }
      outgoing.push({ to, records: packed });
    }
    this.#queued.clear();
    return outgoing;
  }

  #queue(to: number, record: MessageRecord): void {
    const records = this.#queued.get(to);
    if (records === undefined) this.#queued.set(to, [record]);
    else records.push(record);
  }
}
