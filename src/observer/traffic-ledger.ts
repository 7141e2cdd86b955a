import type { AttributeValue, RecordUpdate } from '../flows/record.ts';
import { Attribute } from '../flows/record-types.ts';
import { parseCounts } from '../flows/traffic-counts.ts';
import { isEmpty, readBuckets, sumsSince, emptySums, type TrafficDelta, type TrafficKey, type TrafficSums } from './traffic-sums.ts';

/** Up to where a record of sums is counted. */
export interface Baseline {
  /** Microseconds: with another one the router has begun its sums anew. */
  readonly startTime: number;
  readonly seenMs: number;
  readonly sums: TrafficSums;
}

export interface TrafficLedgerOptions {
  /** What an observer before this one has counted. */
  readonly baselines: ReadonlyMap<string, Baseline>;
  /** When this process first met a source, by the source's clock. */
  readonly sinceMs: (source: string) => number;
  /** What a record is about; undefined while that is not known: it is counted later then. */
  readonly keyOf: (source: string, record: RecordUpdate) => TrafficKey | undefined;
  readonly take: (delta: TrafficDelta, identity: string, baseline: Baseline) => void;
}

/** Records that are counted at a time: 32 routers with as many as a router makes. */
const maxRecords = 32_768;
/** Sums may have begun this much before their source was met, and are new all the same: it began to count when we began to listen. */
const beginToleranceMs = 3000;

/** Turns sums that grow into what was added to them: each request once, also over a restart of the observer or of a router. */
export class TrafficLedger {
  readonly #options: TrafficLedgerOptions;
  readonly #baselines: Map<string, Baseline>;
  #uncounted = 0;

  constructor(options: TrafficLedgerOptions) {
    this.#options = options;
    this.#baselines = new Map(options.baselines);
  }

  /** Records that were not counted because there were too many. */
  get uncounted(): number {
    return this.#uncounted;
  }

  /** A record of sums, with all that is known of it. */
  record(source: string, record: RecordUpdate, nowMs: number): void {
    const { sinceMs, keyOf, take } = this.#options;
    const identity = textOf(record.get(Attribute.identity));
    const key = keyOf(source, record);
    if (identity === '' || key === undefined) return;
    const startTime = numberOf(record.get(Attribute.startTime));
    const sums = sumsOf(record);
    const known = this.#baselines.get(identity);
    const before = known?.startTime === startTime ? known : undefined;
    if (known === undefined && this.#baselines.size >= maxRecords && !this.#dropOldest(nowMs)) {
      this.#uncounted++;
      return;
    }
    const baseline: Baseline = { startTime, seenMs: nowMs, sums };
    this.#baselines.set(identity, baseline);
    const startMs = startTime / 1000;
    const isOld = before === undefined && known === undefined && startMs < sinceMs(source) - beginToleranceMs;
    const added = isOld ? emptySums() : before === undefined ? sums : sumsSince(sums, before.sums);
    const open = numberOf(record.get(Attribute.open));
    // A record that says nothing new still tells how many are open, and up to where it is counted.
    const fromMs = isEmpty(added) ? nowMs : Math.min(before?.seenMs ?? startMs, nowMs);
    take({ key, sums: added, open, fromMs, toMs: nowMs }, identity, baseline);
  }

  /** Makes room if a record was not heard of for long. */
  #dropOldest(nowMs: number): boolean {
    const idle = [...this.#baselines].find(([, { seenMs }]) => seenMs < nowMs - forgottenMs);
    if (idle !== undefined) this.#baselines.delete(idle[0]);
    return idle !== undefined;
  }
}

const forgottenMs = 600_000;

function sumsOf(record: RecordUpdate): TrafficSums {
  const number = (attribute: number): number => numberOf(record.get(attribute));
  return {
    count: number(Attribute.count),
    success: number(Attribute.successCount),
    failure: number(Attribute.failureCount),
    retries: number(Attribute.retryCount),
    fromClient: number(Attribute.octets),
    toClient: number(Attribute.octetsReverse),
    latencySumMicroseconds: number(Attribute.latencySumMicroseconds),
    latency: readBuckets(textOf(record.get(Attribute.latencyCounts))),
    statuses: parseCounts(textOf(record.get(Attribute.statusCounts))),
    methods: parseCounts(textOf(record.get(Attribute.methodCounts))),
  };
}

function numberOf(value: AttributeValue | undefined): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function textOf(value: AttributeValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
