import type { ControlMap } from './control-message.ts';
import type { IgnoredReason, RoutingDiagnostics } from './events.ts';
import type { Exchange } from './exchange.ts';
import type { Neighbour } from './hello.ts';
import type { RouterRecord } from './link-state-database.ts';
import type { AddressDirectory } from './mobile-addresses.ts';
import type { OriginState } from './origin-state.ts';
import type { OwnLinkState } from './own-link-state.ts';
import type { RouteTable } from './route-table.ts';
import type { SignedRouting } from './signed-routing.ts';

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
  /** What its records prove; null if it does not sign, or this router does not. */
  readonly signed: SignedStatus | null;
}

/** What is known of a router that signs. */
export interface SignedStatus {
  readonly siteName: string;
  /** Patterns of addresses that it may announce, and that it may send to. */
  readonly advertise: readonly string[];
  readonly consume: readonly string[];
  readonly epoch: number;
  readonly records: number;
  readonly bytes: number;
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
  /** Signed records that were not used, by reason. */
  readonly refusedRecords: ReadonlyMap<string, number>;
  /** Whether this router signs, and whether it has given way to another process with its identity. */
  readonly signs: boolean;
  readonly isFenced: boolean;
  readonly eventsLost: number;
  readonly messagesDropped: number;
}

export function statusOf(state: {
  own: OwnLinkState;
  exchange: Exchange;
  signed: SignedRouting | undefined;
  table: RouteTable;
  neighbours: ReadonlyMap<string, Neighbour>;
  topologyChangedMs: number;
  pathComputations: number;
  counters: ReturnType<RoutingDiagnostics['counters']>;
  messagesDropped: number;
}): RoutingStatus {
  const { own, exchange, signed, table, neighbours, topologyChangedMs, pathComputations, counters, messagesDropped } = state;
  return {
    routerId: own.routerId,
    instance: own.instance,
    linkStateSequence: own.sequence,
    mobileSequence: exchange.local.sequence,
    lastTopologyChangeMs: topologyChangedMs === -Infinity ? null : topologyChangedMs,
    pathComputations,
    neighbours,
    routers: routersOf(exchange, signed, table),
    ignored: counters.ignored,
    limitsReached: counters.limits,
    refusedRecords: counters.refusedRecords,
    signs: signed !== undefined,
    isFenced: signed?.isFenced ?? false,
    eventsLost: counters.eventsLost,
    messagesDropped,
  };
}

/** Routers that sign by their records, all others by what they say. */
function routersOf(exchange: Exchange, signed: SignedRouting | undefined, table: RouteTable): RouterStatus[] {
  const routers: RouterStatus[] = [];
  for (const record of exchange.database.all()) {
    if (signed?.isSigner(record.routerId) !== true) routers.push(routerStatus(record, table, exchange.directory));
  }
  for (const state of signed?.database.store.all() ?? []) {
    if (signed !== undefined && state.origin !== table.routerId) routers.push(signerStatus(state, signed, table, exchange.directory));
  }
  return routers;
}

function signerStatus(state: OriginState, signed: SignedRouting, table: RouteTable, directory: AddressDirectory): RouterStatus {
  const { origin: routerId } = state;
  const content = state.linkState?.linkState;
  const credential = signed.database.credentialOf(routerId);
  return {
    routerId,
    instance: content?.instance ?? null,
    path: pathTo(routerId, table),
    peers: new Map(content?.peers.map((peer) => [peer.routerId, peer.cost])),
    linkStateSequence: content?.linkStateSequence ?? 0,
    mobileSequence: signed.mobileSequenceOf(routerId),
    addresses: directory.countOf(routerId),
    lastHeardMs: null,
    site: content?.site ?? null,
    signed: {
      siteName: credential?.siteName ?? '',
      advertise: credential?.advertise.patterns ?? [],
      consume: credential?.consume.patterns ?? [],
      epoch: state.linkState?.epoch ?? 0,
      records: [...state.records()].length,
      bytes: state.bytes,
    },
  };
}

function pathTo(routerId: string, table: RouteTable): RouterStatus['path'] {
  const route = table.routers.get(routerId);
  return route === undefined ? null : { cost: route.cost, hops: route.hops, nextHop: route.nextHop, link: route.link };
}

function routerStatus(record: RouterRecord, table: RouteTable, directory: AddressDirectory): RouterStatus {
  return {
    routerId: record.routerId,
    instance: record.instance ?? null,
    path: pathTo(record.routerId, table),
    peers: record.peers,
    linkStateSequence: record.linkStateSequence,
    mobileSequence: directory.sequenceOf(record.routerId),
    addresses: directory.countOf(record.routerId),
    lastHeardMs: record.lastHeardMs === -Infinity ? null : record.lastHeardMs,
    site: record.site ?? null,
    signed: null,
  };
}
