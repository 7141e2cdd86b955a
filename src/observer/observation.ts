import type { Clock } from '../base/clock.ts';
import type { CollectedRecord, CollectedSource } from '../flows/collected-source.ts';
import { FlowCollector, type FlowListener } from '../flows/flow-collector.ts';
import { NetworkModel, type TrafficDelta as ModelDelta } from '../flows/network-model.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { RecordUpdate } from '../flows/record.ts';
import type { SeriesLabels } from '../flows/series-labels.ts';
import type { TopologyReport } from '../flows/topology-report.ts';
import type { FeedListener } from './site-feed.ts';
import { TrafficLedger, type Baseline } from './traffic-ledger.ts';
import { emptySums, type TrafficDelta, type TrafficKey } from './traffic-sums.ts';

export interface ObservationOptions {
  readonly clock: Clock;
  readonly baselines: ReadonlyMap<string, Baseline>;
  /** What was added to a series. Of sums that a record tells, with up to where it is counted. */
  readonly onTraffic: (delta: TrafficDelta, identity?: string, baseline?: Baseline) => void;
  /** A request or connection has begun or ended. */
  readonly onRequest: (row: () => RequestRow | undefined, phase: 'began' | 'ended') => void;
}

/** Names of what series are about are looked up again after so long. */
const labelsLifetimeMs = 1000;
/** Those that were not found are looked up again sooner. */
const missedLifetimeMs = 100;
/** Until a source has been heard for so long, its sums wait for the names of what they are about. */
const settlingMs = 5000;

/** Makes of messages with records what the observer knows: the model of now, and what was added to each series. */
export class Observation implements FeedListener, FlowListener {
  readonly model: NetworkModel;
  readonly #options: ObservationOptions;
  readonly #collector: FlowCollector;
  readonly #ledger: TrafficLedger;
  /** When each source was first heard, by the wall clock. */
  readonly #firstHeardMs = new Map<string, number>();
  readonly #clockOffsetsMs = new Map<string, number>();
  #labels = new Map<string, { readonly labels: SeriesLabels; readonly address: string; readonly protocol: string }>();
  /** Under way by series. */
  #open = new Map<string, number>();
  #labelsAtMs = -Infinity;
  #isSum = false;

