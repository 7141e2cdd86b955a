import type {
  AmqpConnectorEntity,
  AmqpListenerEntity,
  HttpConnectorEntity,
  HttpListenerEntity,
  ListenerAddressEntity,
  ServiceConnectorEntity,
  ServiceListenerEntity,
  TcpConnectorEntity,
  TcpListenerEntity,
  UdpConnectorEntity,
  UdpListenerEntity,
} from './service-entities.ts';

/** The entities of a router's configuration, as skupper-router names them, and a whole configuration. Seconds are seconds. */

export const distributions = ['multicast', 'closest', 'balanced', 'unavailable'] as const;
export type Distribution = (typeof distributions)[number];

export const connectionRoles = ['inter-router', 'normal'] as const;
export type ConnectionRole = (typeof connectionRoles)[number];

export const routerModes = ['standalone', 'interior'] as const;
export type RouterMode = (typeof routerModes)[number];

export const failureDetections = ['default', 'fast'] as const;
export type FailureDetection = (typeof failureDetections)[number];

export interface RouterEntity {
  readonly type: 'router';
  readonly name: string;
  readonly id: string;
  readonly mode: RouterMode;
  readonly helloIntervalSeconds: number;
  readonly helloMaxAgeSeconds: number;
  /** How soon a Caravan neighbour that falls silent is left: 1 s (default) or 0.3 s (fast). */
  readonly failureDetection: FailureDetection;
  readonly raIntervalSeconds: number;
  readonly raIntervalFluxSeconds: number;
  readonly remoteLsMaxAgeSeconds: number;
  readonly unreachableHoldoffSeconds: number;
  readonly defaultDistribution: Distribution;
  readonly metadata?: string;
}

export interface SiteEntity {
  readonly type: 'site';
  readonly name: string;
  readonly location?: string;
  readonly provider?: string;
  readonly platform?: string;
  readonly namespace?: string;
  readonly version?: string;
}

export interface SslProfileEntity {
  readonly type: 'sslProfile';
  readonly name: string;
  readonly caCertFile?: string;
  readonly certFile?: string;
  readonly privateKeyFile?: string;
  /** Raised when the files have new content, so that new connections use it and old ones stay. */
  readonly ordinal?: number;
  /** Caravan's own: the network whose identity (URI SAN `van://<network>/<site>/<router>`) every peer must show. */
  readonly networkId?: string;
}

/** Caravan's own: what the router signs with, so that other routers of the network can verify what it says. */
export interface SigningEntity {
  readonly type: 'signing';
  readonly name: string;
  /** Root of the network. */
  readonly caCertFile: string;
  /** Membership that certifies the key, with the issuers above it. */
  readonly membershipFile: string;
  /** Ed25519 key. */
  readonly privateKeyFile: string;
  /** Folder of this router alone, where it counts its lives and keeps revocations. */
  readonly stateFolder: string;
  /** Neighbours that do not sign are refused. */
  readonly requireSigned: boolean;
  /** Raised when the membership file has new content. */
  readonly ordinal?: number;
}

interface AmqpConnection {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly role: ConnectionRole;
  readonly cost: number;
  readonly sslProfile?: string;
  readonly saslMechanisms?: string;
  readonly maxFrameSize: number;
  readonly idleTimeoutSeconds: number;
  readonly linkCapacity: number;
}

export interface ListenerEntity extends AmqpConnection {
  readonly type: 'listener';
  readonly authenticatePeer: boolean;
  readonly requireEncryption: boolean;
  readonly requireSsl: boolean;
  /** 0 = wait without end. */
  readonly initialHandshakeTimeoutSeconds: number;
  /** Clients may also speak AMQP over WebSocket; role `normal` only. */
  readonly http: boolean;
}

export interface ConnectorEntity extends AmqpConnection {
  readonly type: 'connector';
  readonly verifyHostname: boolean;
  readonly saslUsername?: string;
  readonly saslPassword?: string;
  /** Other endpoints of the same peer, `host:port,host:port`, tried in turn after host and port. */
  readonly failoverUrls?: string;
}

export interface AddressEntity {
  readonly type: 'address';
  readonly name: string;
  readonly prefix?: string;
  readonly pattern?: string;
  readonly distribution: Distribution;
  readonly priority?: number;
}

export interface LogEntity {
  readonly type: 'log';
  readonly name: string;
  readonly module: string;
  readonly enable?: string;
}

export type Entity =
  | RouterEntity
  | SiteEntity
  | SslProfileEntity
  | SigningEntity
  | ListenerEntity
  | ConnectorEntity
  | ServiceListenerEntity
  | ServiceConnectorEntity
  | ListenerAddressEntity
  | AddressEntity
  | LogEntity;

