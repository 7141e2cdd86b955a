import { quantileMicroseconds } from './latency-quantile.ts';
import type { Golden } from './network-snapshot.ts';

/** What some traffic adds up to. Counts of latencies are pairs: `buckets` of `LatencyHistogram`, sorted and without doubles. */
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

/** Whether there is nothing in it. */
export function isEmptyCell(cell: Readonly<TrafficCell>): boolean {
  return cell.count + cell.success + cell.failure + cell.retries + cell.fromClient + cell.toClient + cell.buckets.length === 0;
}

/** Adds `from` to `to`. */
export function addCell(to: TrafficCell, from: Readonly<TrafficCell>): void {
  to.count += from.count;
  to.success += from.success;
  to.failure += from.failure;
  to.retries += from.retries;
  to.fromClient += from.fromClient;
  to.toClient += from.toClient;
  if (to.buckets.length === 0) {
    // Copies have no room to spare: there are very many cells.
    to.buckets = from.buckets.slice();
    to.counts = from.counts.slice();
    return;
  }
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

/** Takes a part (0 to 1) of everything out of `cell`, in whole numbers, and gives it. */
export function takePart(cell: TrafficCell, part: number): TrafficCell {
  const taken: TrafficCell = {
    count: Math.floor(cell.count * part),
    success: Math.floor(cell.success * part),
    failure: Math.floor(cell.failure * part),
    retries: Math.floor(cell.retries * part),
    fromClient: Math.floor(cell.fromClient * part),
    toClient: Math.floor(cell.toClient * part),
    buckets: [],
    counts: [],
  };
  for (let index = 0; index < cell.buckets.length; index++) {
    const count = Math.floor((cell.counts[index] ?? 0) * part);
    if (count === 0) continue;
    taken.buckets.push(cell.buckets[index] ?? 0);
    taken.counts.push(count);
  }
  subtractCell(cell, taken);
  return taken;
}

/** Takes `from` away from `to`, of which it is a part. */
export function subtractCell(to: TrafficCell, from: Readonly<TrafficCell>): void {
  to.count -= from.count;
  to.success -= from.success;
  to.failure -= from.failure;
  to.retries -= from.retries;
  to.fromClient -= from.fromClient;
  to.toClient -= from.toClient;
  let place = 0;
  for (let index = 0; index < from.buckets.length; index++) {
    const bucket = from.buckets[index] ?? 0;
    while ((to.buckets[place] ?? Infinity) < bucket) place++;
    const left = (to.counts[place] ?? 0) - (from.counts[index] ?? 0);
    to.counts[place] = left;
    if (left > 0) continue;
    to.buckets.splice(place, 1);
    to.counts.splice(place, 1);
  }
}

/** What several series add up to. */
export class TrafficTotal {
  readonly #cell: TrafficCell = emptyCell();
  #open = 0;

  get count(): number {
    return this.#cell.count;
  }

  /** `open`: under way now. */
  add(cell: Readonly<TrafficCell>, open: number): void {
    addCell(this.#cell, cell);
    this.#open += open;
  }

  /** `cell` is what there was in so many seconds. */
  golden(seconds: number): Golden {
    const { success, failure, count, fromClient, toClient, retries } = this.#cell;
    const per = seconds > 0 ? 1 / seconds : 0;
    return {
      successRatio: success + failure === 0 ? null : success / (success + failure),
      perSecond: count * per,
      p50Ms: this.#quantileMs(0.5),
      p95Ms: this.#quantileMs(0.95),
      p99Ms: this.#quantileMs(0.99),
      open: this.#open,
      bytesFromClientPerSecond: fromClient * per,
      bytesToClientPerSecond: toClient * per,
      retriesPerSecond: retries * per,
    };
  }

  #quantileMs(part: number): number | null {
    const microseconds = quantileMicroseconds(this.#cell.buckets, this.#cell.counts, part);
    return microseconds === undefined ? null : microseconds / 1000;
  }
}
