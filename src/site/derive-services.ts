import { readEntity } from '../management/entity-schema.ts';
import type { Entity } from '../management/entities.ts';
import type { Resource, ResourceOf, ServiceType } from './resource-types.ts';
import { readServiceSettings } from './service-settings.ts';

/** Files with certificates that resources name as tlsCredentials. What is not there is absent. */
export interface NamedCertificates {
  readonly caCertFile?: string;
  readonly certFile?: string;
  readonly privateKeyFile?: string;
  /** Raised when the files have new content. */
  readonly ordinal: number;
}

/** Resources whose router entities are those of a service. */
export type ServiceResource = ResourceOf<'Listener'> | ResourceOf<'MultiKeyListener'> | ResourceOf<'Connector'>;

export function isServiceResource(resource: Resource): resource is ServiceResource {
  return resource.kind === 'Listener' || resource.kind === 'MultiKeyListener' || resource.kind === 'Connector';
}

const listenerTypes = {
  tcp: 'tcpListener',
  http: 'httpListener',
  http2: 'httpListener',
  udp: 'udpListener',
  amqp: 'amqpListener',
} as const;
const connectorTypes = {
  tcp: 'tcpConnector',
  http: 'httpConnector',
  http2: 'httpConnector',
  udp: 'udpConnector',
  amqp: 'amqpConnector',
} as const;

/** The protocol of a service. */
export function serviceTypeOf(resource: ServiceResource): ServiceType {
  return resource.kind === 'MultiKeyListener' ? 'tcp' : (resource.spec.type ?? 'tcp');
}

/** Type of the router entity that a resource of a service stands for. */
export function serviceEntityType(resource: ServiceResource): (typeof listenerTypes)[ServiceType] | (typeof connectorTypes)[ServiceType] {
  return resource.kind === 'Connector' ? connectorTypes[resource.spec.type ?? 'tcp'] : listenerTypes[serviceTypeOf(resource)];
}

/** Addresses of IPv6 are often written in brackets, as in URLs; sockets want them without. */
export function plainHost(host: string): string {
  return host.replaceAll(/[[\]]/g, '');
}

/** The sslProfile of a service with all files of its credentials. Names of resources have no blanks. */
function authoritiesOnly(credentials: string): string {
  return `${credentials} (authorities only)`;
}

/** The sslProfile that a service needs, from its credentials; undefined without TLS. */
export interface ServiceProfile {
  readonly name: string;
  /** What the profile must not have although the credentials do: a certificate is shown only where that is asked for. */
  readonly withoutCertificate: boolean;
}

export function serviceProfile(resource: ServiceResource): ServiceProfile | undefined {
  const { tlsCredentials } = resource.spec;
  if (tlsCredentials === undefined) return undefined;
  const withoutCertificate = resource.kind === 'Connector' && resource.spec.useClientCert !== true;
  return { name: withoutCertificate ? authoritiesOnly(tlsCredentials) : tlsCredentials, withoutCertificate };
}

/** What the credentials of a service lack; undefined when there is everything, or no TLS. */
export function credentialProblem(resource: ServiceResource, credentials: ReadonlyMap<string, NamedCertificates>): string | undefined {
  const { tlsCredentials } = resource.spec;
  if (tlsCredentials === undefined) return undefined;
  const files = credentials.get(tlsCredentials);
  if (files === undefined) return `TLS credentials '${tlsCredentials}' do not exist; apply a Secret of that name`;
  const needsAuthority = resource.kind === 'Connector' || requiresClientCertificate(resource);
  const needsCertificate = resource.kind !== 'Connector' || resource.spec.useClientCert === true;
  const missing = [
    ...(needsAuthority && files.caCertFile === undefined ? ['ca.crt'] : []),
    ...(needsCertificate && files.certFile === undefined ? ['tls.crt'] : []),
    ...(needsCertificate && files.privateKeyFile === undefined ? ['tls.key'] : []),
  ];
  return missing.length === 0 ? undefined : `TLS credentials '${tlsCredentials}' lack ${missing.join(' and ')}`;
}

function requiresClientCertificate(resource: ResourceOf<'Listener'> | ResourceOf<'MultiKeyListener'>): boolean {
  if (resource.kind === 'MultiKeyListener') return resource.spec.requireClientCert === true;
  return resource.spec.settings?.['require-client-cert'] === 'true';
}

/** The router entity of a Listener or Connector. */
export function serviceEntity(resource: ResourceOf<'Listener'> | ResourceOf<'Connector'>): Entity {
  const { metadata, spec, kind } = resource;
  const { type = 'tcp', settings = {} } = spec;
  const profile = serviceProfile(resource);
  return readEntity(serviceEntityType(resource), {
    name: metadata.name,
    address: spec.routingKey,
    host: plainHost(spec.host),
    port: spec.port,
    ...(type === 'http2' ? { protocol: 'http2' } : {}),
    ...(profile === undefined ? {} : { sslProfile: profile.name }),
    ...(resource.kind === 'Connector' && resource.spec.verifyHostname === false ? { verifyHostname: false } : {}),
    ...readServiceSettings(kind, type, settings, []),
  });
}

/** The tcpListener of a MultiKeyListener, and its addresses with the value that each is chosen by. */
export function multiKeyEntities(resource: ResourceOf<'MultiKeyListener'>): Entity[] {
  const { port, strategy, host, requireClientCert } = resource.spec;
  const name = multiKeyListenerName(resource);
  const profile = serviceProfile(resource);
  return [
    readEntity('tcpListener', {
      name,
      host: plainHost(host),
      port,
      multiAddressStrategy: strategy.priority === undefined ? 'weighted' : 'priority',
      ...(profile === undefined ? {} : { sslProfile: profile.name }),
      ...(requireClientCert === true ? { authenticatePeer: true } : {}),
    }),
    ...multiKeyValues(resource).map(([address, value]) =>
      readEntity('listenerAddress', { name: `${name}/${address}`, address, value, listener: name }),
    ),
  ];
}

/** A prefix that no name of a resource can have keeps the listeners of the two kinds apart. */
export function multiKeyListenerName(resource: ResourceOf<'MultiKeyListener'>): string {
  return `multi-key/${resource.metadata.name}`;
}

/** Routing keys with the value the router chooses by: the highest priority first, or the weight. */
function multiKeyValues({ spec: { strategy } }: ResourceOf<'MultiKeyListener'>): readonly (readonly [string, number])[] {
  const keys = strategy.priority?.routingKeys;
  if (keys !== undefined) return keys.map((key, index) => [key, keys.length - 1 - index] as const);
  return Object.entries(strategy.weighted?.routingKeys ?? {});
}

/** The routing keys of a listener of either kind. */
export function routingKeysOf(resource: ResourceOf<'Listener'> | ResourceOf<'MultiKeyListener'>): readonly string[] {
  return resource.kind === 'Listener' ? [resource.spec.routingKey] : multiKeyValues(resource).map(([key]) => key);
}

/** The protocols that the services of a site speak, by routing key. */
export function serviceTypes(resources: readonly Resource[]): ReadonlyMap<string, ReadonlySet<ServiceType>> {
  const types = new Map<string, Set<ServiceType>>();
  for (const resource of resources) {
    if (!isServiceResource(resource)) continue;
    for (const key of resource.kind === 'Connector' ? [resource.spec.routingKey] : routingKeysOf(resource)) {
      const known = types.get(key);
      if (known === undefined) types.set(key, new Set([serviceTypeOf(resource)]));
      else known.add(serviceTypeOf(resource));
    }
  }
  return types;
}
