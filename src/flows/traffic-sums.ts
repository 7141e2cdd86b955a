import type { RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';
import { countsOf, increases, numberOf, textOf } from './record-values.ts';
import { emptyCell, type TrafficCell } from './traffic-total.ts';
import { bucketCount } from './latency-histogram.ts';

/** Statuses of one record, and methods with statuses; a router tells fewer. */
const maxStatuses = 64;
const maxMethods = 256;

/** The sums of one listener and server as their router told them. */
export interface TrafficSums {
  readonly startTime: number;
  readonly count: number;
  readonly success: number;
  readonly failure: number;
  readonly retries: number;
  readonly fromClient: number;
  readonly toClient: number;
  readonly latencySum: number;
  readonly latencies: ToldCounts;
  readonly statuses: ToldCounts;
  readonly methods: ToldCounts;
}

/** Counts, and the text that they were read from: most records repeat most of them. */
interface ToldCounts {
  readonly text: string;
  readonly counts: ReadonlyMap<string, number>;
}

const nothing: ToldCounts = { text: '', counts: new Map() };

export const noSums: TrafficSums = {
  startTime: 0,
  count: 0,
  success: 0,
  failure: 0,
  retries: 0,
  fromClient: 0,
  toClient: 0,
  latencySum: 0,
  latencies: nothing,
  statuses: nothing,
  methods: nothing,
};

/** What came to a series at once. */
export interface TrafficIncrease {
  readonly cell: TrafficCell;
  readonly statuses: ReadonlyMap<string, number>;
  readonly methods: ReadonlyMap<string, number>;
  readonly latencySumMicroseconds: number;
}

export function readSums(record: RecordUpdate, before: TrafficSums): TrafficSums {
  return {
    startTime: numberOf(record, Attribute.startTime) ?? 0,
    count: numberOf(record, Attribute.count) ?? 0,
    success: numberOf(record, Attribute.successCount) ?? 0,
    failure: numberOf(record, Attribute.failureCount) ?? 0,
    retries: numberOf(record, Attribute.retryCount) ?? 0,
    fromClient: numberOf(record, Attribute.octets) ?? 0,
    toClient: numberOf(record, Attribute.octetsReverse) ?? 0,
    latencySum: numberOf(record, Attribute.latencySumMicroseconds) ?? 0,
    latencies: readCounts(textOf(record, Attribute.latencyCounts), before.latencies, bucketCount),
    statuses: readCounts(textOf(record, Attribute.statusCounts), before.statuses, maxStatuses),
    methods: readCounts(textOf(record, Attribute.methodCounts), before.methods, maxMethods),
  };
}

function readCounts(text: string, before: ToldCounts, limit: number): ToldCounts {
  return text === before.text ? before : { text, counts: countsOf(text, limit) };
}

/** What came since `before`; everything when the sums began anew. */
export function increaseSince(before: TrafficSums, now: TrafficSums): TrafficIncrease {
  const isNew =
    now.startTime !== before.startTime || now.count < before.count || now.success < before.success || now.failure < before.failure;
  const base = isNew ? noSums : before;
  const cell = emptyCell();
  cell.count = now.count - base.count;
  cell.success = now.success - base.success;
  cell.failure = now.failure - base.failure;
  cell.retries = Math.max(0, now.retries - base.retries);
  cell.fromClient = Math.max(0, now.fromClient - base.fromClient);
  cell.toClient = Math.max(0, now.toClient - base.toClient);
  if (now.latencies !== base.latencies) {
    const grown = [...increases(base.latencies.counts, now.latencies.counts)]
      .map(([bucket, count]): [number, number] => [Number(bucket), count])
      .filter(([bucket]) => Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount)
      .sort(([a], [b]) => a - b);
    cell.buckets = grown.map(([bucket]) => bucket);
    cell.counts = grown.map(([, count]) => count);
  }
  return {
    cell,
    statuses: now.statuses === base.statuses ? nothing.counts : increases(base.statuses.counts, now.statuses.counts),
    methods: now.methods === base.methods ? nothing.counts : increases(base.methods.counts, now.methods.counts),
    latencySumMicroseconds: Math.max(0, now.latencySum - base.latencySum),
  };
}
