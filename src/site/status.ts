import type { ConnectorState, ListenerState } from '../management/operational-entities.ts';
import { failed, pending, ready, statusOf, type BaseStatus, type Finding, type StatusMoment } from './conditions.ts';
import { acceptsLinks, entityNames, type Withheld } from './derive.ts';
import { routingKeysOf, serviceEntityType, serviceProfile, type ServiceResource } from './derive-services.ts';
import { resourceKey, type Kind, type Resource, type ResourceOf } from './resource-types.ts';

/** Where a site accepts links. */
export interface AccessEndpoint {
  readonly name: string;
  readonly host: string;
  readonly port: string;
  readonly group: string;
}

/** A site of the network as status shows it: Skupper's SiteRecord. */
export interface SiteRecord {
  readonly id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly platform?: string;
  readonly version?: string;
  readonly links: readonly LinkRecord[];
  readonly services: readonly ServiceRecord[];
}

export interface LinkRecord {
  readonly name: string;
  readonly remoteSiteId: string;
  readonly remoteSiteName: string;
  readonly operational: boolean;
}

/** Names of the listeners and connectors that a site has for a routing key. */
export interface ServiceRecord {
  readonly routingKey: string;
  readonly listeners: readonly string[];
  readonly connectors: readonly string[];
}

/** Unlike Skupper's it never shows the code: the site keeps only a hash. */
export interface GrantState {
  readonly url: string;
  readonly ca: string;
  readonly redemptions: number;
  /** RFC 3339. */
  readonly expirationTime: string;
}

export interface TokenState {
  readonly redeemed: boolean;
  /** Why it is not redeemed; empty while it is being tried. */
  readonly error: string;
}

/** What is seen of a running site. Maps by name hold states of router entities of that name. */
export interface ObservedSite {
  readonly routerRunning: boolean;
  /** Why the router does not run; empty when nothing is known. */
  readonly routerError: string;
  /** Resources without part in the configuration, from deriveSite. */
  readonly withheld: ReadonlyMap<string, Withheld>;
  /** Changes that the router refused, by entity type and name: `tcpListener/backend`. */
  readonly refusals: ReadonlyMap<string, string>;
  readonly listeners: ReadonlyMap<string, ListenerState>;
  readonly connectors: ReadonlyMap<string, ConnectorState>;
  /** Ports of services, by entity type and name: `tcpListener/backend`. */
  readonly serviceListeners: ReadonlyMap<string, ListenerState>;
  /** Types and names of the servers of services that the router has: `tcpConnector/backend`. */
  readonly serviceConnectors: ReadonlySet<string>;
  /** Routing keys that have a connector anywhere in the network. */
  readonly reachableKeys: ReadonlySet<string>;
  /** Routing keys that have a listener anywhere in the network. */
  readonly listenedKeys: ReadonlySet<string>;
  /** How many sites the network has, this one included. */
  readonly sitesInNetwork: number;
  /** Each of them; undefined where that was not asked for: it is as much as the network is large. */
  readonly network: readonly SiteRecord[] | undefined;
  /** Since when links are up, RFC 3339, by the name of their connector. */
  readonly upSince: ReadonlyMap<string, string>;
  /** Site id and name by router id. */
  readonly sitesByRouter: ReadonlyMap<string, { readonly id: string; readonly name: string; readonly trust: string }>;
  /** Where this site accepts links, as other sites reach it, by listener name. */
  readonly endpoints: ReadonlyMap<string, readonly AccessEndpoint[]>;
  readonly grants: ReadonlyMap<string, GrantState>;
  readonly tokens: ReadonlyMap<string, TokenState>;
}

export interface SiteStatus extends BaseStatus {
  readonly endpoints: readonly AccessEndpoint[];
  readonly sitesInNetwork: number;
  /** Absent where it was not asked for. */
  readonly network?: readonly SiteRecord[];
}

export interface ListenerStatus extends BaseStatus {
  readonly hasMatchingConnector: boolean;
}

export interface ConnectorStatus extends BaseStatus {
  readonly hasMatchingListener: boolean;
}

export interface MultiKeyListenerStatus extends BaseStatus {
  readonly hasDestination: boolean;
  readonly strategy: {
    readonly priority?: { readonly routingKeysReachable: readonly string[] };
    readonly weighted?: { readonly routingKeysReachable: Readonly<Record<string, number>> };
  };
}

export interface LinkStatus extends BaseStatus {
  readonly remoteSiteId: string;
  readonly remoteSiteName: string;
  /** `signed`, `certified` or `unsigned`: how it is known who is at the other end. Empty while the link is down. */
  readonly remoteTrust: string;
  /** Since when it has been up, RFC 3339; empty while it is down. */
  readonly upSince: string;
}

export interface RouterAccessStatus extends BaseStatus {
  readonly endpoints: readonly AccessEndpoint[];
}

export interface GrantStatus extends BaseStatus, Partial<GrantState> {}

