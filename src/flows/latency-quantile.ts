import { bucketCount, LatencyHistogram } from './latency-histogram.ts';

/** The least values above each bucket, in microseconds. */
const bounds: readonly number[] = Array.from({ length: bucketCount }, (_, bucket) => LatencyHistogram.upperBound(bucket));

/**
 * The latency below which the part `quantile` of `counts` lies, in microseconds, as if the counts of a bucket were spread evenly over it.
 * Counts are looked at from the bucket `low` to below `high`. Undefined without counts.
 */
export function quantileMicroseconds(counts: ArrayLike<number>, quantile: number, low: number, high: number): number | undefined {
  let total = 0;
  for (let bucket = low; bucket < high; bucket++) total += counts[bucket] ?? 0;
  if (total <= 0) return undefined;
  const wanted = quantile * total;
  let below = 0;
  for (let bucket = low; bucket < high; bucket++) {
    const count = counts[bucket] ?? 0;
    if (count > 0 && below + count >= wanted) {
      const from = bounds[bucket - 1] ?? 0;
      const to = bounds[bucket] ?? from;
      return Number.isFinite(to) ? from + ((to - from) * (wanted - below)) / count : from;
    }
    below += count;
  }
  return bounds[high - 1];
}

/** The bucket that counts a latency. */
export function bucketOfMicroseconds(microseconds: number): number {
  let low = 0;
  let high = bucketCount - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] ?? Infinity) > microseconds) high = middle;
    else low = middle + 1;
  }
  return low;
}
