import type { SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { parseCounts } from '../flows/traffic-counts.ts';
import { countsText, readBuckets, type TrafficSums } from './traffic-sums.ts';

/** Sums in the order of the columns count, success, failure, retries, fromClient, toClient, latencySum, latency, statuses, methods. */
export function sumValues(sums: TrafficSums): SQLInputValue[] {
  return [
    sums.count,
    sums.success,
    sums.failure,
    sums.retries,
    sums.fromClient,
    sums.toClient,
    Math.round(sums.latencySumMicroseconds),
    countsText(sums.latency),
    countsText(sums.statuses),
    countsText(sums.methods),
  ];
}

export function readSums(row: Readonly<Record<string, SQLOutputValue>>): TrafficSums {
  const number = (name: string): number => Number(row[name] ?? 0);
  const text = (name: string): string => String(row[name] ?? '');
  return {
    count: number('count'),
    success: number('success'),
    failure: number('failure'),
    retries: number('retries'),
    fromClient: number('fromClient'),
    toClient: number('toClient'),
    latencySumMicroseconds: number('latencySum'),
    latency: readBuckets(text('latency')),
    statuses: parseCounts(text('statuses')),
    methods: parseCounts(text('methods')),
  };
}