export interface TokenStatus extends BaseStatus {
  readonly redeemed: boolean;
}

/** The status of each kind; a Secret has none. */
export interface Statuses {
  readonly Secret: undefined;
  readonly Site: SiteStatus;
  readonly RouterAccess: RouterAccessStatus;
  readonly Link: LinkStatus;
  readonly Listener: ListenerStatus;
  readonly MultiKeyListener: MultiKeyListenerStatus;
  readonly Connector: ConnectorStatus;
  readonly AccessGrant: GrantStatus;
  readonly AccessToken: TokenStatus;
}

export type Reported<K extends Kind> = ResourceOf<K> & { readonly status?: Statuses[K] };
export type ReportedResource = { [K in Kind]: Reported<K> }[Kind];

/**
 * Each resource with the status that follows from what is seen. `now` is RFC 3339 text; `previous` are the resources as
 * last reported, from which conditions that did not change keep their time.
 */
export function reportStatus(
  resources: readonly Resource[],
  observed: ObservedSite,
  now: string,
  previous: readonly ReportedResource[] = [],
): readonly ReportedResource[] {
  const before = new Map(previous.map((resource) => [resourceKey(resource), resource.status?.conditions ?? []]));
  return resources.map((resource) => report(resource, observed, { now, previous: before.get(resourceKey(resource)) ?? [] }));
}

function report(resource: Resource, observed: ObservedSite, moment: StatusMoment): ReportedResource {
  switch (resource.kind) {
    case 'Site':
      return { ...resource, status: siteStatus(resource, observed, moment) };
    case 'Listener':
      return { ...resource, status: listenerStatus(resource, observed, moment) };
    case 'MultiKeyListener':
      return { ...resource, status: multiKeyStatus(resource, observed, moment) };
    case 'Connector':
      return { ...resource, status: connectorStatus(resource, observed, moment) };
    case 'Link':
      return { ...resource, status: linkStatus(resource, observed, moment) };
    case 'RouterAccess':
      return { ...resource, status: accessStatus(resource, observed, moment) };
    case 'AccessGrant':
      return { ...resource, status: grantStatus(resource, observed, moment) };
    case 'AccessToken':
      return { ...resource, status: tokenStatus(resource, observed, moment) };
    default:
      return resource;
  }
}

function siteStatus(site: ResourceOf<'Site'>, observed: ObservedSite, moment: StatusMoment): SiteStatus {
  const endpoints = [...observed.endpoints.values()].flat();
  const running = observed.routerRunning ? ready : observed.routerError === '' ? pending('Pending') : failed(observed.routerError);
  const findings: Record<string, Finding> = { Configured: ready, Running: running };
  if (acceptsLinks(site)) findings['Resolved'] = resolved(site, endpoints, observed);
  const { network, sitesInNetwork } = observed;
  return { ...statusOf(findings, 'Ready', moment), endpoints, sitesInNetwork, ...(network === undefined ? {} : { network }) };
}

/** Whether the listener for links is there and others know how to reach it. */
function resolved(resource: Resource, endpoints: readonly AccessEndpoint[], observed: ObservedSite): Finding {
  const withheld = withheldFinding(resource, observed);
  if (withheld !== undefined) return withheld;
  for (const name of entityNames(resource)) {
    const error = observed.refusals.get(`listener/${name}`) ?? observed.listeners.get(name)?.connectionMsg ?? '';
    if (error !== '') return failed(error);
  }
  return endpoints.length > 0 ? ready : pending('Pending');
}

function withheldFinding(resource: Resource, observed: ObservedSite): Finding {
  const withheld = observed.withheld.get(resourceKey(resource));
  if (withheld === undefined) return undefined;
  return withheld.reason === 'Error' ? failed(withheld.message) : pending(withheld.message);
}

/** Whether the router has everything that the resource stands for. */
function configured(resource: Resource, type: string, present: { has(name: string): boolean }, observed: ObservedSite): Finding {
  const withheld = withheldFinding(resource, observed);
  if (withheld !== undefined) return withheld;
  for (const name of entityNames(resource)) {
    const refusal = observed.refusals.get(`${type}/${name}`);
    if (refusal !== undefined) return failed(refusal);
    if (!present.has(name)) return pending('Pending');
  }
  return ready;
}

/** Whether the router has the service, and the certificates for it. */
function configuredService(resource: ServiceResource, present: { has(key: string): boolean }, observed: ObservedSite): Finding {
  const withheld = withheldFinding(resource, observed);
  if (withheld !== undefined) return withheld;
  const profile = serviceProfile(resource);
  const keys = entityNames(resource).map((name) => `${serviceEntityType(resource)}/${name}`);
  for (const key of [...(profile === undefined ? [] : [`sslProfile/${profile.name}`]), ...keys]) {
    const refusal = observed.refusals.get(key);
    if (refusal !== undefined) return failed(refusal);
  }
  return keys.every((key) => present.has(key)) ? ready : pending('Pending');
}

