import { toldTypes } from './site-data.ts';
import type { AddressRow, ConnectionRow, RouterNodeRow } from '../management/operational-entities.ts';

/** The whole network as one site sees it: the body of the operation NETWORK. */
export interface NetworkView {
  /** Null while the site belongs to no network. */
  readonly networkId: string | null;
  /** Id of the router that answers. */
  readonly routerId: string;
  readonly sites: readonly NetworkSite[];
  /** Each link between two routers once. */
  readonly links: readonly NetworkLink[];
  readonly services: readonly NetworkService[];
}

export interface NetworkSite {
  readonly routerId: string;
  /** Name of the site; the router id where the router does not tell one. */
  readonly name: string;
  readonly namespace: string | null;
  readonly platform: string | null;
  readonly version: string | null;
  readonly location: string | null;
  readonly relation: 'self' | 'direct' | 'indirect';
  /** For an indirect site: the neighbour that traffic to it goes through. */
  readonly nextHop: { readonly routerId: string; readonly name: string } | null;
  /** Sum of the link costs of the path from here. */
  readonly cost: number;
  /** False for routers whose identity no certificate of the network proves, such as a skupper-router. */
  readonly signed: boolean;
  readonly trust: RouterNodeRow['trust'];
  /** Address patterns that the site may announce and send to; null when it does not sign. */
  readonly advertise: readonly string[] | null;
  readonly consume: readonly string[] | null;
  /** Its neighbours, as it says. */
  readonly peers: readonly { readonly routerId: string; readonly name: string; readonly cost: number }[];
}

export interface NetworkLink {
  readonly from: { readonly routerId: string; readonly name: string };
  readonly to: { readonly routerId: string; readonly name: string };
  readonly cost: number;
  /** Only for links of this site: the Link or access it belongs to, and who dialled. */
  readonly owner: string | null;
  readonly direction: 'in' | 'out' | null;
}

export interface NetworkService {
  readonly routingKey: string;
  readonly distribution: string;
  /** Protocols that its listeners and connectors speak, as far as sites tell; several do not go together. */
  readonly types: readonly string[];
  /** Sites with connectors, nearest first. */
  readonly connectors: readonly ServicePlace[];
  /** Sites with listeners. */
  readonly listeners: readonly ServicePlace[];
  /** Listeners of this site. */
  readonly localListeners: readonly { readonly name: string; readonly host: string; readonly port: number; readonly open: boolean }[];
}

export interface ServicePlace {
  readonly routerId: string;
  readonly name: string;
}

/** A port of this site that leads to a service. */
export interface ServicePortRow {
  readonly name: string;
  /** Absent for a port of several. */
  readonly address?: string | undefined;
  readonly host: string;
  readonly port: number;
  /** 0 while it is closed. */
  readonly boundPort: number;
}

/** What the view is made of. */
export interface NetworkSources {
  readonly networkId: string | null;
  /** This router first. */
  readonly nodes: readonly RouterNodeRow[];
  readonly addresses: readonly AddressRow[];
  readonly connections: readonly ConnectionRow[];
  /** Ports of this site's services. */
  readonly ports: readonly ServicePortRow[];
  /** Protocols that this site's services speak, by routing key. */
  readonly types: ReadonlyMap<string, ReadonlySet<string>>;
  /** Routing keys by name of the listeners of this site that have several. */
  readonly listenerKeys: ReadonlyMap<string, readonly string[]>;
}

export function networkView(sources: NetworkSources): NetworkView {
  const { nodes, networkId } = sources;
  const [own] = nodes;
  const routerId = own?.id ?? '';
  const place = placeOf(nodes);
  const sites = nodes.map((node) => siteView(node, routerId, place));
  return { networkId, routerId, sites, links: links(sources, routerId, place), services: services(sources, routerId, place) };
}

type Place = (routerId: string) => ServicePlace;

function placeOf(nodes: readonly RouterNodeRow[]): Place {
  // One object for each router, however often it is named.
  const places = new Map(nodes.map(({ id, site }) => [id, { routerId: id, name: text(site, 'name') ?? id }]));
  return (routerId) => places.get(routerId) ?? { routerId, name: routerId };
}

function siteView(node: RouterNodeRow, ownId: string, place: Place): NetworkSite {
  const { id, nextHop, cost, signed, trust, advertise, consume, site, linkState } = node;
  return {
    ...place(id),
    namespace: text(site, 'namespace'),
    platform: text(site, 'platform'),
    version: text(site, 'version'),
    location: text(site, 'location'),
    relation: id === ownId ? 'self' : nextHop === null ? 'direct' : 'indirect',
    nextHop: nextHop === null ? null : place(nextHop),
    cost,
    signed,
    trust,
    advertise,
    consume,
    peers: Object.entries(linkState)
      .map(([peer, peerCost]) => ({ ...place(peer), cost: peerCost }))
      .sort(byName),
  };
}

