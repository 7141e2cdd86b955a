import { serviceConnectors, serviceListeners } from '../management/entities.ts';
import type { ListenerState } from '../management/operational-entities.ts';
import type { ServiceListenerEntity } from '../management/service-entities.ts';
import type { Router } from '../router/router.ts';
import type { Withheld } from '../site/derive.ts';
import { routingKeysOf } from '../site/derive-services.ts';
import type { Resource } from '../site/resource-types.ts';
import type { AccessEndpoint, GrantState, ObservedSite, TokenState } from '../site/status.ts';
import type { AccessPoint } from './access-points.ts';
import type { NetworkView } from './network-view.ts';
import { siteRecords } from './site-records.ts';

export interface ObservationSources {
  readonly resources: readonly Resource[];
  readonly router: Router | undefined;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
  readonly routerError: string;
  readonly withheld: ReadonlyMap<string, Withheld>;
  readonly refusals: ReadonlyMap<string, string>;
  readonly accessPoints: readonly AccessPoint[];
  readonly network: NetworkView | undefined;
  /** Whether every site of the network is wanted. */
  readonly isWhole: boolean;
  readonly grants: ReadonlyMap<string, GrantState>;
  readonly tokens: ReadonlyMap<string, TokenState>;
}

/** Gathers what status needs to know from the running router. */
export function observeSite(sources: ObservationSources): ObservedSite {
  const { resources, router, network } = sources;
  const services = network?.services ?? [];
  const keys = resources.flatMap((resource) =>
    resource.kind === 'Listener' || resource.kind === 'MultiKeyListener' ? routingKeysOf(resource) : [],
  );
  return {
    routerRunning: router !== undefined,
    routerError: sources.routerError,
    withheld: sources.withheld,
    refusals: sources.refusals,
    listeners: states(router?.configuration.listeners, (name) => router?.listener(name)?.state),
    connectors: states(router?.configuration.connectors, (name) => router?.connector(name)?.state),
    serviceListeners: new Map(
      router === undefined ? [] : serviceListeners(router.configuration).flatMap((entity) => portState(router, entity)),
    ),
    serviceConnectors: new Set(
      router === undefined ? [] : serviceConnectors(router.configuration).map(({ type, name }) => `${type}/${name}`),
    ),
    reachableKeys: new Set([
      ...keys.filter((key) => router?.forwarder.reachable(key) === true),
      ...services.filter(({ connectors }) => connectors.length > 0).map(({ routingKey }) => routingKey),
    ]),
    listenedKeys: new Set(services.filter(({ listeners }) => listeners.length > 0).map(({ routingKey }) => routingKey)),
    sitesInNetwork: network?.sites.length ?? 0,
    network: !sources.isWhole ? undefined : network === undefined ? [] : siteRecords(network, resources),
    upSince: upSinceOf(router, sources.wallMs),
    sitesByRouter: new Map(network?.sites.map(({ routerId, name, trust }) => [routerId, { id: routerId, name, trust }])),
    endpoints: endpointsOf(sources),
    grants: sources.grants,
    tokens: sources.tokens,
  };
}

/** To the second: what is measured anew each time must not differ each time. */
function upSinceOf(router: Router | undefined, wallMs: number): ReadonlyMap<string, string> {
  const since = new Map<string, string>();
  if (router === undefined) return since;
  const nowMs = router.startedMs + router.uptimeMs;
  for (const { entity, neighbour, openedMs } of router.links) {
    if (!neighbour.isUp) continue;
    const second = Math.round((wallMs - (nowMs - openedMs)) / 1000) * 1000;
    since.set(entity.name, `${new Date(second).toISOString().slice(0, -5)}Z`);
  }
  return since;
}

/** A listener that waits for a connector has nothing wrong with it. */
function portState(router: Router, { type, name }: ServiceListenerEntity): readonly (readonly [string, ListenerState])[] {
  const port = router.services.port(type, name);
  if (port === undefined) return [];
  const { state } = port;
  return [[`${type}/${name}`, port.addresses.choose() === undefined ? { ...state, connectionMsg: '' } : state]];
}

function states<State>(
  entities: readonly { readonly name: string }[] | undefined,
  read: (name: string) => State | undefined,
): ReadonlyMap<string, State> {
  const found = new Map<string, State>();
  for (const { name } of entities ?? []) {
    const state = read(name);
    if (state !== undefined) found.set(name, state);
  }
  return found;
}

/** Where links are accepted now: what is asked for, and has a router that listens. */
function endpointsOf({ accessPoints, router }: ObservationSources): ReadonlyMap<string, readonly AccessEndpoint[]> {
  const endpoints = new Map<string, readonly AccessEndpoint[]>();
  for (const { listener, hosts } of accessPoints) {
    const state = router?.listener(listener)?.state;
    if (state === undefined || state.operStatus === 'down') continue;
    endpoints.set(
      listener,
      hosts.map((host) => ({ name: 'inter-router', host, port: String(state.boundPort), group: listener })),
    );
  }
  return endpoints;
}
