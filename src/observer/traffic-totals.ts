import { addSums, emptySums, type TrafficDelta, type TrafficKey, type TrafficSums } from './traffic-sums.ts';

/** Series that are shown at a time: each makes some 40 lines of metrics. */
const maxSeries = 4096;
/** A series without traffic is shown so long, as Linkerd's proxies do. */
const idleMs = 600_000;

export interface TotalSeries {
  readonly key: TrafficKey;
  readonly sums: TrafficSums;
  open: number;
  lastMs: number;
}

/** Sums since the observer began, for metrics. Their number is bounded: those that come too late are counted in one. */
export class TrafficTotals {
  readonly #series = new Map<string, TotalSeries>();
  #refused = 0;

  /** Additions that went to the series of the rest. */
  get refused(): number {
    return this.#refused;
  }

  get size(): number {
    return this.#series.size;
  }

  add({ key, sums, open, toMs }: TrafficDelta): void {
    const series = this.#seriesOf(key, toMs);
    addSums(series.sums, sums);
    series.open = open;
    series.lastMs = toMs;
  }

  /** Those with traffic in the last minutes, or with something open. */
  values(nowMs: number): IterableIterator<TotalSeries> {
    this.#expire(nowMs);
    return this.#series.values();
  }

  #seriesOf(key: TrafficKey, nowMs: number): TotalSeries {
    const text = JSON.stringify(Object.values(key));
    const known = this.#series.get(text);
    if (known !== undefined) return known;
    if (this.#series.size >= maxSeries) this.#expire(nowMs);
    if (this.#series.size < maxSeries) return this.#make(text, key, nowMs);
    this.#refused++;
    const rest = { ...restKey, protocol: key.protocol };
    const restText = JSON.stringify(Object.values(rest));
    return this.#series.get(restText) ?? this.#make(restText, rest, nowMs);
  }

  #make(text: string, key: TrafficKey, nowMs: number): TotalSeries {
    const series: TotalSeries = { key, sums: emptySums(), open: 0, lastMs: nowMs };
    this.#series.set(text, series);
    return series;
  }

  #expire(nowMs: number): void {
    for (const [text, { lastMs, open }] of this.#series) if (open === 0 && nowMs - lastMs > idleMs) this.#series.delete(text);
  }
}

/** Whether a series counts requests: those have a status. */
export function isOfRequests({ key }: { readonly key: TrafficKey }): boolean {
  return key.protocol.startsWith('http');
}

/** What is not told apart any more. */
const restKey: TrafficKey = {
  address: '*',
  protocol: '*',
  sourceId: '*',
  sourceName: '*',
  destId: '*',
  destName: '*',
  listener: '*',
  connector: '*',
  server: '*',
};