function links({ nodes, connections }: NetworkSources, ownId: string, place: Place): NetworkLink[] {
  /** By the router whose id comes first, then by the other. */
  const found = new Map<string, Map<string, NetworkLink>>();
  const own = new Map<string, ConnectionRow>();
  // Of several links to one neighbour the first is shown.
  for (const row of connections) if (row.role === 'inter-router' && !own.has(row.container)) own.set(row.container, row);
  for (const { id, linkState } of nodes) {
    for (const [peer, cost] of Object.entries(linkState)) {
      const [first, second] = id < peer ? [id, peer] : [peer, id];
      let ofFirst = found.get(first);
      if (ofFirst === undefined) found.set(first, (ofFirst = new Map()));
      const known = ofFirst.get(second);
      if (known !== undefined) {
        // The two ends may say different costs while one of them changes; routing takes the higher.
        if (cost > known.cost) ofFirst.set(second, { ...known, cost });
        continue;
      }
      const other = id === ownId ? peer : peer === ownId ? id : undefined;
      const connection = other === undefined ? undefined : own.get(other);
      ofFirst.set(second, {
        from: place(id),
        to: place(peer),
        cost,
        owner: connection?.owner ?? null,
        direction: connection?.direction ?? null,
      });
    }
  }
  return [...found.values()].flatMap((ofFirst) => [...ofFirst.values()]).sort((a, b) => byName(a.from, b.from) || byName(a.to, b.to));
}

/** Addresses on which skupper-routers exchange flow records (VanFlow); nobody's services. */
const flowRecordAddress = /^(?:mc\/sfe|sfe|vfcr)\./;

function services(sources: NetworkSources, ownId: string, place: Place): NetworkService[] {
  const { nodes, addresses, ports, listenerKeys } = sources;
  const types = typesByKey(sources);
  const listening = new Map<string, ServicePlace[]>();
  for (const { id, site } of nodes) {
    for (const key of listenerKeysIn(site)) {
      const places = listening.get(key);
      if (places === undefined) listening.set(key, [place(id)]);
      else places.push(place(id));
    }
  }
  const portsByKey = new Map<string, ServicePortRow[]>();
  for (const port of ports) {
    const portKeys = listenerKeys.get(port.name) ?? (port.address === undefined ? [] : [port.address]);
    for (const key of portKeys) {
      const known = portsByKey.get(key);
      if (known === undefined) portsByKey.set(key, [port]);
      else known.push(port);
    }
  }
  const byKey = new Map(addresses.map((row) => [row.name, row]));
  const keys = [...new Set([...byKey.keys(), ...listening.keys()])].filter((key) => !flowRecordAddress.test(key)).sort();
  return keys.map((routingKey) => {
    const row = byKey.get(routingKey);
    const local = row !== undefined && row.subscriberCount > 0 ? [ownId] : [];
    return {
      routingKey,
      distribution: row?.distribution ?? 'balanced',
      types: [...(types.get(routingKey) ?? [])].sort(),
      connectors: [...local, ...(row?.remoteRouters ?? [])].map(place),
      listeners: listening.get(routingKey) ?? [],
      localListeners: (portsByKey.get(routingKey) ?? []).map(({ name, host, port, boundPort }) => ({
        name,
        host,
        port: boundPort === 0 ? port : boundPort,
        open: boundPort > 0,
      })),
    };
  });
}

/** What this site's resources and the other sites say. */
function typesByKey({ nodes, types }: NetworkSources): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  const add = (key: string, type: string): void => {
    const known = found.get(key);
    if (known === undefined) found.set(key, new Set([type]));
    else known.add(type);
  };
  for (const [key, own] of types) for (const type of own) add(key, type);
  for (const { site } of nodes.slice(1)) for (const [key, type] of toldTypes(site)) add(key, type);
  return found;
}

/** The routing keys that a router says its site has listeners for. What comes from the network may be anything. */
function listenerKeysIn(site: Readonly<Record<string, unknown>>): readonly string[] {
  const { listeners } = site;
  return Array.isArray(listeners) ? listeners.filter((key): key is string => typeof key === 'string') : [];
}

function text(site: Readonly<Record<string, unknown>>, key: string): string | null {
  const value = Object.hasOwn(site, key) ? site[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : null;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
