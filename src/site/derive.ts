import type { AddressGrant } from '../base/address-grant.ts';
import { assert } from '../base/errors.ts';
import { configurationOf, type Entity, type RouterConfiguration } from '../management/entities.ts';
import { readEntity } from '../management/entity-schema.ts';
import {
  credentialProblem,
  isServiceResource,
  multiKeyEntities,
  multiKeyListenerName,
  plainHost,
  routingKeysOf,
  serviceEntity,
  serviceProfile,
  type NamedCertificates,
} from './derive-services.ts';
import { multicastPrefixes, readLogging } from './resource-tables.ts';
import { resourceKey, resourcesOf, type LinkEndpoint, type Resource, type ResourceOf } from './resource-types.ts';

/** Where links are accepted when nothing else is said: Skupper's port. */
export const defaultLinkPort = 55671;

/** Files with certificates, as an sslProfile names them. */
export interface CertificateFiles {
  readonly caCertFile: string;
  readonly certFile: string;
  readonly privateKeyFile: string;
  /** Raised when the files have new content. */
  readonly ordinal: number;
}

/** Files that the router signs with, as a signing entity names them. */
export interface SigningFiles {
  readonly caCertFile: string;
  readonly membershipFile: string;
  readonly privateKeyFile: string;
  readonly stateFolder: string;
  /** Raised when the membership has new content. */
  readonly ordinal: number;
}

/** Who the site is. */
export interface SiteIdentity {
  readonly routerId: string;
  readonly siteName: string;
  readonly namespace: string;
  /** Version of this program. */
  readonly version: string;
  /** The network the site belongs to; absent until it has issued or redeemed its first token. */
  readonly network?: {
    readonly id: string;
    readonly certificates: CertificateFiles;
    /** Absent while no issuer has certified the site's signing key. */
    readonly signing?: SigningFiles;
    /** What the site may announce and send to. Absent: everything. */
    readonly grants?: { readonly advertise: AddressGrant; readonly consume: AddressGrant };
  };
  /** Certificates that resources refer to as tlsCredentials, by name: those of Secrets and of certificate folders. */
  readonly credentials: ReadonlyMap<string, NamedCertificates>;
}

/** What the user wants of a site, and who the site is. */
export interface DesiredSite {
  readonly resources: readonly Resource[];
  readonly identity: SiteIdentity;
}

/** Why a resource has no part in the router's configuration. */
export interface Withheld {
  readonly reason: 'Pending' | 'Error';
  readonly message: string;
}

export interface DerivedSite {
  readonly configuration: RouterConfiguration;
  /** By resource key, such as `Link/east`. */
  readonly withheld: ReadonlyMap<string, Withheld>;
}

/** The sslProfile with the site's own certificate. Resources cannot name it: names of theirs have no blanks. */
const ownProfile = 'own certificate';

const noNetwork: Withheld = {
  reason: 'Pending',
  message: 'the site belongs to no network yet; issue a token here or redeem one of another site',
};

const noSigningKey: Withheld = {
  reason: 'Pending',
  message: 'the site requires signatures, and no issuer has certified its own signing key yet',
};

/** Turns resources into the configuration of the site's router. The same input gives the same output, in the same order. */
export function deriveSite({ resources, identity }: DesiredSite): DerivedSite {
  const withheld = new Map<string, Withheld>();
  const [site] = resourcesOf(resources, 'Site');
  const usedCredentials = new Set<string>();
  const mustWait = requiresSigned(site) && identity.network !== undefined && identity.network.signing === undefined;
  const links = [...resourcesOf(resources, 'RouterAccess'), ...resourcesOf(resources, 'Link')].flatMap((resource) => {
    if (mustWait) {
      withheld.set(resourceKey(resource), noSigningKey);
      return [];
    }
    const profile = profileOf(resource.spec.tlsCredentials, resource.kind, identity);
    if (typeof profile !== 'string') {
      withheld.set(resourceKey(resource), profile);
      return [];
    }
    if (profile !== ownProfile) usedCredentials.add(profile);
    return resource.kind === 'Link' ? linkConnectors(resource, profile) : [accessListener(resource, profile)];
  });
  withholdUngranted(resources, identity, withheld);
  withholdUncertified(resources, identity, withheld);
  const granted = resources.filter((resource) => withheld.get(resourceKey(resource)) === undefined);
  const authorities = new Map<string, string>();
  for (const resource of granted.filter(isServiceResource)) {
    const profile = serviceProfile(resource);
    if (profile === undefined) continue;
    if (profile.withoutCertificate) authorities.set(profile.name, resource.spec.tlsCredentials ?? '');
    else usedCredentials.add(profile.name);
  }
  const entities: Entity[] = [
    readEntity('site', { name: identity.siteName, namespace: identity.namespace, platform: 'linux', version: identity.version }),
    ...logEntities(site),
    // Skupper's own: addresses below mc reach every consumer.
    readEntity('address', { prefix: 'mc', distribution: 'multicast' }),
    ...multicastEntities(site),
    ...signingEntities(identity, site),
    ...profileEntities(identity, usedCredentials, authorities),
    ...siteListeners(resources, identity, mustWait ? noSigningKey : undefined, withheld),
    ...links,
    ...resourcesOf(granted, 'Listener').map(serviceEntity),
    ...resourcesOf(granted, 'MultiKeyListener').flatMap(multiKeyEntities),
    ...resourcesOf(granted, 'Connector').map(serviceEntity),
  ];
  const router = readEntity('router', { id: identity.routerId, mode: 'interior' });
  return { configuration: configurationOf(router, entities), withheld };
}

