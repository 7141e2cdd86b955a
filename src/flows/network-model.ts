import { DroppedFlows } from './dropped-flows.ts';
import { FlowCounting } from './flow-counting.ts';
import type { TrafficView } from './grouped-traffic.ts';
import { KnownRecords, type StoredRecord } from './known-records.ts';
import { knownLinks, type KnownLink } from './link-rows.ts';
import { networkSnapshot } from './network-rows.ts';
import type { NetworkSnapshot, RequestRow, RequestTrace, StatReport, WarningRow } from './network-snapshot.ts';
import { RecentRequests, type StoredRequest } from './recent-requests.ts';
import type { RecordUpdate } from './record.ts';
import { compareRequests, isBehind, type RequestCursor } from './request-order.ts';
import { Attribute, RecordType } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';
import { describeRequest, requestRow, type DescribedRequest, type RequestSources, startMsOf } from './request-rows.ts';
import { requestTrace, type TraceHop } from './request-trace.ts';
import { SeriesNames, type SeriesLabels } from './series-labels.ts';
import { ServerIndex } from './server-index.ts';
import { SiteDirectory, type FlowSourceState } from './site-directory.ts';
import { SitePaths } from './site-paths.ts';
import { serverName, statReport, type StatCandidate, type StatQuery } from './stat-report.ts';
import { matchesRequest, type RequestFilter } from './tap-filter.ts';
import type { TopologyPlace, TopologyReport } from './topology-report.ts';
import { LinkTraffic } from './link-traffic.ts';
import type { TrafficIncrease } from './traffic-sums.ts';
import { ObservedSeries, type Series } from './observed-series.ts';
import { emptyCell, isEmptyCell } from './traffic-total.ts';
import { TrafficWindow } from './traffic-window.ts';

/** Series without traffic are kept this long: a little more than the longest window. */
const seriesLifetimeMs = 20 * 60_000;
/** Sums that go on growing are told at least this often. */
const tellMs = 1300;
/** After a pause they are told with the next messages. */
const tellAfterPauseMs = 200;
/** How often series that are over are looked for. */
const sweepMs = 30_000;
/** Answers to one question; a page of the console shows 100. */
const maxRows = 1000;

export interface NetworkModelOptions {
  /** When observing began. Times are milliseconds since the epoch. */
  readonly nowMs: number;
  /** Id of the router of the site that observes. */
  readonly ownRouterId?: string;
  /** Length of the slots that windows of up to two minutes are made of; must divide ten seconds. */
  readonly fineSlotMs?: number;
  /**
   * Sums are told once a second. With this, what they grew by is spread over the time since they were told last: exact for windows that
   * ended more than a second ago. Without, it counts when it is told: right on average for windows that end now.
   */
  readonly isSpread?: boolean;
  /** Called with every increase of sums. */
  readonly onTraffic?: (delta: TrafficDelta) => void;
  /** Called when a request or connection is first told without its end, and when it has ended: `request` gives its row. */
  readonly onRequest?: (id: string, phase: 'began' | 'ended') => void;
}

/** What came to the sums of one series. */
export interface TrafficDelta extends TrafficIncrease {
  readonly labels: SeriesLabels;
  readonly atMs: number;
}

/** The sums of one series since observing began. */
export interface SeriesTotals extends Readonly<Series> {
  readonly labels: SeriesLabels;
}

/** A record with its site. */
export interface KnownRecord {
  readonly source: string;
  /** Router and site of its source; empty when they are not known. */
  readonly place: TopologyPlace;
  readonly attributes: RecordUpdate;
  readonly firstSeenMs: number;
  readonly ended: boolean;
}

const defaultFineSlotMs = 2000;

/** The network as its records tell it: what is there, and what traffic there was lately. Everything in it is bounded. */
export class NetworkModel {
  readonly #options: NetworkModelOptions;
  readonly #directory: SiteDirectory;
  readonly #records = new KnownRecords();
  readonly #requests: RecentRequests;
  readonly #servers: ServerIndex;
  readonly #names: SeriesNames;
  readonly #series = new ObservedSeries();
  readonly #window: TrafficWindow;
  readonly #links: LinkTraffic;
  readonly #dropped = new DroppedFlows();
  readonly #flows: FlowCounting;
  readonly #requestSources: RequestSources;
  #sweptMs: number;
  #knownLinks: readonly KnownLink[] = [];
  #paths = new SitePaths([]);
  #graphVersions = '';
  /** Messages that did not reach this program because it read too slowly. */
  lostMessageCount = 0;

