import type { NetworkModel } from '../flows/network-model.ts';
import type { NetworkSnapshot } from '../flows/network-snapshot.ts';
import { cumulativeCounts } from './golden-sums.ts';
import type { HistoryState } from './history.ts';
import type { ExportState } from './observer-state.ts';
import { PrometheusText, type HistogramValue, type Labels } from './prometheus-text.ts';
import { SkupperRecords } from './skupper-records.ts';
import { writeSkupperTopology, writeSkupperTraffic } from './skupper-metrics.ts';
import { isOfRequests, type TotalSeries, type TrafficTotals } from './traffic-totals.ts';
import type { TrafficKey } from './traffic-sums.ts';

export interface MetricsSources {
  readonly model: NetworkModel;
  readonly totals: TrafficTotals;
  readonly history: () => HistoryState;
  readonly exports: () => readonly ExportState[];
  readonly version: string;
  /** By the wall clock. */
  readonly startedMs: number;
  readonly isConnected: () => boolean;
  /** Reconnections to the site, and messages and records that were not understood or kept. */
  readonly counters: () => { readonly reconnections: number; readonly malformed: number; readonly droppedRecords: number };
}

/** Bounds of `response_latency_ms`, as Linkerd's proxies have them. */
export const latencyBoundsMs: readonly number[] = [
  1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10_000, 20_000, 30_000, 40_000, 50_000,
];

/** The text of `/metrics`: traffic with Linkerd's and with Skupper's names, the topology, and the observer itself. */
export function metricsText(sources: MetricsSources, nowMs: number): string {
  const text = new PrometheusText();
  const series = [...sources.totals.values(nowMs)];
  writeRequests(text, series.filter(isOfRequests));
  writeConnections(
    text,
    series.filter((one) => !isOfRequests(one)),
  );
  const records = new SkupperRecords(sources.model, sources.startedMs);
  writeSkupperTraffic(text, records, series);
  writeSkupperTopology(text, records);
  writeTopology(text, sources.model.snapshot(60_000, nowMs));
  writeObserver(text, sources, series.length);
  return text.toString();
}

/** Linkerd's direction and destination, and the two sites. */
export function trafficLabels(key: TrafficKey): Labels {
  return {
    direction: 'outbound',
    dst_service: key.address,
    protocol: key.protocol,
    src_site: key.sourceName,
    dst_site: key.destName,
    listener: key.listener,
    connector: key.connector,
    server: key.server,
  };
}

function writeRequests(text: PrometheusText, series: readonly TotalSeries[]): void {
  const each = (value: (one: TotalSeries) => number): (readonly [Labels, number])[] =>
    series.map((one) => [trafficLabels(one.key), value(one)] as const);
  text.metric(
    'request_total',
    'counter',
    'Requests that have ended.',
    each(({ sums }) => sums.count),
  );
  text.metric('response_total', 'counter', 'Answers by status, and whether they count as success.', series.flatMap(responses));
  const latencies = series.map((one) => [trafficLabels(one.key), latencyOf(one)] as const);
  text.histogram('response_latency_ms', 'Time to the first byte of answers.', latencyBoundsMs, latencies);
  const retries = each(({ sums }) => sums.retries).filter(([, value]) => value > 0);
  text.metric('outbound_http_route_retry_requests_total', 'counter', 'Requests that were tried again at another server.', retries);
  text.metric(
    'caravan_requests_open',
    'gauge',
    'Requests under way.',
    each(({ open }) => open),
  );
}

function responses({ key, sums }: TotalSeries): (readonly [Labels, number])[] {
  const samples: (readonly [Labels, number])[] = [];
  const add = (status: string, classification: 'success' | 'failure', count: number): void => {
    if (count > 0) samples.push([{ ...trafficLabels(key), status_code: status, classification }, count]);
  };
  let failedElsewhere = sums.failure;
  for (const [status, count] of sums.statuses) if (Number(status) >= 500) failedElsewhere -= count;
  for (const [status, count] of sums.statuses) {
    if (Number(status) >= 500) {
      add(status, 'failure', count);
      continue;
    }
    // Of gRPC, failures have the status 200, too.
    const failed = status === '200' ? Math.min(count, Math.max(0, failedElsewhere)) : 0;
    add(status, 'failure', failed);
    add(status, 'success', count - failed);
  }
  return samples;
}

