import type { TrafficDestination, TrafficSeries } from './metering.ts';
import { Attribute, RecordType } from './record-types.ts';
import type { RecordQueue } from './record-queue.ts';
import { SourceRecord } from './source-record.ts';
import { ServerSeries, UncountedSeries } from './traffic-series.ts';
import type { Counted } from './traffic-series.ts';

/** Listeners times servers that are counted one by one: 1,024 take 4 MiB. */
export const maxSeries = 1024;
/** Listeners times addresses of which what is beyond is counted as one. Beyond these, too, there is one for the router. */
const maxRestSeries = 1024;
/** Sums are told no more often. */
const tellEveryMs = 1000;
/** All of a record that has changed is told again so often: a message that was lost does no harm for long. */
const tellWholeEveryMs = 10_000;
/** And so often when nothing has changed: collectors forget sums that they have not heard of for a quarter of an hour. */
const tellUnchangedEveryMs = 300_000;
/** Sums of a server that nothing goes to end after this time, and leave room for others. */
const idleMs = 600_000;
/** In place of the server, where several are counted as one. */
const restServer = '*';

/** The listener that traffic comes from. */
export interface SeriesOwner {
  readonly listener: string;
  readonly protocol: string;
  readonly counted: Counted;
  /** The service that it leads to; undefined where there are several. */
  readonly address?: string | undefined;
}

export interface TrafficTableOptions {
  readonly nextIdentity: () => string;
  /** Identity of the router's own record. */
  readonly router: string;
  /** Where records that are to be told are put. */
  readonly queue: RecordQueue;
}

/** Sums of all traffic of a router's listeners, one record for each listener, address, router and server. */
export class TrafficTable {
  readonly #options: TrafficTableOptions;
  readonly #series = new Map<string, ServerSeries>();
  readonly #rest = new Map<string, ServerSeries>();
  #uncounted = new UncountedSeries();
  #isCounting = false;
  #wallMicroseconds = 0;
  #nowMs = 0;
  #toldMs = -Infinity;

  constructor(options: TrafficTableOptions) {
    this.#options = options;
  }

  get isCounting(): boolean {
    return this.#isCounting;
  }

  /** Starts anew. */
  start(nowMs: number, wallMicroseconds: number): void {
    this.#isCounting = true;
    this.#nowMs = nowMs;
    this.#wallMicroseconds = wallMicroseconds;
    this.#toldMs = nowMs;
    // Those who were given it ask again.
    this.#uncounted.isCurrent = false;
    this.#uncounted = new UncountedSeries();
  }

  /** Nobody wants the sums any more. */
  stop(): void {
    this.#isCounting = false;
    for (const series of this.#all()) series.isCurrent = false;
    this.#series.clear();
    this.#rest.clear();
  }

  *#all(): Generator<ServerSeries> {
    yield* this.#series.values();
    yield* this.#rest.values();
  }

  find(owner: SeriesOwner, destination: TrafficDestination): TrafficSeries {
    if (!this.#isCounting) return this.#uncounted;
    const { address, routerId, server } = destination;
    const key = `${owner.listener}\n${address}\n${routerId}\n${server}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size < maxSeries) return this.#make(this.#series, key, owner, destination);
    return this.#restOf(owner, address);
  }

  /** Whether traffic of a listener goes to a router, or to an address that `serves` says is served there. */
  leadsTo(listener: string, routerId: string, serves: (address: string, routerId: string) => boolean): boolean {
    for (const { record } of this.#all()) {
      if (record.get(Attribute.parent) !== listener) continue;
      const chosen = record.get(Attribute.destRouter);
      if (chosen === routerId || (chosen === '' && serves(String(record.get(Attribute.vanAddress)), routerId))) return true;
    }
    return false;
  }

  #restOf(owner: SeriesOwner, address: string): ServerSeries {
    const key = `${owner.listener}\n${address}`;
    const known = this.#rest.get(key);
    if (known !== undefined) return known;
    if (this.#rest.size < maxRestSeries) return this.#make(this.#rest, key, owner, { address, routerId: '', server: restServer });
    const last = { ...owner, listener: this.#options.router, protocol: '' };
    return this.#rest.get('') ?? this.#make(this.#rest, '', last, { address: '', routerId: '', server: restServer });
  }

  #make(table: Map<string, ServerSeries>, key: string, owner: SeriesOwner, destination: TrafficDestination): ServerSeries {
    const record = new SourceRecord(RecordType.traffic, this.#options.nextIdentity());
    record.set(Attribute.parent, owner.listener);
    record.set(Attribute.startTime, this.#wallMicroseconds);
    record.set(Attribute.vanAddress, destination.address);
    record.set(Attribute.protocol, owner.protocol);
    record.set(Attribute.destRouter, destination.routerId);
    record.set(Attribute.destServer, destination.server);
    const series = new ServerSeries(record, owner.counted, this.#nowMs);
    table.set(key, series);
    return series;
  }

  /** Tells what has changed, at most once a second. */
  tick(nowMs: number, wallMicroseconds: number): void {
    this.#nowMs = nowMs;
    this.#wallMicroseconds = wallMicroseconds;
    if (!this.#isCounting || nowMs < this.#toldMs + tellEveryMs) return;
    this.#toldMs = nowMs;
    this.#tell(this.#series, nowMs, wallMicroseconds);
    this.#tell(this.#rest, nowMs, wallMicroseconds);
  }

  #tell(table: Map<string, ServerSeries>, nowMs: number, wallMicroseconds: number): void {
    for (const [key, series] of table) {
      const { record } = series;
      const wasChanged = series.isChanged;
      if (wasChanged) {
        series.changedMs = nowMs;
        series.fill();
      } else if (series.open === 0 && nowMs - series.changedMs >= idleMs) {
        this.#end(table, key, series, wallMicroseconds);
        continue;
      }
      const wholeMs = series.changedMs >= series.toldWholeMs ? tellWholeEveryMs : tellUnchangedEveryMs;
      if (nowMs - series.toldWholeMs >= wholeMs) {
        series.toldWholeMs = nowMs;
        record.forgetTold();
      }
      if (record.hasNews) this.#options.queue.add(record);
    }
  }

  #end(table: Map<string, ServerSeries>, key: string, series: ServerSeries, wallMicroseconds: number): void {
    table.delete(key);
    series.isCurrent = false;
    if (series.isChanged) series.fill();
    series.record.set(Attribute.endTime, wallMicroseconds);
    this.#options.queue.add(series.record);
  }

  /** A listener is gone. */
  endOf(listener: string, wallMicroseconds: number): void {
    for (const table of [this.#series, this.#rest]) {
      for (const [key, series] of table) {
        if (series.record.get(Attribute.parent) === listener) this.#end(table, key, series, wallMicroseconds);
      }
    }
  }

  /** Tells everything again. */
  tellAll(): void {
    for (const series of this.#all()) {
      series.fill();
      series.record.forgetTold();
      this.#options.queue.add(series.record);
    }
  }
}
