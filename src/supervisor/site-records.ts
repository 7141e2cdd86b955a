import { entityNames } from '../site/derive.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';
import type { SiteRecord } from '../site/status.ts';
import type { NetworkView } from './network-view.ts';

/** The network as Skupper's SiteRecords. Of other sites the names of links, listeners and connectors are not known: the keys stand for them. */
export function siteRecords(network: NetworkView, resources: readonly Resource[]): readonly SiteRecord[] {
  const ownLinks = linkNames(network, resources);
  const services = servicesBySite(network);
  return network.sites.map(({ routerId, name, namespace, platform, version, peers, relation }) => ({
    id: routerId,
    name,
    ...(namespace === null ? {} : { namespace }),
    ...(platform === null ? {} : { platform }),
    ...(version === null ? {} : { version }),
    links: peers.map((peer) => {
      const own = relation === 'self' ? ownLinks.get(peer.routerId) : undefined;
      return { name: own ?? peer.name, remoteSiteId: peer.routerId, remoteSiteName: peer.name, operational: true };
    }),
    services: services.get(routerId) ?? [],
  }));
}

/** Names of this site's Links by the router that they lead to. */
function linkNames(network: NetworkView, resources: readonly Resource[]): ReadonlyMap<string, string> {
  const byEntity = new Map(
    resourcesOf(resources, 'Link').flatMap((link) => entityNames(link).map((entity) => [entity, link.metadata.name] as const)),
  );
  const names = new Map<string, string>();
  for (const { from, to, owner } of network.links) {
    const name = owner === null ? undefined : byEntity.get(owner);
    if (name !== undefined) names.set(from.routerId === network.routerId ? to.routerId : from.routerId, name);
  }
  return names;
}

function servicesBySite(network: NetworkView): ReadonlyMap<string, SiteRecord['services']> {
  const found = new Map<string, SiteRecord['services'][number][]>();
  for (const { routingKey, listeners, connectors } of network.services) {
    const listening = new Set(listeners.map(({ routerId }) => routerId));
    const offering = new Set(connectors.map(({ routerId }) => routerId));
    for (const routerId of new Set([...listening, ...offering])) {
      const service = {
        routingKey,
        listeners: listening.has(routerId) ? [routingKey] : [],
        connectors: offering.has(routerId) ? [routingKey] : [],
      };
      const known = found.get(routerId);
      if (known === undefined) found.set(routerId, [service]);
      else known.push(service);
    }
  }
  return found;
}
