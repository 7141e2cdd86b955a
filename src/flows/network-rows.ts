import { GroupedTraffic, type TrafficView } from './grouped-traffic.ts';
import type { KnownRecords } from './known-records.ts';
import { linkRow, type KnownLink } from './link-rows.ts';
import type { EdgeRow, NetworkSnapshot, SiteRow, WarningRow } from './network-snapshot.ts';
import { Attribute } from './record-types.ts';
import { millisecondsOf, textOrNull } from './record-values.ts';
import type { SeriesNames } from './series-labels.ts';
import { serviceRows } from './service-rows.ts';
import type { SiteDirectory } from './site-directory.ts';
import type { SitePaths } from './site-paths.ts';
import type { TopologyWarning } from './topology-report.ts';

/** What rows are made of. */
export interface NetworkSources {
  readonly directory: SiteDirectory;
  readonly records: KnownRecords;
  readonly names: SeriesNames;
  readonly links: readonly KnownLink[];
  readonly paths: SitePaths;
  /** Octets a second of a link's record, as its router has them: sent, received. */
  readonly linkRates: (link: KnownLink) => readonly [number, number];
  readonly droppedFlows: number;
  /** Of the observer itself. */
  readonly warnings: readonly WarningRow[];
}

/** The whole network with the traffic of a window. */
export function networkSnapshot(sources: NetworkSources, traffic: TrafficView, windowMs: number, nowMs: number): NetworkSnapshot {
  const { directory, records, links, warnings, droppedFlows, linkRates, paths, names } = sources;
  const grouped = new GroupedTraffic(traffic, names);
  const { topology } = directory;
  return {
    atMs: nowMs,
    networkId: topology?.networkId ?? null,
    windowMs,
    sites: directory
      .routerIds()
      .map((routerId) => siteRow(routerId, directory, paths, grouped))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1)),
    links: links.map((link) => linkRow(link, directory, linkRates(link))),
    services: serviceRows(directory, records, grouped),
    edges: edgeRows(grouped, paths),
    warnings: [...(topology?.warnings ?? []).map(({ warning }) => warningRow(warning, directory)), ...warnings],
    droppedFlows,
  };
}

function siteRow(routerId: string, directory: SiteDirectory, paths: SitePaths, grouped: GroupedTraffic): SiteRow {
  const routed = directory.topologySite(routerId);
  const source = directory.sourceOfRouter(routerId);
  const record = source === undefined ? undefined : directory.siteRecord(source);
  const text = (attribute: number): string | null => (record === undefined ? null : textOrNull(record, attribute));
  const time = (attribute: number): number | null => (source?.router === undefined ? null : millisecondsOf(source.router, attribute));
  return {
    id: routerId,
    name: directory.placeOfRouter(routerId).name,
    platform: routed?.platform ?? text(Attribute.platform),
    version:
      routed?.version ??
      text(Attribute.buildVersion) ??
      (source?.router === undefined ? null : textOrNull(source.router, Attribute.buildVersion)),
    location: routed?.location ?? text(Attribute.location),
    namespace: routed?.namespace ?? text(Attribute.namespace),
    ...(routed === undefined ? relationByLinks(routerId, directory, paths) : pickRelation(routed, directory)),
    trust: routed?.trust ?? 'unsigned',
    advertise: routed?.advertise ?? null,
    consume: routed?.consume ?? null,
    state: source?.state ?? 'silent',
    certificateEndsMs: time(Attribute.certificateEnds),
    membershipEndsMs: time(Attribute.membershipEnds),
    outbound: grouped.outbound(routerId),
    inbound: grouped.inbound(routerId),
  };
}

type Relation = Pick<SiteRow, 'relation' | 'nextHop' | 'cost'>;

function pickRelation(
  { relation, nextHop, cost }: NonNullable<ReturnType<SiteDirectory['topologySite']>>,
  directory: SiteDirectory,
): Relation {
  return { relation, nextHop: nextHop === null ? null : directory.placeOfRouter(nextHop.routerId).name, cost };
}

/** Without routing's view: by the links that are told. */
function relationByLinks(routerId: string, directory: SiteDirectory, paths: SitePaths): Relation {
  const own = directory.ownRouterId;
  if (routerId === own) return { relation: 'self', nextHop: null, cost: 0 };
  const path = paths.path(own, routerId);
  const relation = path?.length === 1 ? 'direct' : 'indirect';
  const nextHop = relation === 'indirect' ? path?.[0]?.to : undefined;
  return { relation, nextHop: nextHop === undefined ? null : directory.placeOfRouter(nextHop).name, cost: paths.cost(own, routerId) ?? 0 };
}

function edgeRows(grouped: GroupedTraffic, paths: SitePaths): readonly EdgeRow[] {
  return [...grouped.edges.values()]
    .map(({ labels, total }): EdgeRow => {
      const { sourceId, sourceSite, destId, destSite, address, protocol } = labels;
      const secured = sourceId === destId ? 'local' : isMutual(paths, sourceId, destId) ? 'mutual-tls' : 'partly';
      return { sourceId, sourceName: sourceSite, destId, destName: destSite, address, protocol, secured, golden: grouped.golden(total) };
    })
    .sort((a, b) => compare(a.sourceName, b.sourceName) || compare(a.destName, b.destName) || compare(a.address, b.address));
}

function isMutual(paths: SitePaths, from: string, to: string): boolean {
  const path = paths.path(from, to);
  return path !== undefined && path.every((link) => link.isMutual);
}

function warningRow({ code, severity, title, text, remedy }: TopologyWarning, directory: SiteDirectory): WarningRow {
  const siteName = directory.placeOfRouter(directory.ownRouterId).name;
  return { code, severity: severity === 'error' ? 'error' : 'warning', title, text, remedy: remedy === '' ? null : remedy, siteName };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