function latencyOf({ sums }: TotalSeries): HistogramValue {
  let count = 0;
  for (const more of sums.latency.values()) count += more;
  const bounds = latencyBoundsMs.map((bound) => bound * 1000);
  return { cumulative: cumulativeCounts(sums.latency, bounds), count, sum: sums.latencySumMicroseconds / 1000 };
}

function writeConnections(text: PrometheusText, series: readonly TotalSeries[]): void {
  const each = (value: (one: TotalSeries) => number): (readonly [Labels, number])[] =>
    series.map((one) => [trafficLabels(one.key), value(one)] as const);
  text.metric(
    'tcp_open_total',
    'counter',
    'Connections and flows that were opened.',
    each(({ sums }) => sums.count),
  );
  const closed = series.flatMap(({ key, sums }) => {
    const labels = trafficLabels(key);
    return [
      [{ ...labels, classification: 'success' }, sums.success],
      [{ ...labels, classification: 'failure' }, sums.failure],
    ] as const;
  });
  text.metric('tcp_close_total', 'counter', 'Connections and flows that have ended.', closed);
  text.metric(
    'tcp_open_connections',
    'gauge',
    'Connections and flows under way.',
    each(({ open }) => open),
  );
  text.metric(
    'tcp_read_bytes_total',
    'counter',
    'Octets from clients.',
    each(({ sums }) => sums.fromClient),
  );
  text.metric(
    'tcp_write_bytes_total',
    'counter',
    'Octets to clients.',
    each(({ sums }) => sums.toClient),
  );
}

function writeTopology(text: PrometheusText, network: NetworkSnapshot): void {
  const links = network.links.map((link) => ({ link, labels: { link: link.name, src_site: link.fromName, dst_site: link.toName } }));
  const each = (value: (link: NetworkSnapshot['links'][number]) => number | null): (readonly [Labels, number])[] =>
    links.flatMap(({ link, labels }) => {
      const found = value(link);
      return found === null ? [] : [[labels, found] as const];
    });
  text.metric(
    'caravan_link_up',
    'gauge',
    'Whether a link is up; src_site dialled it.',
    each(({ state }) => (state === 'up' ? 1 : 0)),
  );
  text.metric(
    'caravan_link_cost',
    'gauge',
    'Cost of a link.',
    each(({ cost }) => cost),
  );
  const seconds = each(({ roundTripMs }) => (roundTripMs === null ? null : roundTripMs / 1000));
  text.metric('caravan_link_round_trip_seconds', 'gauge', 'Smoothed time of a round trip to the neighbour.', seconds);
  text.metric(
    'caravan_link_loss_ratio',
    'gauge',
    'Part of the probes of the last minute without an answer.',
    each(({ lossRatio }) => lossRatio),
  );
  text.metric(
    'caravan_link_down_total',
    'counter',
    'How often a link went down.',
    each(({ downCount }) => downCount),
  );
  const targets = links.map(({ link }) => ({ link, labels: { target_cluster_name: link.toName, link: link.name } }));
  text.metric(
    'gateway_alive',
    'gauge',
    "Linkerd's name for whether a link is up.",
    targets.map(({ link, labels }) => [labels, link.state === 'up' ? 1 : 0] as const),
  );
  const latencies = targets.flatMap(({ link, labels }) => (link.roundTripMs === null ? [] : [[labels, link.roundTripMs] as const]));
  text.metric('gateway_latency', 'gauge', "Linkerd's name for the round trip of a link, in milliseconds.", latencies);
  const sites = network.sites.map((site) => ({ site, labels: { site: site.name, site_id: site.id } }));
  text.metric(
    'caravan_site_up',
    'gauge',
    'Whether a site tells records.',
    sites.map(({ site, labels }) => [labels, site.state === 'up' ? 1 : 0] as const),
  );
  const expiry = (value: (site: NetworkSnapshot['sites'][number]) => number | null): (readonly [Labels, number])[] =>
    sites.flatMap(({ site, labels }) => {
      const endsMs = value(site);
      return endsMs === null ? [] : [[labels, endsMs / 1000] as const];
    });
  const certificates = expiry(({ certificateEndsMs }) => certificateEndsMs);
  text.metric('identity_cert_expiration_timestamp_seconds', 'gauge', "When a site's certificate ends.", certificates);
  const memberships = expiry(({ membershipEndsMs }) => membershipEndsMs);
  text.metric('caravan_membership_expiration_timestamp_seconds', 'gauge', "When a site's membership ends.", memberships);
  const severities = ['error', 'warning'] as const;
  const warnings = severities.map(
    (severity) => [{ severity }, network.warnings.filter((warning) => warning.severity === severity).length] as const,
  );
  text.metric('caravan_warnings', 'gauge', "Warnings of the observer's site.", warnings);
  text.metric('caravan_flows_lost_total', 'counter', 'Requests and connections that routers did not record one by one.', [
    [{}, network.droppedFlows],
  ]);
}

