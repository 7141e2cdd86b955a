import { cumulativeCounts } from './golden-sums.ts';
import type { HistogramValue, Labels, PrometheusText } from './prometheus-text.ts';
import type { SkupperRecord } from './skupper-query.ts';
import type { SkupperRecords } from './skupper-records.ts';
import { isOfRequests, type TotalSeries } from './traffic-totals.ts';

/** Bounds of Skupper's `legacy_flow_latency_microseconds`. */
const skupperBoundsMicroseconds: readonly number[] = [1000, 2000, 5000, 10_000, 100_000, 1_000_000, 10_000_000];

/** Skupper's names. What sums do not tell is empty: the process of a client. */
export function writeSkupperTraffic(text: PrometheusText, records: SkupperRecords, series: readonly TotalSeries[]): void {
  const sites = new Map(records.routers().map((router) => [plainName(router['name']), String(router['siteId'])]));
  const connectors = records.connectors();
  const processes = new Map(records.processes().map((process) => [process.identity, process]));
  const targets = new Map<string, SkupperRecord | undefined>();
  for (const connector of connectors) {
    targets.set(`${String(connector['siteName'])}\n${String(connector['name'])}`, processes.get(String(connector['processId'])));
  }
  const labelsOf = ({ key }: TotalSeries): Labels => {
    const process = targets.get(`${key.destName}\n${key.connector}`);
    return {
      source_site_id: sites.get(key.sourceId) ?? key.sourceId,
      dest_site_id: sites.get(key.destId) ?? key.destId,
      source_site_name: key.sourceName,
      dest_site_name: key.destName,
      source_component_id: '',
      dest_component_id: shown(process?.['componentId']),
      source_component_name: '',
      dest_component_name: shown(process?.['componentName']),
      routing_key: key.address,
      protocol: key.protocol,
      source_process_name: '',
      dest_process_name: shown(process?.['name']),
    };
  };
  const labelled = merged(series.map((one) => ({ one, labels: labelsOf(one) })));
  const connections = labelled.filter(({ one }) => !isOfRequests(one));
  const sums = (of: readonly Labelled[], value: (one: TotalSeries) => number): (readonly [Labels, number])[] =>
    of.map(({ all, labels }) => [labels, all.reduce((sum, one) => sum + value(one), 0)] as const);
  text.metric(
    'skupper_connections_opened_total',
    'counter',
    'Connections that were opened.',
    sums(connections, ({ sums: { count } }) => count),
  );
  const closed = ({ sums: { success, failure } }: TotalSeries): number => success + failure;
  text.metric('skupper_connections_closed_total', 'counter', 'Connections that have ended.', sums(connections, closed));
  text.metric(
    'skupper_sent_bytes_total',
    'counter',
    'Octets from clients to servers.',
    sums(labelled, ({ sums: { fromClient } }) => fromClient),
  );
  text.metric(
    'skupper_received_bytes_total',
    'counter',
    'Octets from servers to clients.',
    sums(labelled, ({ sums: { toClient } }) => toClient),
  );
  text.metric('skupper_requests_total', 'counter', 'Requests.', labelled.filter(({ one }) => isOfRequests(one)).flatMap(requestSamples));
  text.histogram(
    'legacy_flow_latency_microseconds',
    'Time to the first byte, as the listener sees it.',
    skupperBoundsMicroseconds,
    labelled.map(({ labels, all }) => {
      const value: HistogramValue[] = all.map(({ sums: { latency, latencySumMicroseconds } }) => ({
        cumulative: cumulativeCounts(latency, skupperBoundsMicroseconds),
        count: [...latency.values()].reduce((sum, count) => sum + count, 0),
        sum: latencySumMicroseconds,
      }));
      const total = (pick: (one: HistogramValue) => number): number => value.reduce((sum, one) => sum + pick(one), 0);
      const cumulative = skupperBoundsMicroseconds.map((_, place) => total((one) => one.cumulative[place] ?? 0));
      return [labels, { cumulative, count: total(({ count }) => count), sum: total(({ sum }) => sum) }] as const;
    }),
  );
}

interface Labelled {
  readonly labels: Labels;
  readonly one: TotalSeries;
  /** All series with these labels. */
  readonly all: TotalSeries[];
}

/** Series that Skupper's labels do not tell apart are one. */
function merged(series: readonly { readonly one: TotalSeries; readonly labels: Labels }[]): Labelled[] {
  const found = new Map<string, Labelled>();
  for (const { one, labels } of series) {
    const text = JSON.stringify(Object.values(labels));
    const known = found.get(text);
    if (known === undefined) found.set(text, { one, labels, all: [one] });
    else known.all.push(one);
  }
  return [...found.values()];
}

function requestSamples({ labels, all }: Labelled): (readonly [Labels, number])[] {
  const counts = new Map<string, number>();
  const add = (method: string, code: string, count: number): void => {
    const key = `${method} ${code}`;
    if (count > 0) counts.set(key, (counts.get(key) ?? 0) + count);
  };
  for (const { sums } of all) {
    // What was not told with its method is counted without one.
    const left = new Map(sums.statuses);
    for (const [key, count] of sums.methods) {
      const [method = '', code = ''] = key.split('-');
      if (code === '') continue;
      add(method, code, count);
      left.set(code, (left.get(code) ?? 0) - count);
    }
    for (const [code, count] of left) add('', code, count);
  }
  return [...counts].map(([key, count]) => {
    const [method = '', code = ''] = key.split(' ');
    return [{ ...labels, method, code }, count] as const;
  });
}

function plainName(name: unknown): string {
  return String(name).replace(/^\d+\//, '');
}

/** What there is, with Skupper's names. */
export function writeSkupperTopology(text: PrometheusText, records: SkupperRecords): void {
  const sites = records
    .sites()
    .map((site) => [{ site_id: site.identity, name: String(site['name']), version: String(site['version']) }, 1] as const);
  text.metric('skupper_site_info', 'gauge', 'Sites of the network.', sites);
  const routers = records.routers();
  const siteOfRouter = new Map(routers.map((router) => [router.identity, String(router['siteId'])]));
  const count = (found: readonly Labels[]): (readonly [Labels, number])[] => {
    const counts = new Map<string, [Labels, number]>();
    for (const labels of found) {
      const key = JSON.stringify(labels);
      const known = counts.get(key);
      if (known === undefined) counts.set(key, [labels, 1]);
      else known[1]++;
    }
    return [...counts.values()];
  };
  const site = (record: SkupperRecord): string => siteOfRouter.get(String(record['routerId'])) ?? '';
  const modes = routers.map((router) => ({ site_id: String(router['siteId']), mode: String(router['mode']) }));
  text.metric('skupper_routers_total', 'gauge', 'Routers of each site.', count(modes));
  const links = records.links();
  const linkLabels = links.map((link) => ({ site_id: site(link), role: String(link['role']), status: String(link['status']) }));
  text.metric('skupper_site_links_total', 'gauge', 'Links that each site makes.', count(linkLabels));
  const listeners = records.listeners().map((listener) => ({ site_id: String(listener['siteId']) }));
  text.metric('skupper_site_listeners_total', 'gauge', 'Listeners of each site.', count(listeners));
  const connectors = records.connectors().map((connector) => ({ site_id: String(connector['siteId']) }));
  text.metric('skupper_site_connectors_total', 'gauge', 'Connectors of each site.', count(connectors));
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
