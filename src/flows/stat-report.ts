import { groupOf, type TrafficView } from './grouped-traffic.ts';
import type { StatReport, StatRow } from './network-snapshot.ts';
import type { SeriesLabels, SeriesNames } from './series-labels.ts';
import type { SiteDirectory } from './site-directory.ts';
import { TrafficTotal } from './traffic-total.ts';

/**
 * What is to be counted. Rows of sites are of the servers at each; with `to`, of the clients at each whose requests went to that site.
 * `name` is that of a service, a site or a server (`SITE/CONNECTOR`, or the connector alone). Sites go by name or router id.
 */
export interface StatQuery {
  readonly kind: StatReport['kind'];
  readonly name?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly windowMs: number;
}

/** What has no row of its own in the traffic and is shown without any: services, sites and servers that are known. */
export interface StatCandidate {
  readonly name: string;
  readonly of: string;
}

export function statReport(
  query: StatQuery,
  view: TrafficView,
  names: SeriesNames,
  directory: SiteDirectory,
  candidates: readonly StatCandidate[],
  dropped: Pick<StatReport, 'droppedFlows' | 'droppedSinceStart'>,
): StatReport {
  const { kind, name, from, to, windowMs } = query;
  const groups = new Map<string, { readonly labels: SeriesLabels; readonly total: TrafficTotal }>();
  view.each((series, cell) => {
    const labels = names.labels(series);
    if (from !== undefined && !directory.isSite(from, labels.sourceId)) return;
    if (to !== undefined && !directory.isSite(to, labels.destId)) return;
    const row = rowOf(query, labels);
    if (row !== undefined && isNamed(name, row, kind)) groupOf(groups, `${row.of}\n${row.name}`, labels).add(cell, series.open);
  });
  const seconds = view.coveredMs / 1000;
  const rows = new Map<string, StatRow>();
  const none = new TrafficTotal();
  for (const candidate of candidates) {
    if (isNamed(name, candidate, kind)) rows.set(`${candidate.of}\n${candidate.name}`, { ...candidate, golden: none.golden(seconds) });
  }
  for (const [key, { labels, total }] of groups) {
    const row = rowOf(query, labels);
    if (row !== undefined) rows.set(key, { ...row, golden: total.golden(seconds) });
  }
  const sorted = [...rows.values()].sort((a, b) => compare(a.of, b.of) || compare(a.name, b.name));
  return { windowMs, coveredMs: Math.min(windowMs, view.coveredMs), kind, rows: sorted, ...dropped };
}

function rowOf({ kind, to }: StatQuery, labels: SeriesLabels): StatCandidate | undefined {
  if (kind === 'service') return { name: labels.address, of: '' };
  if (kind === 'server') {
    if (labels.destId === '') return undefined;
    return { name: serverName(labels.destSite, labels.connector || labels.server), of: labels.address };
  }
  const site = to === undefined ? labels.destSite : labels.sourceSite;
  return site === '' ? undefined : { name: site, of: '' };
}

/** A server as its row is called. */
export function serverName(site: string, connector: string): string {
  return connector === '' ? site : `${site}/${connector}`;
}

function isNamed(name: string | undefined, row: StatCandidate, kind: StatQuery['kind']): boolean {
  if (name === undefined || row.name === name) return true;
  return kind === 'server' && (row.of === name || row.name.endsWith(`/${name}`));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
