import { LatencyHistogram } from './latency-histogram.ts';
import type { TrafficOutcome, TrafficSeries } from './metering.ts';
import { Attribute } from './record-types.ts';
import type { SourceRecord } from './source-record.ts';
import { ResponseCounts } from './traffic-counts.ts';

/** What one of a series is: requests count when they have ended, connections and flows when they are opened. */
export type Counted = 'requests' | 'connections';

/** The text of a distribution of latencies is longer than names are. */
const maxCountsText = 8192;

/** Sums of what went from one listener to one server. */
export class ServerSeries implements TrafficSeries {
  isCurrent = true;
  /** Since they were told. */
  isChanged = true;
  readonly record: SourceRecord;
  /** When something changed last, and when all of it was told last. */
  changedMs: number;
  toldWholeMs: number;
  readonly #countsOpened: boolean;
  readonly #latencies = new LatencyHistogram();
  readonly #responses = new ResponseCounts();
  #latencySum = 0;
  #count = 0;
  #success = 0;
  #failure = 0;
  #retries = 0;
  #open = 0;
  #fromClient = 0;
  #toClient = 0;

  constructor(record: SourceRecord, counted: Counted, nowMs: number) {
    this.record = record;
    this.#countsOpened = counted === 'connections';
    this.changedMs = nowMs;
    this.toldWholeMs = nowMs;
  }

  /** Under way now. */
  get open(): number {
    return this.#open;
  }

  opened(): void {
    this.#open++;
    if (this.#countsOpened) this.#count++;
    this.isChanged = true;
  }

  resumed(): void {
    this.#open++;
    this.isChanged = true;
  }

  ended(outcome: TrafficOutcome): void {
    const { success, status, method, firstByteMicroseconds } = outcome;
    // What was under way before the sums began has not been counted as open.
    if (this.#open > 0) this.#open--;
    if (!this.#countsOpened) this.#count++;
    if (success) this.#success++;
    else this.#failure++;
    this.#responses.count(method, status);
    if (firstByteMicroseconds >= 0) {
      this.#latencies.record(firstByteMicroseconds);
      this.#latencySum += firstByteMicroseconds;
    }
    this.#fromClient += outcome.fromClient;
    this.#toClient += outcome.toClient;
    this.isChanged = true;
  }

  octets(fromClient: number, toClient: number): void {
    this.#fromClient += fromClient;
    this.#toClient += toClient;
    this.isChanged = true;
  }

  retried(): void {
    if (this.#open > 0) this.#open--;
    this.#retries++;
    this.isChanged = true;
  }

  /** Writes the sums to the record. */
  fill(): void {
    const { record } = this;
    record.set(Attribute.count, this.#count);
    record.set(Attribute.successCount, this.#success);
    record.set(Attribute.failureCount, this.#failure);
    record.set(Attribute.retryCount, this.#retries);
    record.set(Attribute.open, this.#open);
    record.set(Attribute.octets, this.#fromClient);
    record.set(Attribute.octetsReverse, this.#toClient);
    record.set(Attribute.statusCounts, this.#responses.statusText());
    record.set(Attribute.methodCounts, this.#responses.methodText(), maxCountsText);
    record.set(Attribute.latencyCounts, this.#latencies.toText(), maxCountsText);
    record.set(Attribute.latencySumMicroseconds, this.#latencySum);
    this.isChanged = false;
  }
}

/** In place of sums, while only single requests and connections are wanted. */
export class UncountedSeries implements TrafficSeries {
  isCurrent = true;
  opened(): void {}
  resumed(): void {}
  ended(): void {}
  octets(): void {}
  retried(): void {}
}