export type EntityType = Entity['type'];

export type EntityOf<T extends EntityType> = Extract<Entity, { type: T }>;

/** Everything a router is told to be. Lists keep the order of creation. */
export interface RouterConfiguration {
  readonly router: RouterEntity;
  readonly site?: SiteEntity;
  readonly signing?: SigningEntity;
  readonly sslProfiles: readonly SslProfileEntity[];
  readonly listeners: readonly ListenerEntity[];
  readonly connectors: readonly ConnectorEntity[];
  readonly tcpListeners: readonly TcpListenerEntity[];
  readonly tcpConnectors: readonly TcpConnectorEntity[];
  readonly httpListeners: readonly HttpListenerEntity[];
  readonly httpConnectors: readonly HttpConnectorEntity[];
  readonly udpListeners: readonly UdpListenerEntity[];
  readonly udpConnectors: readonly UdpConnectorEntity[];
  readonly amqpListeners: readonly AmqpListenerEntity[];
  readonly amqpConnectors: readonly AmqpConnectorEntity[];
  readonly listenerAddresses: readonly ListenerAddressEntity[];
  readonly addresses: readonly AddressEntity[];
  readonly logs: readonly LogEntity[];
}

/** Entity types in an order in which each comes after those it refers to. */
export const creationOrder: readonly EntityType[] = [
  'router',
  'site',
  'log',
  'address',
  'signing',
  'sslProfile',
  'listener',
  'connector',
  'tcpListener',
  'listenerAddress',
  'tcpConnector',
  'httpListener',
  'httpConnector',
  'udpListener',
  'udpConnector',
  'amqpListener',
  'amqpConnector',
];

/** The entities of a configuration, each after those it refers to. */
export function entitiesOf(configuration: RouterConfiguration): readonly Entity[] {
  return [
    configuration.router,
    ...(configuration.site === undefined ? [] : [configuration.site]),
    ...configuration.logs,
    ...configuration.addresses,
    ...(configuration.signing === undefined ? [] : [configuration.signing]),
    ...configuration.sslProfiles,
    ...configuration.listeners,
    ...configuration.connectors,
    ...configuration.tcpListeners,
    ...configuration.listenerAddresses,
    ...configuration.tcpConnectors,
    ...configuration.httpListeners,
    ...configuration.httpConnectors,
    ...configuration.udpListeners,
    ...configuration.udpConnectors,
    ...configuration.amqpListeners,
    ...configuration.amqpConnectors,
  ];
}

/** The ports for clients, whatever their protocol. */
export function serviceListeners(configuration: RouterConfiguration): readonly ServiceListenerEntity[] {
  return [...configuration.tcpListeners, ...configuration.httpListeners, ...configuration.udpListeners, ...configuration.amqpListeners];
}

/** The servers, whatever their protocol. */
export function serviceConnectors(configuration: RouterConfiguration): readonly ServiceConnectorEntity[] {
  return [...configuration.tcpConnectors, ...configuration.httpConnectors, ...configuration.udpConnectors, ...configuration.amqpConnectors];
}

/** The configuration of exactly `entities` around `router`. Order within a type is kept. */
export function configurationOf(router: RouterEntity, entities: readonly Entity[]): RouterConfiguration {
  const of = <T extends EntityType>(type: T): EntityOf<T>[] => entities.filter((entity): entity is EntityOf<T> => entity.type === type);
  const [site] = of('site');
  const [signing] = of('signing');
  return {
    router,
    ...(site === undefined ? {} : { site }),
    ...(signing === undefined ? {} : { signing }),
    sslProfiles: of('sslProfile'),
    listeners: of('listener'),
    connectors: of('connector'),
    tcpListeners: of('tcpListener'),
    tcpConnectors: of('tcpConnector'),
    httpListeners: of('httpListener'),
    httpConnectors: of('httpConnector'),
    udpListeners: of('udpListener'),
    udpConnectors: of('udpConnector'),
    amqpListeners: of('amqpListener'),
    amqpConnectors: of('amqpConnector'),
    listenerAddresses: of('listenerAddress'),
    addresses: of('address'),
    logs: of('log'),
  };
}

/** Whether two entities say the same. Entities are flat, so this compares value by value. */
export function sameEntity(a: Entity, b: Entity): boolean {
  const left = Object.entries(a);
  const right = new Map<string, unknown>(Object.entries(b));
  return left.length === right.size && left.every(([key, value]) => right.get(key) === value);
}