  constructor(options: ObservationOptions) {
    const { clock, baselines, onTraffic } = options;
    this.#options = options;
    this.model = new NetworkModel({
      nowMs: clock.wallMs(),
      onTraffic: (delta) => this.#flowsGrew(delta),
      onRequest: (id, phase) => options.onRequest(() => this.model.request(id), phase),
    });
    this.#collector = new FlowCollector(this);
    this.#ledger = new TrafficLedger({
      baselines,
      sinceMs: (source) => (this.#firstHeardMs.get(source) ?? clock.wallMs()) + (this.#clockOffsetsMs.get(source) ?? 0),
      keyOf: (source, record) => this.#keyOf(source, record),
      take: onTraffic,
    });
  }

  get malformed(): number {
    return this.#collector.malformed;
  }

  get droppedRecords(): number {
    return this.#collector.droppedRecords + this.#ledger.uncounted;
  }

  /** What the client's router told of a request in one attribute; empty when it did not. */
  attributeOf(id: string, attribute: number): string {
    const value = this.model.knownRecord(id)?.attributes.get(attribute);
    return typeof value === 'string' ? value : '';
  }

  /** To be called once a second. */
  tick(): void {
    this.#collector.handleTimeout(this.#options.clock.nowMs());
  }

  connected(): void {
    // Sources that are the same go on as they are; those of a router that was replaced fall silent.
  }

  message(message: { readonly to: string; readonly payload: Uint8Array; readonly origin?: string }): void {
    const { clock } = this.#options;
    this.#collector.receive(message, clock.nowMs(), clock.wallMs() * 1000);
  }

  lost(count: number): void {
    this.model.lostMessages(count);
  }

  topology(report: TopologyReport): void {
    this.model.topology(report);
  }

  sourceUp(source: CollectedSource): void {
    const nowMs = this.#options.clock.wallMs();
    if (!this.#firstHeardMs.has(source.id)) this.#firstHeardMs.set(source.id, nowMs);
    this.model.source(source.id, 'up', nowMs, this.#offsetOf(source));
  }

  sourceSilent({ id }: CollectedSource): void {
    this.model.source(id, 'silent', this.#options.clock.wallMs());
  }

  sourceGone({ id }: CollectedSource): void {
    this.#firstHeardMs.delete(id);
    this.#clockOffsetsMs.delete(id);
    this.model.source(id, 'gone', this.#options.clock.wallMs());
  }

  record(source: CollectedSource, { type, attributes }: CollectedRecord): void {
    const nowMs = this.#options.clock.wallMs();
    this.#offsetOf(source);
    this.#isSum = type === RecordType.traffic;
    this.model.record(source.id, attributes, nowMs);
    if (this.#isSum) this.#ledger.record(source.id, attributes, nowMs);
    this.#isSum = false;
  }

  #offsetOf({ id, clockOffsetMicroseconds }: CollectedSource): number {
    const offsetMs = clockOffsetMicroseconds / 1000;
    this.#clockOffsetsMs.set(id, offsetMs);
    return offsetMs;
  }

  /** Sums of routers that tell none, which the model makes of their connections. Those that are told are counted by the ledger. */
  #flowsGrew(delta: ModelDelta): void {
    if (this.#isSum) return;
    const { cell, labels, atMs } = delta;
    const sums = emptySums();
    sums.count = cell.count;
    sums.success = cell.success;
    sums.failure = cell.failure;
    sums.retries = cell.retries;
    sums.fromClient = cell.fromClient;
    sums.toClient = cell.toClient;
    sums.latencySumMicroseconds = delta.latencySumMicroseconds;
    cell.buckets.forEach((bucket, place) => sums.latency.set(bucket, cell.counts[place] ?? 0));
    this.#lookUpLabels(labelsLifetimeMs);
    const open = this.#open.get(labels.edgeKey + labels.serverKey) ?? 0;
    this.#options.onTraffic({ key: keyOfLabels(labels, labels.address, labels.protocol), sums, open, fromMs: atMs, toMs: atMs });
  }

  #keyOf(source: string, record: RecordUpdate): TrafficKey | undefined {
    const { clock } = this.#options;
    const identity = String(record.get(Attribute.identity));
    this.#lookUpLabels(this.#labels.has(identity) ? labelsLifetimeMs : missedLifetimeMs);
    const found = this.#labels.get(identity);
    if (found === undefined || found.labels.sourceId === '') return undefined;
    const { labels, address, protocol } = found;
    const heardMs = clock.wallMs() - (this.#firstHeardMs.get(source) ?? 0);
    const isNamed = labels.listener !== '' && (labels.destId === '' || labels.connector !== '' || labels.destSite !== labels.destId);
    return isNamed || heardMs > settlingMs ? keyOfLabels(labels, address, protocol) : undefined;
  }

  /** Unless they were looked up not so long ago. */
  #lookUpLabels(lifetimeMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#labelsAtMs <= lifetimeMs) return;
    this.#labelsAtMs = nowMs;
    this.#labels = new Map();
    this.#open = new Map();
    for (const { identity, labels, address, protocol, open } of this.model.series()) {
      this.#labels.set(identity, { labels, address, protocol });
      this.#open.set(labels.edgeKey + labels.serverKey, open);
    }
  }
}

function keyOfLabels(labels: SeriesLabels, address: string, protocol: string): TrafficKey {
  const { sourceId, sourceSite, destId, destSite, listener, connector, server } = labels;
  return { address, protocol, sourceId, sourceName: sourceSite, destId, destName: destSite, listener, connector, server };
}
