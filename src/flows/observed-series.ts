import type { RecordUpdate } from './record.ts';
import { Attribute } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';
import { increaseSince, noSums, readSums, type TrafficIncrease, type TrafficSums } from './traffic-sums.ts';
import { addCell, emptyCell, type TrafficCell } from './traffic-total.ts';

/** Listeners times servers of the whole network that are told apart. Each takes some 2 kB, besides its slots. */
const maxSeries = 8192;
/** Statuses of a series, and methods with statuses; beyond that new ones are left out. */
const maxKeys = 256;
/** Sums may have begun this much before their source was met, and are new all the same: it began to count when we began to listen. */
const beginToleranceMs = 3000;

/** What a series is of. */
export interface SeriesKey {
  readonly identity: string;
  readonly source: string;
  /** Identity of the listener's record. */
  readonly listener: string;
  readonly address: string;
  readonly protocol: string;
  /** Router where the server is; empty when there was none. */
  readonly destRouter: string;
  /** The server as its router calls it; empty when that is not known. */
  readonly destServer: string;
}

/** The sums of one listener and one server. */
export interface Series extends SeriesKey {
  /** Never used again for another. */
  readonly index: number;
  /** Since observing began. */
  readonly totals: TrafficCell;
  readonly statuses: Map<string, number>;
  readonly methods: Map<string, number>;
  latencySumMicroseconds: number;
  open: number;
  lastChangeMs: number;
  told: TrafficSums;
}

/** Turns sums that only grow into increases, whatever becomes of the routers that tell them. */
export class ObservedSeries {
  readonly #byIdentity = new Map<string, Series>();
  #nextIndex = 0;
  /** Records of sums that were left out because there are too many series. */
  refused = 0;

  values(): IterableIterator<Series> {
    return this.#byIdentity.values();
  }

  get size(): number {
    return this.#byIdentity.size;
  }

  /**
   * Takes a record of sums. `sinceMs` is when the source was first met, by the source's clock: sums that began earlier were counted before
   * anybody looked here, and only what follows is new. `toldMs` is when they were told before, if they were. Undefined when there are too many series, or the record is another source's.
   */
  update(
    source: string,
    record: RecordUpdate,
    sinceMs: number,
    nowMs: number,
  ): { readonly series: Series; readonly increase: TrafficIncrease; readonly toldMs: number } | undefined {
    const known = this.#byIdentity.get(textOf(record, Attribute.identity));
    if (known !== undefined && known.source !== source) return undefined;
    const told = readSums(record, known?.told ?? noSums);
    const series = known ?? this.#add(keyOf(source, record), nowMs);
    if (series === undefined) return undefined;
    if (known === undefined && told.startTime / 1000 < sinceMs - beginToleranceMs) series.told = told;
    const increase = increaseSince(series.told, told);
    const toldMs = known === undefined ? -Infinity : series.lastChangeMs;
    series.told = told;
    series.open = numberOf(record, Attribute.endTime) === undefined ? (numberOf(record, Attribute.open) ?? 0) : 0;
    this.grow(series, increase, nowMs);
    return { series, increase, toldMs };
  }

  /** The series that a single flow counts for. Undefined when there are too many. */
  seriesOf(key: SeriesKey, nowMs: number): Series | undefined {
    return this.#byIdentity.get(key.identity) ?? this.#add(key, nowMs);
  }

  grow(series: Series, increase: TrafficIncrease, nowMs: number): void {
    addCell(series.totals, increase.cell);
    addCounts(series.statuses, increase.statuses);
    addCounts(series.methods, increase.methods);
    series.latencySumMicroseconds += increase.latencySumMicroseconds;
    series.lastChangeMs = nowMs;
  }

  /** Nothing of a source is under way any more. */
  silence(source: string): void {
    for (const series of this.#byIdentity.values()) if (series.source === source) series.open = 0;
  }

  forget(isForgotten: (series: Series) => boolean): void {
    for (const series of this.#byIdentity.values()) if (isForgotten(series)) this.#byIdentity.delete(series.identity);
  }

  #add(key: SeriesKey, nowMs: number): Series | undefined {
    if (this.#byIdentity.size >= maxSeries) {
      this.refused++;
      return undefined;
    }
    const sums = { totals: emptyCell(), statuses: new Map(), methods: new Map(), latencySumMicroseconds: 0, open: 0 };
    const series: Series = { ...key, ...sums, index: this.#nextIndex++, lastChangeMs: nowMs, told: noSums };
    this.#byIdentity.set(key.identity, series);
    return series;
  }
}

function keyOf(source: string, record: RecordUpdate): SeriesKey {
  return {
    identity: textOf(record, Attribute.identity),
    source,
    listener: textOf(record, Attribute.parent),
    address: textOf(record, Attribute.vanAddress),
    protocol: textOf(record, Attribute.protocol),
    destRouter: textOf(record, Attribute.destRouter),
    destServer: textOf(record, Attribute.destServer),
  };
}

function addCounts(to: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [key, count] of from) if (to.has(key) || to.size < maxKeys) to.set(key, (to.get(key) ?? 0) + count);
}