/** Listeners and connectors whose routing keys the site's membership does not grant: the other routers would not let them work. */
function withholdUngranted(resources: readonly Resource[], { network }: SiteIdentity, withheld: Map<string, Withheld>): void {
  const { grants } = network ?? {};
  if (grants === undefined) return;
  for (const resource of resources) {
    if (resource.kind === 'Connector') {
      const { routingKey } = resource.spec;
      if (!grants.advertise.allows(routingKey)) withheld.set(resourceKey(resource), notGranted('advertise', routingKey, grants.advertise));
    } else if (resource.kind === 'Listener' || resource.kind === 'MultiKeyListener') {
      const refused = routingKeysOf(resource).find((key) => !grants.consume.allows(key));
      if (refused !== undefined) withheld.set(resourceKey(resource), notGranted('consume', refused, grants.consume));
    }
  }
}

/** Services whose TLS credentials are not there, or lack something. */
function withholdUncertified(resources: readonly Resource[], { credentials }: SiteIdentity, withheld: Map<string, Withheld>): void {
  for (const resource of resources.filter(isServiceResource)) {
    const message = credentialProblem(resource, credentials);
    const key = resourceKey(resource);
    if (message !== undefined && !withheld.has(key)) withheld.set(key, { reason: 'Error', message });
  }
}

function notGranted(use: 'advertise' | 'consume', routingKey: string, { patterns }: AddressGrant): Withheld {
  const allowed = patterns.length === 0 ? 'nothing' : patterns.join(', ');
  return {
    reason: 'Error',
    message: `not granted: this site may ${use} ${allowed}; redeem a token that was issued with --${use} ${routingKey}`,
  };
}

/** Names of the router entities that a resource of these kinds stands for. */
export function entityNames(resource: Resource): readonly string[] {
  switch (resource.kind) {
    case 'Listener':
    case 'Connector':
      return [resource.metadata.name];
    case 'MultiKeyListener':
      return [multiKeyListenerName(resource)];
    case 'RouterAccess':
      return [accessListenerName(resource)];
    case 'Site':
      return [siteListenerName];
    case 'Link':
      return endpointGroups(resource).map((_group, index) => connectorName(resource, index));
    default:
      return [];
  }
}

const siteListenerName = 'link-access';

function accessListenerName(resource: ResourceOf<'RouterAccess'>): string {
  return `access/${resource.metadata.name}`;
}

function connectorName(link: ResourceOf<'Link'>, groupIndex: number): string {
  return groupIndex === 0 ? link.metadata.name : `${link.metadata.name}/${groupIndex + 1}`;
}

/**
 * The sslProfile of a link or access. Named credentials that are there are used: that is how a site joins a Skupper
 * network. RouterAccess must name some even where the site makes them, so there an unknown name means the site's own.
 */
function profileOf(name: string | undefined, kind: 'Link' | 'RouterAccess', identity: SiteIdentity): string | Withheld {
  const files = name === undefined ? undefined : identity.credentials.get(name);
  if (name !== undefined && files !== undefined) {
    const isWhole = files.caCertFile !== undefined && files.certFile !== undefined && files.privateKeyFile !== undefined;
    return isWhole ? name : { reason: 'Error', message: `TLS credentials '${name}' must have ca.crt, tls.crt and tls.key` };
  }
  if (name !== undefined && kind === 'Link') {
    return { reason: 'Error', message: `TLS credentials '${name}' do not exist; apply a Secret of that name` };
  }
  return identity.network === undefined ? noNetwork : ownProfile;
}

/** Whether the site takes only neighbours that sign. */
function requiresSigned(site: ResourceOf<'Site'> | undefined): boolean {
  return site?.spec.settings?.['require-signed'] === 'true';
}

function signingEntities({ network }: SiteIdentity, site: ResourceOf<'Site'> | undefined): Entity[] {
  if (network?.signing === undefined) return [];
  return [readEntity('signing', { name: 'signing', ...network.signing, requireSigned: requiresSigned(site) })];
}