/** Like configured, and the socket is or can be open: a port in use makes a listener fail, not the lack of connectors. */
function listening(resource: ServiceResource, observed: ObservedSite): Finding {
  const finding = configuredService(resource, observed.serviceListeners, observed);
  const error = entityNames(resource)
    .map((name) => observed.serviceListeners.get(`${serviceEntityType(resource)}/${name}`)?.connectionMsg ?? '')
    .find((message) => message !== '');
  return finding?.state === 'ready' && error !== undefined ? failed(error) : finding;
}

function listenerStatus(listener: ResourceOf<'Listener'>, observed: ObservedSite, moment: StatusMoment): ListenerStatus {
  const hasMatchingConnector = observed.reachableKeys.has(listener.spec.routingKey);
  // Who receives from AMQP clients is one of them.
  const matched = hasMatchingConnector || listener.spec.type === 'amqp' ? ready : pending('No matching connectors');
  return { ...statusOf({ Configured: listening(listener, observed), Matched: matched }, 'Ready', moment), hasMatchingConnector };
}

function multiKeyStatus(listener: ResourceOf<'MultiKeyListener'>, observed: ObservedSite, moment: StatusMoment): MultiKeyListenerStatus {
  const reachable = routingKeysOf(listener).filter((key) => observed.reachableKeys.has(key));
  const hasDestination = reachable.length > 0;
  const weights = listener.spec.strategy.weighted?.routingKeys;
  const strategy =
    weights === undefined
      ? { priority: { routingKeysReachable: reachable } }
      : { weighted: { routingKeysReachable: Object.fromEntries(reachable.map((key) => [key, weights[key] ?? 0])) } };
  const operational = hasDestination ? ready : pending('No matching connectors');
  return {
    ...statusOf({ Configured: listening(listener, observed), Operational: operational }, 'Ready', moment),
    hasDestination,
    strategy,
  };
}

function connectorStatus(connector: ResourceOf<'Connector'>, observed: ObservedSite, moment: StatusMoment): ConnectorStatus {
  const { routingKey } = connector.spec;
  const hasMatchingListener = observed.listenedKeys.has(routingKey);
  const findings = {
    Configured: configuredService(connector, observed.serviceConnectors, observed),
    Matched: hasMatchingListener ? ready : pending('No matching listeners'),
  };
  return { ...statusOf(findings, 'Ready', moment), hasMatchingListener };
}

function linkStatus(link: ResourceOf<'Link'>, observed: ObservedSite, moment: StatusMoment): LinkStatus {
  const states = entityNames(link).flatMap((name) => observed.connectors.get(name) ?? []);
  const connected = states.find(({ connectionStatus }) => connectionStatus === 'SUCCESS');
  const error = states.find(({ connectionMsg }) => connectionMsg !== '')?.connectionMsg;
  const findings = {
    Configured: configured(link, 'connector', observed.connectors, observed),
    // Skupper says just 'Not operational'; why is what people ask next.
    Operational: connected === undefined ? pending(error === undefined ? 'Not operational' : `Not operational: ${error}`) : ready,
  };
  const router = connected?.remoteContainer ?? '';
  const remote = observed.sitesByRouter.get(router);
  const remoteTrust = remote?.trust ?? '';
  const upSince = connected === undefined ? '' : (observed.upSince.get(connected.name) ?? '');
  const remoteSite = { remoteSiteId: remote?.id ?? '', remoteSiteName: remote?.name ?? router, remoteTrust };
  return { ...statusOf(findings, 'Ready', moment), ...remoteSite, upSince };
}

function accessStatus(access: ResourceOf<'RouterAccess'>, observed: ObservedSite, moment: StatusMoment): RouterAccessStatus {
  const endpoints = entityNames(access).flatMap((name) => observed.endpoints.get(name) ?? []);
  const findings = {
    Configured: configured(access, 'listener', observed.listeners, observed),
    Resolved: resolved(access, endpoints, observed),
  };
  return { ...statusOf(findings, 'Ready', moment), endpoints };
}

function grantStatus(grant: ResourceOf<'AccessGrant'>, observed: ObservedSite, moment: StatusMoment): GrantStatus {
  const state = observed.grants.get(grant.metadata.name);
  const processed = state === undefined ? (withheldFinding(grant, observed) ?? pending('Pending')) : ready;
  const findings = { Processed: processed, Resolved: state === undefined || state.url === '' ? pending('Pending') : ready };
  return { ...statusOf(findings, 'Ready', moment), ...state };
}

function tokenStatus(token: ResourceOf<'AccessToken'>, observed: ObservedSite, moment: StatusMoment): TokenStatus {
  const { redeemed = false, error = '' } = observed.tokens.get(token.metadata.name) ?? {};
  const finding = redeemed ? ready : error === '' ? pending('Pending') : failed(error);
  return { ...statusOf({ Redeemed: finding }, undefined, moment), redeemed };
}
