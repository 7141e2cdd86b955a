import { bucketCount, LatencyHistogram } from './latency-histogram.ts';

/** The least values above each bucket, in microseconds. */
const bounds: readonly number[] = Array.from({ length: bucketCount }, (_, bucket) => LatencyHistogram.upperBound(bucket));

/**
 * The latency below which the part `part` (0 to 1) lies, in microseconds, as if the counts of a bucket were spread evenly over it.
 * `buckets` are sorted and have `counts`. Undefined without counts.
 */
export function quantileMicroseconds(buckets: readonly number[], counts: readonly number[], part: number): number | undefined {
  let total = 0;
  for (const count of counts) total += count;
  if (total <= 0) return undefined;
  const wanted = part * total;
  let below = 0;
  let last = 0;
  for (let index = 0; index < buckets.length; index++) {
    const bucket = buckets[index] ?? 0;
    const count = counts[index] ?? 0;
    const from = bounds[bucket - 1] ?? 0;
    last = bounds[bucket] ?? from;
    if (count > 0 && below + count >= wanted) return from + ((last - from) * (wanted - below)) / count;
    below += count;
  }
  return last;
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
