import { bucketCount, LatencyHistogram } from '../flows/latency-histogram.ts';

/** What a series of traffic is about. All texts come from the network. */
export interface TrafficKey {
  readonly address: string;
  readonly protocol: string;
  /** Router ids and names of the sites of the client and of the server; empty when that is not known. */
  readonly sourceId: string;
  readonly sourceName: string;
  readonly destId: string;
  readonly destName: string;
  /** Names of the listener and of the connector; empty when they are not known. */
  readonly listener: string;
  readonly connector: string;
  /** Host and port of the server; empty when that is not known. */
  readonly server: string;
}

/** Sums of some traffic in some time. */
export interface TrafficSums {
  /** Requests that ended, or connections and flows that were opened. */
  count: number;
  success: number;
  failure: number;
  retries: number;
  fromClient: number;
  toClient: number;
  latencySumMicroseconds: number;
  /** Times to the first byte by bucket of `latency-histogram`. */
  readonly latency: Map<number, number>;
  readonly statuses: Map<string, number>;
  readonly methods: Map<string, number>;
}

/** What was added to a series since the last time. */
export interface TrafficDelta {
  readonly key: TrafficKey;
  readonly sums: TrafficSums;
  /** Under way now. */
  readonly open: number;
  /** Over what time it was added; equal where that is not known. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Different statuses, methods or buckets of one series that are told apart: more than there are in HTTP and in a histogram. */
const maxCounts = 256;

export function emptySums(): TrafficSums {
  return {
    count: 0,
    success: 0,
    failure: 0,
    retries: 0,
    fromClient: 0,
    toClient: 0,
    latencySumMicroseconds: 0,
    latency: new Map(),
    statuses: new Map(),
    methods: new Map(),
  };
}

const numberFields = ['count', 'success', 'failure', 'retries', 'fromClient', 'toClient', 'latencySumMicroseconds'] as const;

/** Adds `added`, `part` of `parts` of it: the parts of a sum together are the whole sum. */
export function addSums(to: TrafficSums, added: TrafficSums, part = 0, parts = 1): void {
  const share = (value: number): number => Math.floor((value * (part + 1)) / parts) - Math.floor((value * part) / parts);
  for (const field of numberFields) to[field] += share(added[field]);
  addCounts(to.latency, added.latency, share);
  addCounts(to.statuses, added.statuses, share);
  addCounts(to.methods, added.methods, share);
}

function addCounts<Key>(to: Map<Key, number>, added: ReadonlyMap<Key, number>, share: (value: number) => number): void {
  for (const [key, value] of added) {
    const known = to.get(key);
    if (known === undefined && to.size >= maxCounts) continue;
    const more = share(value);
    if (more !== 0) to.set(key, (known ?? 0) + more);
  }
}

/** What `now` has more than `before`; all of `now` where it has less, because then its owner has started anew. */
export function sumsSince(now: TrafficSums, before: TrafficSums): TrafficSums {
  if (numberFields.some((field) => now[field] < before[field])) return now;
  const sums = emptySums();
  for (const field of numberFields) sums[field] = now[field] - before[field];
  addGrowth(sums.latency, now.latency, before.latency);
  addGrowth(sums.statuses, now.statuses, before.statuses);
  addGrowth(sums.methods, now.methods, before.methods);
  return sums;
}

function addGrowth<Key>(to: Map<Key, number>, now: ReadonlyMap<Key, number>, before: ReadonlyMap<Key, number>): void {
  for (const [key, value] of now) {
    const more = value - (before.get(key) ?? 0);
    if (more > 0) to.set(key, more);
  }
}

export function isEmpty(sums: TrafficSums): boolean {
  return numberFields.every((field) => sums[field] === 0);
}

/** Reads counts by bucket: `12=4 13=90`. What no histogram writes is none: it comes from the network. */
export function readBuckets(text: string): Map<number, number> {
  const buckets = new Map<number, number>();
  const histogram = LatencyHistogram.fromText(text);
  if (histogram === undefined) return buckets;
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const count = histogram.countOf(bucket);
    if (count > 0) buckets.set(bucket, count);
  }
  return buckets;
}

export function countsText(counts: ReadonlyMap<string | number, number>): string {
  return [...counts].map(([key, value]) => `${key}=${value}`).join(' ');
}