function writeObserver(text: PrometheusText, sources: MetricsSources, series: number): void {
  const { model, totals, version, startedMs, isConnected } = sources;
  const one = (name: string, type: 'counter' | 'gauge', help: string, value: number): void => text.metric(name, type, help, [[{}, value]]);
  const history = sources.history();
  const { reconnections, malformed, droppedRecords } = sources.counters();
  text.metric('caravan_observer_info', 'gauge', 'Version of the observer.', [[{ version }, 1]]);
  one('caravan_observer_connected', 'gauge', 'Whether the site tells records to the observer.', isConnected() ? 1 : 0);
  one('caravan_observer_reconnections_total', 'counter', 'Connections to the site after the first.', reconnections);
  one('caravan_observer_sources', 'gauge', 'Routers and controllers that tell records.', model.sourceCount);
  one(
    'caravan_observer_messages_lost_total',
    'counter',
    'Messages with records that the observer was too slow for.',
    model.lostMessageCount,
  );
  one('caravan_observer_malformed_total', 'counter', 'Messages that are not what they should be.', malformed);
  one('caravan_observer_records_dropped_total', 'counter', 'Records that were not kept because there were too many.', droppedRecords);
  one('caravan_observer_series', 'gauge', 'Series of traffic that are shown here.', series);
  one('caravan_observer_series_refused_total', 'counter', 'Additions to series that had no room of their own.', totals.refused);
  one('caravan_observer_history_up', 'gauge', 'Whether history is written.', history.state === 'ok' ? 1 : 0);
  one('caravan_observer_history_bytes', 'gauge', 'Size of the history.', history.bytes);
  one('caravan_observer_history_lost_total', 'counter', 'Rows that are in no history.', history.lost);
  const exports = sources.exports();
  text.metric(
    'caravan_observer_export_up',
    'gauge',
    'Whether an export works.',
    exports.map(({ name, state }) => [{ export: name }, state === 'ok' ? 1 : 0] as const),
  );
  text.metric(
    'caravan_observer_export_lost_total',
    'counter',
    'What an export gave up.',
    exports.map(({ name, lost }) => [{ export: name }, lost] as const),
  );
  const { user, system } = process.cpuUsage();
  one('process_cpu_seconds_total', 'counter', 'Processor time of the observer.', (user + system) / 1e6);
  one('process_resident_memory_bytes', 'gauge', 'Memory of the observer.', process.memoryUsage.rss());
  one('process_start_time_seconds', 'gauge', 'When the observer began.', startedMs / 1000);
}