/** Addresses that the Site wants to reach every consumer, besides those below mc. */
function multicastEntities(site: ResourceOf<'Site'> | undefined): Entity[] {
  return multicastPrefixes(site?.spec.settings ?? {})
    .filter((prefix) => prefix !== 'mc')
    .map((prefix) => readEntity('address', { prefix, distribution: 'multicast' }));
}

/** `authorities`: credentials by the name of the profile that has only their authorities. */
function profileEntities(
  { network, credentials }: SiteIdentity,
  used: ReadonlySet<string>,
  authorities: ReadonlyMap<string, string>,
): Entity[] {
  const filesOf = (name: string): NamedCertificates => {
    const files = credentials.get(name);
    assert(files !== undefined, 'credentials in use exist');
    return files;
  };
  const named = [
    ...[...used].sort().map((name) => readEntity('sslProfile', { name, ...filesOf(name) })),
    ...[...authorities].sort(byFirst).map(([name, credential]) => {
      const { caCertFile, ordinal } = filesOf(credential);
      return readEntity('sslProfile', { name, caCertFile, ordinal });
    }),
  ];
  if (network === undefined) return named;
  return [readEntity('sslProfile', { name: ownProfile, ...network.certificates, networkId: network.id }), ...named];
}

function byFirst([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Site.linkAccess, unless a RouterAccess says it in detail. */
function siteListeners(
  resources: readonly Resource[],
  identity: SiteIdentity,
  hindrance: Withheld | undefined,
  withheld: Map<string, Withheld>,
): Entity[] {
  const [site] = resourcesOf(resources, 'Site');
  if (site === undefined || !acceptsLinks(site) || resourcesOf(resources, 'RouterAccess').length > 0) return [];
  const reason = identity.network === undefined ? noNetwork : hindrance;
  if (reason !== undefined) {
    withheld.set(resourceKey(site), reason);
    return [];
  }
  const host = site.spec.linkAccess === 'local' ? '127.0.0.1' : '0.0.0.0';
  return [linkListener(siteListenerName, host, defaultLinkPort, ownProfile)];
}

/** Whether the Site itself asks for links from other sites. */
export function acceptsLinks(site: ResourceOf<'Site'>): boolean {
  return site.spec.linkAccess !== undefined && site.spec.linkAccess !== 'none';
}

function accessListener(access: ResourceOf<'RouterAccess'>, profile: string): Entity {
  const { roles, bindHost, accessType } = access.spec;
  const port = roles.find(({ name }) => name === 'inter-router')?.port ?? defaultLinkPort;
  const host = plainHost(bindHost ?? (accessType === 'local' ? '127.0.0.1' : '0.0.0.0'));
  return linkListener(accessListenerName(access), host, port, profile);
}

function linkListener(name: string, host: string, port: number, sslProfile: string): Entity {
  const trust = { sslProfile, saslMechanisms: 'EXTERNAL', authenticatePeer: true, requireSsl: true };
  return readEntity('listener', { name, host, port, role: 'inter-router', ...trust });
}

function linkConnectors(link: ResourceOf<'Link'>, sslProfile: string): Entity[] {
  return endpointGroups(link).map(([first, ...others], index) => {
    assert(first !== undefined, 'a group of endpoints has a first');
    return readEntity('connector', {
      name: connectorName(link, index),
      host: plainHost(first.host),
      port: first.port,
      role: 'inter-router',
      cost: link.spec.cost ?? 1,
      sslProfile,
      saslMechanisms: 'EXTERNAL',
      // Certificates of the own network prove the router's identity, whatever host name it is reached by; others prove the name.
      verifyHostname: sslProfile !== ownProfile,
      ...(others.length === 0 ? {} : { failoverUrls: others.map(endpointText).join(',') }),
    });
  });
}

/** Endpoints of one group lead to the same router and stand in for each other; each group is a router to connect to. */
function endpointGroups(link: ResourceOf<'Link'>): readonly (readonly LinkEndpoint[])[] {
  const groups = new Map<string, LinkEndpoint[]>();
  for (const endpoint of link.spec.endpoints) {
    if (endpoint.name !== 'inter-router') continue;
    const group = groups.get(endpoint.group ?? '');
    if (group === undefined) groups.set(endpoint.group ?? '', [endpoint]);
    else group.push(endpoint);
  }
  return [...groups.values()];
}

/** Host and port as one text, such as `[::1]:443`. */
export function endpointText({ host, port }: { readonly host: string; readonly port: number | string }): string {
  const plain = plainHost(host);
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

function logEntities(site: ResourceOf<'Site'> | undefined): Entity[] {
  const logging = site?.spec.settings?.['router-logging'];
  return logging === undefined ? [] : readLogging(logging, []).map((setting) => readEntity('log', setting));
}
