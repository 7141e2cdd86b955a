import { bucketCount, LatencyHistogram } from '../flows/latency-histogram.ts';
import type { Golden } from '../flows/network-snapshot.ts';
import { countsText, type TrafficSums } from './traffic-sums.ts';

/** Success, rate and latency of sums over some seconds. */
export function goldenOf(sums: TrafficSums, seconds: number, open: number): Golden {
  const ended = sums.success + sums.failure;
  const histogram = LatencyHistogram.fromText(countsText(sums.latency));
  const milliseconds = (part: number): number | null => {
    const value = histogram?.quantile(part);
    return value === undefined ? null : value / 1000;
  };
  const per = (value: number): number => (seconds > 0 ? value / seconds : 0);
  return {
    successRatio: ended === 0 ? null : sums.success / ended,
    perSecond: per(sums.count),
    p50Ms: milliseconds(0.5),
    p95Ms: milliseconds(0.95),
    p99Ms: milliseconds(0.99),
    open,
    bytesFromClientPerSecond: per(sums.fromClient),
    bytesToClientPerSecond: per(sums.toClient),
    retriesPerSecond: per(sums.retries),
  };
}

/** How many of `latency` took at most so long, and all of them: what a histogram of Prometheus has. */
export function cumulativeCounts(latency: ReadonlyMap<number, number>, boundsMicroseconds: readonly number[]): number[] {
  const counts = boundsMicroseconds.map(() => 0);
  for (const [bucket, count] of latency) {
    if (bucket >= bucketCount) continue;
    // A bucket belongs to the first bound that is not below all of it; one that lies across a bound counts as above.
    const upper = LatencyHistogram.upperBound(bucket);
    const place = boundsMicroseconds.findIndex((bound) => upper <= bound * boundTolerance);
    if (place !== -1) counts[place] = (counts[place] ?? 0) + count;
  }
  for (let place = 1; place < counts.length; place++) counts[place] = (counts[place] ?? 0) + (counts[place - 1] ?? 0);
  return counts;
}

/** Half of what a bucket is wide: then a bound is told from the bucket whose middle is next to it. */
const boundTolerance = 1.06;
