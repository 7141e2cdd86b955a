import { serviceConnectors, type Entity } from '../management/entities.ts';
import type { ServiceConnectorEntity, ServiceListenerEntity } from '../management/service-entities.ts';
import { attributesOf } from '../management/entity-schema.ts';
import type {
  AddressRow,
  ConnectionRow,
  ListenerState,
  RouterNodeRow,
  RouterRow,
  ServiceCounters,
} from '../management/operational-entities.ts';
import { distributionOf } from './address-rules.ts';
import { clientPortName } from './client-port.ts';
import type { Router } from './router.ts';

/** What a router says about itself: one row per entity, configuration and state together. Times are whole seconds. */

export function routerRow(router: Router, version: string): RouterRow {
  const { routers, pathComputations } = router.routingStatus;
  return {
    id: router.routerId,
    mode: router.configuration.router.mode,
    version,
    uptimeSeconds: Math.floor(router.uptimeMs / 1000),
    linkCount: router.links.filter((link) => link.neighbour.isUp).length,
    nodeCount: 1 + routers.filter(({ path }) => path !== null).length,
    addressCount: addressRows(router).length,
    connectionCount: router.openConnections,
    pathComputations,
    incomingDeliveries: router.forwarder.incoming.counts(),
    outgoingDeliveries: router.forwarder.outgoing.counts(),
  };
}

/** This router and every one that can be reached, nearest first. */
export function nodeRows(router: Router, ownSite: Readonly<Record<string, unknown>>): readonly RouterNodeRow[] {
  const status = router.routingStatus;
  const { members } = router;
  const own: RouterNodeRow = {
    id: status.routerId,
    nextHop: null,
    cost: 0,
    instance: status.instance,
    linkState: Object.fromEntries([...status.neighbours].map(([id, { cost }]) => [id, cost])),
    signed: true,
    ...trustOf(members, status.routerId, true),
    site: ownSite,
  };
  const proven = new Set(router.links.map((link) => link.peer.routerId));
  const others: RouterNodeRow[] = [];
  for (const { routerId, path, instance, peers, site } of status.routers) {
    if (path === null) continue;
    // A neighbour proves its id with its certificate. Of others it is known only whether they are of the kind that does.
    const signed = path.nextHop === routerId ? proven.has(routerId) : site !== null;
    others.push({
      id: routerId,
      nextHop: path.nextHop === routerId ? null : path.nextHop,
      cost: path.cost,
      instance: instance ?? 0,
      linkState: Object.fromEntries(peers),
      signed,
      ...trustOf(members, routerId, signed),
      site: site === null ? {} : plainData(site),
    });
  }
  return [own, ...others.sort((a, b) => a.cost - b.cost || (a.id < b.id ? -1 : 1))];
}

function trustOf(members: Router['members'], routerId: string, certified: boolean): Pick<RouterNodeRow, 'trust' | 'advertise' | 'consume'> {
  const member = members.get(routerId);
  if (member === undefined) return { trust: certified ? 'certified' : 'unsigned', advertise: null, consume: null };
  return { trust: 'signed', advertise: member.advertise ?? null, consume: member.consume ?? null };
}

/** Service addresses with a consumer anywhere. */
export function addressRows(router: Router): readonly AddressRow[] {
  const { forwarder } = router;
  const local = new Set([...serviceConnectors(router.configuration).map(({ address }) => address), ...forwarder.localServices]);
  const remote = new Map<string, readonly string[]>();
  for (const { key, routers } of forwarder.table.addresses.values()) {
    if (!key.startsWith('M')) continue;
    const ids = routers.map(({ routerId }) => routerId);
    remote.set(key.slice(1), ids);
  }
  const names = [...new Set([...local, ...remote.keys()])].sort();
  return names.map((name) => ({
    key: `M${name}`,
    name,
    distribution: distributionOf(forwarder.treatmentInUse(name)),
    subscriberCount: forwarder.localConsumers(name),
    remoteRouters: remote.get(name) ?? [],
    outstanding: [...forwarder.outstanding(name).values()].reduce((sum, count) => sum + count, 0),
  }));
}

export function connectionRows(router: Router): readonly ConnectionRow[] {
  return router.links.map((link) => ({
    identity: String(link.neighbour.linkNumber),
    container: link.neighbour.routerId,
    role: link.entity.role,
    direction: link.neighbour.dialled ? 'out' : 'in',
    host: link.remoteHost,
    owner: link.entity.name,
    tlsVersion: link.tlsVersion,
    user: link.peer.user,
    uptimeSeconds: Math.max(0, Math.floor((router.startedMs + router.uptimeMs - link.openedMs) / 1000)),
  }));
}

/** Listeners of services, all of one type or of several. */
export function servicePortRows<E extends ServiceListenerEntity>(
  router: Router,
  entities: readonly E[],
): readonly (Omit<E, 'type'> & ListenerState & ServiceCounters)[] {
  return entities.map((entity) => {
    const { type, ...attributes } = entity;
    const port = router.services.port(type, entity.name);
    return { ...attributes, ...(port?.state ?? downState(entity.name)), ...(port?.counters ?? noTraffic) };
  });
}

/** Connectors of services. */
export function serviceOfferRows<E extends ServiceConnectorEntity>(
  router: Router,
  entities: readonly E[],
): readonly (Omit<E, 'type'> & ServiceCounters)[] {
  return entities.map((entity) => {
    const { type, ...attributes } = entity;
    return { ...attributes, ...(router.services.offer(type, entity.name)?.counters ?? noTraffic) };
  });
}

export function listenerRows(router: Router): readonly object[] {
  return router.configuration.listeners.map((entity) => ({
    ...attributesOf(entity),
    ...(router.listener(entity.name)?.state ?? clientPortState(router, entity.name) ?? downState(entity.name)),
  }));
}

/** The state of a listener of role `normal`. */
function clientPortState(router: Router, name: string): ListenerState | undefined {
  const port = router.services.port('amqpListener', clientPortName(name));
  return port === undefined ? undefined : { ...port.state, name };
}

export function connectorRows(router: Router): readonly object[] {
  return router.configuration.connectors.map((entity) => {
    const { saslPassword: _secret, ...attributes } = attributesOf(entity);
    return { ...attributes, ...router.connector(entity.name)?.state };
  });
}

/** Entities that have no state beside their configuration. */
export function configuredRows(entities: readonly Entity[]): readonly object[] {
  return entities.map((entity) => attributesOf(entity));
}

const noTraffic = { connectionsOpened: 0, connectionsClosed: 0, bytesIn: 0, bytesOut: 0 };

function downState(name: string): ListenerState {
  return { name, operStatus: 'down', boundPort: 0, connectionMsg: 'not running' };
}

/** Maps of the routing protocol as plain objects, for JSON. */
function plainData(map: ReadonlyMap<string, unknown>): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...map].map(([key, value]) => [key, value instanceof Map ? plainData(value) : value]));
}
