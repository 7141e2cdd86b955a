import type { KnownRecords } from './known-records.ts';
import { bucketOfMicroseconds } from './latency-quantile.ts';
import type { RecentRequests, StoredRequest } from './recent-requests.ts';
import { Attribute, RecordType } from './record-types.ts';
import { numberOf, textOf } from './record-values.ts';
import type { FlowSourceState } from './site-directory.ts';
import type { Series, ObservedSeries } from './observed-series.ts';
import type { TrafficIncrease } from './traffic-sums.ts';
import { emptyCell } from './traffic-total.ts';

/** Flows that began this much before their source was met are new all the same. */
const beginToleranceMs = 3000;
const none: ReadonlyMap<string, number> = new Map();

/** Sums for routers that tell none, such as a skupper-router: its single connections are counted. */
export class FlowCounting {
  readonly #records: KnownRecords;
  readonly #requests: RecentRequests;
  readonly #series: ObservedSeries;

  constructor(records: KnownRecords, requests: RecentRequests, series: ObservedSeries) {
    this.#records = records;
    this.#requests = requests;
    this.#series = series;
  }

  /** Counts what is new of a connection. Undefined when it is no connection, or its ends are not known yet and it goes on. */
  count(
    flow: StoredRequest,
    source: FlowSourceState,
    destRouter: string,
    nowMs: number,
  ): { readonly series: Series; readonly increase: TrafficIncrease } | undefined {
    const { attributes, ended } = flow;
    if (numberOf(attributes, Attribute.recordType) !== RecordType.transportFlow) return undefined;
    // The connector's side tells later where the connection went to: until then it counts for nobody.
    if (destRouter === '' && !ended) return undefined;
    const series = this.#series.seriesOf(this.#keyOf(flow, destRouter), nowMs);
    if (series === undefined) return undefined;
    const before = flow.counted ?? this.#before(flow, source);
    const now = {
      opened: true,
      ended,
      fromClient: numberOf(attributes, Attribute.octets) ?? 0,
      toClient: numberOf(attributes, Attribute.octetsReverse) ?? 0,
    };
    const failed = textOf(attributes, Attribute.errorListenerSide) !== '' || textOf(attributes, Attribute.errorConnectorSide) !== '';
    const cell = emptyCell();
    const ends = ended && !before.ended;
    cell.count = before.opened ? 0 : 1;
    cell.success = ends && !failed ? 1 : 0;
    cell.failure = ends && failed ? 1 : 0;
    cell.fromClient = Math.max(0, now.fromClient - before.fromClient);
    cell.toClient = Math.max(0, now.toClient - before.toClient);
    const latency = ends ? numberOf(attributes, Attribute.latency) : undefined;
    if (latency !== undefined) {
      cell.buckets = [bucketOfMicroseconds(latency)];
      cell.counts = [1];
    }
    const wasOpen = flow.counted !== undefined && !flow.counted.ended ? 1 : 0;
    series.open = Math.max(0, series.open - wasOpen + (ended ? 0 : 1));
    flow.counted = now;
    const increase = { cell, statuses: none, methods: none, latencySumMicroseconds: latency ?? 0 };
    this.#series.grow(series, increase, nowMs);
    return { series, increase };
  }

  /** What of a flow that is told for the first time happened before anybody looked, or was counted before it was forgotten. */
  #before({ attributes }: StoredRequest, source: FlowSourceState): NonNullable<StoredRequest['counted']> {
    const start = numberOf(attributes, Attribute.startTime) ?? 0;
    const since = (source.firstSeenMs + source.clockOffsetMs - beginToleranceMs) * 1000;
    const isNew = start >= since && start > this.#requests.forgottenUntilMicroseconds;
    if (isNew) return { opened: false, ended: false, fromClient: 0, toClient: 0 };
    const fromClient = numberOf(attributes, Attribute.octets) ?? 0;
    return { opened: true, ended: false, fromClient, toClient: numberOf(attributes, Attribute.octetsReverse) ?? 0 };
  }

  #keyOf({ attributes, source }: StoredRequest, destRouter: string): Parameters<ObservedSeries['seriesOf']>[0] {
    const listener = textOf(attributes, Attribute.parent);
    const destServer = textOf(attributes, Attribute.connector);
    const told = this.#records.find(listener)?.attributes;
    return {
      // Identities of records have no blank.
      identity: `${source} ${listener} ${destServer}`,
      source,
      listener,
      address: told === undefined ? '' : textOf(told, Attribute.vanAddress),
      protocol: told === undefined ? 'tcp' : textOf(told, Attribute.protocol) || 'tcp',
      destRouter,
      destServer,
    };
  }
}
