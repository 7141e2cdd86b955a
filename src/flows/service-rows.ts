import type { GroupedTraffic } from './grouped-traffic.ts';
import type { KnownRecords, StoredRecord } from './known-records.ts';
import type { Golden, ListenerRow, ServerRow, ServiceRow } from './network-snapshot.ts';
import { Attribute, RecordType } from './record-types.ts';
import { textOf } from './record-values.ts';
import { listenerKey, serverKey } from './series-labels.ts';
import type { SiteDirectory } from './site-directory.ts';
import type { TopologyService } from './topology-report.ts';

interface ServiceParts {
  readonly listeners: StoredRecord[];
  readonly connectors: StoredRecord[];
  readonly protocols: Set<string>;
  routed: TopologyService | undefined;
}

/** All services that routing, listeners, connectors or traffic know, with what the window has of each. */
export function serviceRows(directory: SiteDirectory, records: KnownRecords, grouped: GroupedTraffic): readonly ServiceRow[] {
  const parts = new Map<string, ServiceParts>();
  const of = (address: string): ServiceParts => {
    let found = parts.get(address);
    if (found === undefined) {
      found = { listeners: [], connectors: [], protocols: new Set(), routed: undefined };
      parts.set(address, found);
    }
    return found;
  };
  for (const routed of directory.topology?.services ?? []) {
    const service = of(routed.routingKey);
    service.routed = routed;
    for (const type of routed.types) service.protocols.add(type);
  }
  for (const record of records.ofType(RecordType.listener)) take(of(textOf(record.attributes, Attribute.vanAddress)), record, 'listeners');
  for (const record of records.ofType(RecordType.connector))
    take(of(textOf(record.attributes, Attribute.vanAddress)), record, 'connectors');
  for (const address of grouped.addresses()) of(address);
  const allListeners = new Map(parts.values().flatMap(({ listeners }) => listeners.map((record) => [keyOf(record, directory), record])));
  parts.delete('');
  return [...parts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([address, service]) => serviceRow(address, service, directory, allListeners, grouped));
}

function take(service: ServiceParts, record: StoredRecord, end: 'listeners' | 'connectors'): void {
  service[end].push(record);
  const protocol = textOf(record.attributes, Attribute.protocol);
  if (protocol !== '') service.protocols.add(protocol);
}

function serviceRow(
  address: string,
  { listeners, connectors, protocols, routed }: ServiceParts,
  directory: SiteDirectory,
  allListeners: ReadonlyMap<string, StoredRecord>,
  grouped: GroupedTraffic,
): ServiceRow {
  const traffic = grouped.service(address);
  // A listener of several addresses is told with one of them; its traffic tells the others.
  const known = new Map(listeners.map((record) => [keyOf(record, directory), record]));
  for (const key of traffic?.listeners.keys() ?? []) {
    const record = allListeners.get(key);
    if (record !== undefined) known.set(key, record);
  }
  return {
    address,
    protocols: [...(protocols.size > 0 ? protocols : (traffic?.protocols ?? []))].sort(),
    distribution: routed?.distribution ?? 'balanced',
    listeners: [...known].map(([key, record]) => listenerRow(record, directory, grouped.golden(traffic?.listeners.get(key)))),
    servers: serverRows(address, connectors, routed, directory, grouped),
    golden: grouped.golden(traffic?.total),
  };
}

function listenerRow({ source, attributes }: StoredRecord, directory: SiteDirectory, golden: Golden): ListenerRow {
  const { routerId, name } = directory.placeOfSource(source);
  return {
    siteId: routerId,
    siteName: name,
    name: textOf(attributes, Attribute.name),
    host: textOf(attributes, Attribute.destHost),
    port: textOf(attributes, Attribute.destPort),
    golden,
  };
}

/** Servers with a connector, and what had traffic without one that is known; sites that offer the service and tell no connectors, too. */
function serverRows(
  address: string,
  connectors: readonly StoredRecord[],
  routed: TopologyService | undefined,
  directory: SiteDirectory,
  grouped: GroupedTraffic,
): readonly ServerRow[] {
  const traffic = grouped.service(address);
  const unused = new Map(traffic?.servers);
  const share = (count: number): number | null => (traffic === undefined || traffic.served === 0 ? null : count / traffic.served);
  const rows: ServerRow[] = [];
  for (const record of connectors) {
    const { attributes } = record;
    const { routerId, name } = directory.placeOfSource(record.source);
    const key = serverKey(record, routerId, address);
    const total = unused.get(key)?.total;
    unused.delete(key);
    rows.push({
      siteId: routerId,
      siteName: name,
      connector: textOf(attributes, Attribute.name),
      host: textOf(attributes, Attribute.destHost),
      port: textOf(attributes, Attribute.destPort),
      share: share(total?.count ?? 0),
      golden: grouped.golden(total),
    });
  }
  for (const { labels, total } of unused.values()) {
    const place = { siteId: labels.destId, siteName: labels.destSite };
    rows.push({
      ...place,
      connector: labels.connector,
      host: labels.server,
      port: '',
      share: share(total.count),
      golden: grouped.golden(total),
    });
  }
  const told = new Set(rows.map(({ siteId }) => siteId));
  for (const { routerId } of routed?.connectors ?? []) {
    if (told.has(routerId)) continue;
    const { name } = directory.placeOfRouter(routerId);
    rows.push({ siteId: routerId, siteName: name, connector: '', host: '', port: '', share: share(0), golden: grouped.golden(undefined) });
  }
  return rows;
}

function keyOf(listener: StoredRecord, directory: SiteDirectory): string {
  return listenerKey(listener, directory.placeOfSource(listener.source).routerId);
}
