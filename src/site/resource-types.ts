/** The resources a user writes: Skupper's `skupper.io/v2alpha1` kinds as they are, and the Secret that comes with a Link. */

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

type Settings = Readonly<Record<string, string>>;

export type LinkAccess = 'none' | 'default' | 'local';

export interface SiteSpec {
  /** Whether other sites may link to this one. `local` = only from this host. */
  readonly linkAccess?: LinkAccess;
  readonly serviceAccount?: string;
  readonly defaultIssuer?: string;
  readonly settings?: Settings;
}

/** Protocols of services. `http`: each request on its own; clients speak HTTP/1.1 or HTTP/2, servers HTTP/1.1. `http2`: HTTP/2 alone, for gRPC. `amqp`: clients, and nodes of servers, are producers and consumers of addresses. */
export const serviceTypes = ['tcp', 'http', 'http2', 'udp', 'amqp'] as const;
export type ServiceType = (typeof serviceTypes)[number];

export interface ListenerSpec {
  readonly routingKey: string;
  /** Local address to listen on. */
  readonly host: string;
  readonly port: number;
  /** TCP when absent. */
  readonly type?: ServiceType;
  /** Name of the Secret or certificate folder for TLS with clients; absent = no TLS. */
  readonly tlsCredentials?: string;
  readonly observer?: Observer;
  readonly settings?: Settings;
}

export type Observer = 'auto' | 'none' | 'http1' | 'http2';

export interface ConnectorSpec {
  readonly routingKey: string;
  /** Where the server is. */
  readonly host: string;
  readonly port: number;
  /** TCP when absent. */
  readonly type?: ServiceType;
  /** Name of the Secret or certificate folder for TLS with the server; absent = no TLS. */
  readonly tlsCredentials?: string;
  /** The server is shown the certificate of the credentials. */
  readonly useClientCert?: boolean;
  /** False = the certificate of the server need not name the host. */
  readonly verifyHostname?: boolean;
  readonly settings?: Settings;
}

export interface PriorityStrategy {
  /** The first key with a reachable connector gets all connections. */
  readonly routingKeys: readonly string[];
}

export interface WeightedStrategy {
  /** Connections are shared among reachable keys by weight. */
  readonly routingKeys: Readonly<Record<string, number>>;
}

/** Exactly one of the two. */
export interface MultiKeyStrategy {
  readonly priority?: PriorityStrategy;
  readonly weighted?: WeightedStrategy;
}

export interface MultiKeyListenerSpec {
  readonly host: string;
  readonly port: number;
  readonly strategy: MultiKeyStrategy;
  /** As of a Listener. */
  readonly tlsCredentials?: string;
  readonly requireClientCert?: boolean;
  readonly observer?: Observer;
  readonly settings?: Settings;
}

export type EndpointRole = 'inter-router' | 'edge';

export interface LinkEndpoint {
  readonly name: EndpointRole;
  readonly host: string;
  /** Digits; Skupper's schema has a text here. */
  readonly port: string;
  /** Endpoints of one group lead to the same router. */
  readonly group?: string;
}

export interface LinkSpec {
  readonly endpoints: readonly LinkEndpoint[];
  /** Name of the Secret or certificate folder to show; absent = the site's own certificate. */
  readonly tlsCredentials?: string;
  readonly cost?: number;
  readonly settings?: Settings;
}

export interface AccessGrantSpec {
  readonly redemptionsAllowed?: number;
  /** Duration such as `15m` or `1h30m`. */
  readonly expirationWindow?: string;
  /** Skupper's; refused here when resources are read. */
  readonly code?: string;
  readonly issuer?: string;
  readonly settings?: Settings;
}

export interface AccessTokenSpec {
  readonly url: string;
  readonly code: string;
  /** Certificate of the network's root (PEM). */
  readonly ca: string;
  readonly linkCost?: number;
  readonly settings?: Settings;
}

export interface RouterAccessRole {
  readonly name: EndpointRole;
  readonly port?: number;
}

export interface RouterAccessSpec {
  readonly roles: readonly RouterAccessRole[];
  readonly tlsCredentials: string;
  readonly generateTlsCredentials?: boolean;
  readonly issuer?: string;
  readonly accessType?: 'local';
  readonly bindHost?: string;
  readonly subjectAlternativeNames?: readonly string[];
  readonly settings?: Settings;
}

/** Texts in base64 by file name (`ca.crt`, `tls.crt`, `tls.key`), as Kubernetes has them. */
export interface SecretSpec {
  readonly type: string;
  readonly data: Readonly<Record<string, string>>;
}

/** The spec of each kind. */
export interface Specs {
  readonly Secret: SecretSpec;
  readonly Site: SiteSpec;
  readonly RouterAccess: RouterAccessSpec;
  readonly Link: LinkSpec;
  readonly Listener: ListenerSpec;
  readonly MultiKeyListener: MultiKeyListenerSpec;
  readonly Connector: ConnectorSpec;
  readonly AccessGrant: AccessGrantSpec;
  readonly AccessToken: AccessTokenSpec;
}

export type Kind = keyof Specs;

export interface ResourceOf<K extends Kind> {
  readonly kind: K;
  readonly metadata: Metadata;
  readonly spec: Specs[K];
}

export type Resource = { [K in Kind]: ResourceOf<K> }[Kind];

/** What a resource is found by: `Listener/backend`. Namespaces have folders of their own and are not part of it. */
export function resourceKey(resource: { readonly kind: Kind; readonly metadata: { readonly name: string } }): string {
  return `${resource.kind}/${resource.metadata.name}`;
}

/** The resources of one kind, in order. */
export function resourcesOf<K extends Kind>(resources: readonly Resource[], kind: K): readonly ResourceOf<K>[] {
  return resources.filter((resource): resource is Resource & ResourceOf<K> => resource.kind === kind);
}
