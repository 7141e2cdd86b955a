import type { ControlMap } from './control-message.ts';
import type { IgnoredReason, RoutingDiagnostics } from './events.ts';
import type { Exchange } from './exchange.ts';
import type { Neighbour } from './hello.ts';
import type { RouterRecord } from './link-state-database.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import type { OwnLinkState } from './own-link-state.ts';
import type { RouteTable } from './route-table.ts';

/** What is known of another router. */
export interface RouterStatus {
  readonly routerId: string;
  /** Boot time in seconds as it says; null before it says. */
  readonly instance: number | null;
  /** Cost, hops and first hop of the path; null while there is none. */
  readonly path: { readonly cost: number; readonly hops: number; readonly nextHop: string; readonly link: number } | null;
  /** Its neighbours and the cost of each, as it advertises. */
  readonly peers: ReadonlyMap<string, number>;
  /** 0 while its link state is not known. */
  readonly linkStateSequence: number;
  readonly mobileSequence: number;
  /** Addresses with consumers there. */
  readonly addresses: number;
  /** Time of its last sign of life on this process's monotonic clock; null if only others have told of it. */
  readonly lastHeardMs: number | null;
  /** Data about its site; null from a router of another kind. */
  readonly site: ControlMap | null;
}

export interface RoutingStatus {
  readonly routerId: string;
  readonly instance: number;
  readonly linkStateSequence: number;
  readonly mobileSequence: number;
  /** On this process's monotonic clock; null before the first change. */
  readonly lastTopologyChangeMs: number | null;
  /** How often paths have been computed. */
  readonly pathComputations: number;
  /** Neighbours by id: link in use and its cost. */
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  readonly routers: readonly RouterStatus[];
  readonly ignored: ReadonlyMap<IgnoredReason, number>;
  readonly limitsReached: ReadonlyMap<string, number>;
  readonly eventsLost: number;
  readonly messagesDropped: number;
}

export function statusOf(state: {
  own: OwnLinkState;
  exchange: Exchange;
  table: RouteTable;
  neighbours: ReadonlyMap<string, Neighbour>;
  topologyChangedMs: number;
  pathComputations: number;
  counters: ReturnType<RoutingDiagnostics['counters']>;
  messagesDropped: number;
}): RoutingStatus {
  const { own, exchange, table, neighbours, topologyChangedMs, pathComputations, counters, messagesDropped } = state;
  return {
    routerId: own.routerId,
    instance: own.instance,
    linkStateSequence: own.sequence,
    mobileSequence: exchange.local.sequence,
    lastTopologyChangeMs: topologyChangedMs === -Infinity ? null : topologyChangedMs,
    pathComputations,
    neighbours,
    routers: [...exchange.database.all()].map((record) => routerStatus(record, table, exchange.directory)),
    ignored: counters.ignored,
    limitsReached: counters.limits,
    eventsLost: counters.eventsLost,
    messagesDropped,
  };
}

function routerStatus(record: RouterRecord, table: RouteTable, directory: AddressDirectory): RouterStatus {
  const route = table.routers.get(record.routerId);
  return {
    routerId: record.routerId,
    instance: record.instance ?? null,
    path: route === undefined ? null : { cost: route.cost, hops: route.hops, nextHop: route.nextHop, link: route.link },
    peers: record.peers,
    linkStateSequence: record.linkStateSequence,
    mobileSequence: directory.sequenceOf(record.routerId),
    addresses: directory.countOf(record.routerId),
    lastHeardMs: record.lastHeardMs === -Infinity ? null : record.lastHeardMs,
    site: record.site ?? null,
  };
}
