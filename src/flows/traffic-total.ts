import { bucketCount } from './latency-histogram.ts';
import { quantileMicroseconds } from './latency-quantile.ts';
import type { Golden } from './network-snapshot.ts';

/** Increases of one series in some time. Counts of latencies are pairs, `buckets` sorted and without doubles. */
export interface TrafficCell {
  count: number;
  success: number;
  failure: number;
  retries: number;
  fromClient: number;
  toClient: number;
  buckets: number[];
  counts: number[];
}

export function emptyCell(): TrafficCell {
  return { count: 0, success: 0, failure: 0, retries: 0, fromClient: 0, toClient: 0, buckets: [], counts: [] };
}

/** Adds `from` to `to`. */
export function addCell(to: TrafficCell, from: Readonly<TrafficCell>): void {
  to.count += from.count;
  to.success += from.success;
  to.failure += from.failure;
  to.retries += from.retries;
  to.fromClient += from.fromClient;
  to.toClient += from.toClient;
  let place = 0;
  for (let index = 0; index < from.buckets.length; index++) {
    const bucket = from.buckets[index] ?? 0;
    const count = from.counts[index] ?? 0;
    while (place < to.buckets.length && (to.buckets[place] ?? 0) < bucket) place++;
    if (to.buckets[place] === bucket) {
      to.counts[place] = (to.counts[place] ?? 0) + count;
    } else {
      to.buckets.splice(place, 0, bucket);
      to.counts.splice(place, 0, count);
    }
  }
}

/** What several series add up to, for the golden metrics of a window. */
export class TrafficTotal {
  count = 0;
  success = 0;
  failure = 0;
  retries = 0;
  fromClient = 0;
  toClient = 0;
  open = 0;
  #latencies: Float64Array | undefined;
  /** Where `#latencies` may have counts: from `#low` to below `#high`. */
  #low = bucketCount;
  #high = 0;

  clear(): void {
    this.count = this.success = this.failure = this.retries = this.fromClient = this.toClient = this.open = 0;
    this.#latencies?.fill(0, this.#low, this.#high);
    this.#low = bucketCount;
    this.#high = 0;
  }

  addCell(cell: Readonly<TrafficCell>): void {
    this.count += cell.count;
    this.success += cell.success;
    this.failure += cell.failure;
    this.retries += cell.retries;
    this.fromClient += cell.fromClient;
    this.toClient += cell.toClient;
    const { buckets, counts } = cell;
    const length = buckets.length;
    if (length === 0) return;
    const latencies = (this.#latencies ??= new Float64Array(bucketCount));
    this.#low = Math.min(this.#low, buckets[0] ?? 0);
    this.#high = Math.max(this.#high, (buckets[length - 1] ?? 0) + 1);
    for (let index = 0; index < length; index++) {
      const bucket = buckets[index] ?? 0;
      latencies[bucket] = (latencies[bucket] ?? 0) + (counts[index] ?? 0);
    }
  }

  add(other: TrafficTotal): void {
    this.count += other.count;
    this.success += other.success;
    this.failure += other.failure;
    this.retries += other.retries;
    this.fromClient += other.fromClient;
    this.toClient += other.toClient;
    this.open += other.open;
    const from = other.#latencies;
    if (from === undefined || other.#low >= other.#high) return;
    const latencies = (this.#latencies ??= new Float64Array(bucketCount));
    this.#low = Math.min(this.#low, other.#low);
    this.#high = Math.max(this.#high, other.#high);
    for (let bucket = other.#low; bucket < other.#high; bucket++) latencies[bucket] = (latencies[bucket] ?? 0) + (from[bucket] ?? 0);
  }

  /** Whether anything happened, or is under way. */
  get isIdle(): boolean {
    return this.count === 0 && this.success === 0 && this.failure === 0 && this.open === 0 && this.fromClient === 0 && this.toClient === 0;
  }

  golden(seconds: number): Golden {
    const per = seconds > 0 ? 1 / seconds : 0;
    const ended = this.success + this.failure;
    return {
      successRatio: ended === 0 ? null : this.success / ended,
      perSecond: this.count * per,
      p50Ms: this.#quantileMs(0.5),
      p95Ms: this.#quantileMs(0.95),
      p99Ms: this.#quantileMs(0.99),
      open: this.open,
      bytesFromClientPerSecond: this.fromClient * per,
      bytesToClientPerSecond: this.toClient * per,
      retriesPerSecond: this.retries * per,
    };
  }

  #quantileMs(quantile: number): number | null {
    if (this.#latencies === undefined || this.#low >= this.#high) return null;
    const microseconds = quantileMicroseconds(this.#latencies, quantile, this.#low, this.#high);
    return microseconds === undefined ? null : microseconds / 1000;
  }
}