  constructor(options: NetworkModelOptions) {
    const { nowMs, ownRouterId = '', fineSlotMs = defaultFineSlotMs } = options;
    this.#options = options;
    // Numbers of changes go on over restarts: there are less than a million a second.
    this.#requests = new RecentRequests(undefined, Math.floor(nowMs) * 1000);
    this.#directory = new SiteDirectory(ownRouterId);
    this.#servers = new ServerIndex(this.#records, this.#directory);
    this.#names = new SeriesNames(this.#directory, this.#records, this.#servers);
    this.#window = new TrafficWindow(nowMs, fineSlotMs);
    this.#links = new LinkTraffic(nowMs, fineSlotMs);
    this.#flows = new FlowCounting(this.#records, this.#requests, this.#series);
    this.#requestSources = { directory: this.#directory, records: this.#records, requests: this.#requests, servers: this.#servers };
    this.#sweptMs = nowMs;
  }

  /** A source is heard of, has been silent for some time, or is forgotten with all its records. `clockOffsetMs`: its clock minus ours. */
  source(id: string, state: 'up' | 'silent' | 'gone', nowMs: number, clockOffsetMs?: number): void {
    const source = this.#directory.source(id, nowMs);
    if (clockOffsetMs !== undefined) source.clockOffsetMs = clockOffsetMs;
    if (state !== 'up') this.#series.silence(id);
    if (state !== 'gone') {
      source.state = state;
      return;
    }
    this.#requests.endSource(id);
    for (const record of this.#records.forgetSource(id)) this.#forgetRecord(record);
    this.#directory.forget(id);
  }

  /** A record, with all that is known of it. Records that stand for long are kept as they are, not copied. */
  record(sourceId: string, record: RecordUpdate, nowMs: number): void {
    this.#sweep(nowMs);
    const source = this.#directory.source(sourceId, nowMs);
    const type = numberOf(record, Attribute.recordType);
    if (type === RecordType.traffic) {
      source.tellsSums = true;
      const update = this.#series.update(sourceId, record, source.firstSeenMs + source.clockOffsetMs, nowMs);
      if (update !== undefined) this.#grew(update.series, update.increase, nowMs, update.toldMs);
      return;
    }
    if (type === RecordType.loss) {
      source.tellsSums = true;
      this.#takeLoss(source, numberOf(record, Attribute.droppedFlows) ?? 0, nowMs);
      return;
    }
    if (type === RecordType.transportFlow || type === RecordType.applicationFlow) this.#takeRequest(source, record, nowMs);
    else if (type !== RecordType.log) this.#takeStanding(source, record, nowMs);
  }

  /** What routing knows. It may be told again at any time. */
  topology(report: TopologyReport): void {
    this.#directory.setTopology(report);
  }

  lostMessages(count: number): void {
    this.lostMessageCount += count;
  }

  /** Single requests and connections that routers did not record, since observing began. */
  get droppedFlows(): number {
    return this.#dropped.total;
  }

  /** How many sources are heard of now. */
  get sourceCount(): number {
    let count = 0;
    for (const { state } of this.#directory.sources()) if (state === 'up') count++;
    return count;
  }

  /** Ids of the routers that tell records now. */
  tellingRouters(): ReadonlySet<string> {
    const routers = new Set<string>();
    for (const { state, routerId } of this.#directory.sources()) if (state === 'up' && routerId !== '') routers.add(routerId);
    return routers;
  }

  snapshot(windowMs: number, nowMs: number): NetworkSnapshot {
    this.#refreshGraph();
    const links = this.#knownLinks;
    const linkRates = this.#links.rates(windowMs, nowMs);
    const sources = {
      directory: this.#directory,
      records: this.#records,
      names: this.#names,
      links,
      paths: this.#paths,
      linkRates: ({ record }: KnownLink): readonly [number, number] => (record === undefined ? [0, 0] : linkRates(record.identity)),
      droppedFlows: this.droppedIn(windowMs, nowMs),
      warnings: this.#ownWarnings(),
    };
    return networkSnapshot(sources, this.#view(windowMs, nowMs), windowMs, nowMs);
  }

  stat(query: StatQuery, nowMs: number): StatReport {
    const view = this.#view(query.windowMs, nowMs);
    const dropped = { droppedFlows: this.droppedIn(query.windowMs, nowMs), droppedSinceStart: this.droppedFlows };
    return statReport(query, view, this.#names, this.#directory, this.#candidates(query.kind), dropped);
  }

  /** Requests and connections, the newest first: those behind `cursor`. */
  requests(filter: RequestFilter, limit: number, cursor?: RequestCursor): readonly RequestRow[] {
    const rows: RequestRow[] = [];
    const wanted = Math.min(limit, maxRows);
    // They are told when they have ended: who was told of last need not have begun last.
    const starts = this.#requests
      .newest()
      .map((request) => ({ request, id: request.id, startMs: startMsOf(request) }))
      .filter((place) => cursor === undefined || isBehind(place, cursor))
      .sort(compareRequests);
    for (const { request } of starts) {
      if (rows.length >= wanted) break;
      const row = requestRow(request, this.#requestSources);
      if (matchesRequest(filter, row)) rows.push(row);
    }
    return rows;
  }

  /** Of requests that began before, some are not known here any more. */
  get requestsKnownSinceMs(): number {
    return this.#requests.forgottenUntilMicroseconds / 1000;
  }

  /** The last change that `requestChanges` knows: what comes after it has not happened yet. */
  get lastRequestChange(): number {
    return this.#requests.lastChange;
  }

  /** Requests and connections that have begun or ended after a change, in that order. `missed`: of all, those that are not known any more. */
  requestChanges(
    filter: RequestFilter,
    change: number,
    limit: number,
  ): { readonly requests: readonly RequestRow[]; readonly next: number; readonly missed: number } {
    const rowOf = (request: StoredRequest): RequestRow => requestRow(request, this.#requestSources);
    const matches = (request: StoredRequest): boolean => matchesRequest(filter, rowOf(request));
    const { requests, next, missed } = this.#requests.changesAfter(change, Math.min(limit, maxRows), matches);
    return { requests: requests.map(rowOf), next, missed };
  }

  request(id: string): RequestRow | undefined {
    const request = this.#requests.find(id);
    return request === undefined ? undefined : requestRow(request, this.#requestSources);
  }

  trace(id: string): RequestTrace | undefined {
    const request = this.#requests.find(id);
    if (request === undefined) return undefined;
    const described = describeRequest(request, this.#requestSources);
    return requestTrace(described.row, this.#hops(described));
  }

  /** Records that stand, or recent requests and connections, of one type. */
  *records(type: RecordType): IterableIterator<KnownRecord> {
    if (type === RecordType.transportFlow || type === RecordType.applicationFlow) {
      for (const request of this.#requests.newest()) {
        if (numberOf(request.attributes, Attribute.recordType) === type) yield this.#placed(request, request.ended);
      }
      return;
    }
    for (const record of this.#records.ofType(type)) yield this.#placed(record, false);
  }

  knownRecord(identity: string): KnownRecord | undefined {
    const record = this.#records.find(identity);
    if (record !== undefined) return this.#placed(record, false);
    const request = this.#requests.find(identity);
    return request === undefined ? undefined : this.#placed(request, request.ended);
  }

  /** The sums of all series since observing began. */
  *series(): IterableIterator<SeriesTotals> {
    for (const series of this.#series.values()) yield { ...series, labels: this.#names.labels(series) };
  }

  /** Router and site of a source; empty when they are not known. */
  placeOfSource(source: string): TopologyPlace {
    return this.#directory.placeOfSource(source);
  }

  #placed(record: StoredRecord | StoredRequest, ended: boolean): KnownRecord {
    const { source, attributes, firstSeenMs } = record;
    return { source, place: this.#directory.placeOfSource(source), attributes, firstSeenMs, ended };
  }

  /** `dropped` only grows, until the router counts anew. */
  #takeLoss(source: FlowSourceState, dropped: number, nowMs: number): void {
    const count = dropped >= source.droppedFlows ? dropped - source.droppedFlows : dropped;
    source.droppedFlows = dropped;
    this.#dropped.add(count, nowMs);
  }

  /** Those of a window; before this observer began none are known. */
  droppedIn(windowMs: number, nowMs: number): number {
    return this.#dropped.within(windowMs, nowMs);
  }

  #takeStanding(source: FlowSourceState, record: RecordUpdate, nowMs: number): void {
    const stored = this.#records.take(source.id, record, nowMs);
    if (stored === undefined) return;
    if (numberOf(record, Attribute.endTime)) this.#forgetRecord(stored);
    else this.#replace(this.#directory.learn(source, record));
    if (stored.type === RecordType.link) this.#links.take(record, nowMs);
  }

  /** A router that was started again has forgotten what it was before: nothing of that goes on. */
  #replace(source: FlowSourceState | undefined): void {
    if (source === undefined || this.#records.isReplaced(source.id)) return;
    source.state = 'silent';
    this.#records.replace(source.id);
    this.#series.silence(source.id);
    this.#requests.endSource(source.id);
  }

  #forgetRecord({ type, identity }: StoredRecord): void {
    if (type === RecordType.site) this.#directory.forgetSite(identity);
    if (type === RecordType.link) this.#links.forget(identity);
  }

  #takeRequest(source: FlowSourceState, record: RecordUpdate, nowMs: number): void {
    const taken = this.#requests.take(source.id, record, nowMs);
    if (taken === undefined) return;
    this.#directory.learn(source, record);
    const { request, began, ended } = taken;
    if (!source.tellsSums) {
      const counted = this.#flows.count(request, source, this.#placeOfServer(request), nowMs);
      if (counted !== undefined) this.#grew(counted.series, counted.increase, nowMs);
    }
    if (began) this.#options.onRequest?.(request.id, 'began');
    if (ended) this.#options.onRequest?.(request.id, 'ended');
  }

  /** Router of the connector that a flow went to; empty when it is not known. */
  #placeOfServer({ attributes }: StoredRequest): string {
    const connector = this.#records.find(textOf(attributes, Attribute.connector));
    return connector === undefined ? textOf(attributes, Attribute.destRouter) : this.#directory.placeOfSource(connector.source).routerId;
  }

  #grew(series: Series, increase: TrafficIncrease, nowMs: number, toldMs: number = nowMs): void {
    if (isEmptyCell(increase.cell)) return;
    if (this.#options.isSpread === true) {
      const sinceMs = nowMs - toldMs <= tellMs ? toldMs : nowMs - tellAfterPauseMs;
      this.#window.spread(series.index, increase.cell, sinceMs, nowMs);
    } else {
      this.#window.add(series.index, increase.cell, nowMs);
    }
    this.#options.onTraffic?.({ ...increase, labels: this.#names.labels(series), atMs: nowMs });
  }

  #view(windowMs: number, nowMs: number): TrafficView {
    const { cells, coveredMs } = this.#window.sums(windowMs, nowMs);
    const nothing = emptyCell();
    return {
      coveredMs,
      each: (take) => {
        for (const series of this.#series.values()) {
          const cell = cells.get(series.index);
          if (cell !== undefined || series.open > 0) take(series, cell ?? nothing);
        }
      },
    };
  }

  #refreshGraph(): void {
    // Links are few, and their records change all the time; the ways are made again when a cost or a site has changed.
    this.#knownLinks = knownLinks(this.#directory, this.#records);
    const versions = this.#knownLinks.map(({ from, to, cost, isMutual, isUp }) => `${from} ${to} ${cost} ${isMutual} ${isUp}`).join('\n');
    if (versions === this.#graphVersions) return;
    this.#graphVersions = versions;
    this.#paths = new SitePaths(this.#knownLinks.filter(({ isUp, to }) => isUp && to !== ''));
  }

  #hops({ row, routers }: DescribedRequest): readonly TraceHop[] {
    this.#refreshGraph();
    if (routers.length < 2) return [{ fromName: row.sourceSite, toName: row.destSite ?? row.sourceSite, roundTripMs: null }];
    return routers.slice(1).map((to, index) => {
      const from = routers[index] ?? '';
      const [fromName, toName] = [from, to].map((id) => this.#directory.placeOfRouter(id).name) as [string, string];
      return { fromName, toName, roundTripMs: this.#roundTripMs(from, to) };
    });
  }

  #roundTripMs(a: string, b: string): number | null {
    const link = this.#knownLinks.find(({ from, to, isUp }) => isUp && ((from === a && to === b) || (from === b && to === a)));
    return link?.roundTripMs ?? null;
  }

  #candidates(kind: StatQuery['kind']): readonly StatCandidate[] {
    if (kind === 'site') return this.#directory.routerIds().map((id) => ({ name: this.#directory.placeOfRouter(id).name, of: '' }));
    const found: StatCandidate[] = [];
    for (const { attributes, source } of this.#records.ofType(RecordType.connector)) {
      const address = textOf(attributes, Attribute.vanAddress);
      if (kind === 'service') found.push({ name: address, of: '' });
      else found.push({ name: serverName(this.#directory.placeOfSource(source).name, textOf(attributes, Attribute.name)), of: address });
    }
    if (kind === 'server') return found;
    for (const { attributes } of this.#records.ofType(RecordType.listener))
      found.push({ name: textOf(attributes, Attribute.vanAddress), of: '' });
    for (const { routingKey } of this.#directory.topology?.services ?? []) found.push({ name: routingKey, of: '' });
    return found.filter(({ name }) => name !== '');
  }

  #ownWarnings(): readonly WarningRow[] {
    const refused = this.#series.refused + this.#records.refused;
    if (refused === 0) return [];
    const siteName = this.#directory.placeOfRouter(this.#directory.ownRouterId).name;
    return [
      {
        code: 'observer-limit',
        severity: 'warning',
        title: 'the observer does not show everything',
        text: `${refused} records were left out: the network has more listeners and servers than the observer keeps`,
        remedy: null,
        siteName,
      },
    ];
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < sweepMs) return;
    this.#sweptMs = nowMs;
    this.#series.forget(({ lastChangeMs, open, source }) => {
      const isGone = this.#directory.known(source) === undefined;
      return nowMs - lastChangeMs > seriesLifetimeMs && (open === 0 || isGone);
    });
  }
}
