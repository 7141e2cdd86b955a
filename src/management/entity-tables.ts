import { address, endpointList, entityName, host, logLevels, number, port, saslMechanisms, truth } from './attribute-types.ts';
import {
  connectionRoles,
  distributions,
  failureDetections,
  routerModes,
  type AddressEntity,
  type ConnectorEntity,
  type Entity,
  type ListenerEntity,
  type LogEntity,
  type RouterEntity,
  type SigningEntity,
  type SiteEntity,
  type SslProfileEntity,
} from './entities.ts';
import {
  choice,
  optional,
  required,
  text,
  withDefault,
  type Fields,
  type PresentField,
  type RecordOptions,
  type UnsupportedKey,
} from './schema.ts';

/**
 * What each entity may say: one table per entity, from which configuration files and CREATE and UPDATE requests are read.
 * Attributes of skupper-router that are not implemented are listed with what that means, so that a configuration written
 * for it either works or is refused with a reason, never half obeyed.
 */

type Attributes<T extends Entity> = Omit<T, 'type'>;

export interface EntityTable<T extends Entity> {
  readonly meaning: string;
  readonly fields: Fields<Attributes<T>>;
  readonly options: RecordOptions;
  /** Attributes that UPDATE may change while the router runs. */
  readonly updatable: readonly string[];
  /** Most entities of this type, so that no request or file can grow a table without end. */
  readonly countLimit: number;
  /** The name of an entity that was given none. */
  readonly defaultName: (entity: Attributes<T>) => string;
  /** What the attributes together have wrong. */
  readonly conflict?: (entity: Attributes<T>) => string | undefined;
}

export const keyWord = 'attribute';
export const nameField: PresentField<string> = withDefault(
  entityName(),
  '',
  'how other entities and management operations refer to this one',
);
const filePath = text({ maximumLength: 4096, pattern: /^[^\0]+$/, patternMeaning: 'a file path' });
const freeText = text({ minimumLength: 0, maximumLength: 4096 });
export const readOnly: UnsupportedKey = { reason: 'it is read-only' };

const roleRefusals = {
  edge: 'edge routers are not implemented yet',
  'inter-edge': 'edge routers are not implemented yet',
  'route-container': 'link routes are not implemented yet',
  'inter-network': 'links between networks are not implemented yet',
};

export const routerTable: EntityTable<RouterEntity> = {
  meaning: 'the router itself; exactly one',
  fields: {
    name: nameField,
    id: required(
      text({
        maximumLength: 128,
        pattern: /^[^\p{Cc}\p{Cs}\s/]+$/u,
        patternMeaning: 'an id of 1 to 128 characters without blanks and slashes',
      }),
      'unique identity of the router in its network',
    ),
    mode: withDefault(choice(routerModes, { edge: 'edge routers are not implemented yet' }), 'standalone', 'interior routers join others'),
    helloIntervalSeconds: withDefault(number(1, 3600), 1, 'time between HELLO messages to neighbours'),
    helloMaxAgeSeconds: withDefault(number(1, 3600), 3, 'a neighbour is lost after this time without HELLO'),
    failureDetection: withDefault(
      choice(failureDetections),
      'default',
      'a silent neighbour of the same kind is left after 1 s, or 0.3 s if both are fast; the two settings above are for others',
    ),
    raIntervalSeconds: withDefault(number(1, 3600), 30, 'time between router advertisements in a stable network'),
    raIntervalFluxSeconds: withDefault(number(1, 3600), 4, 'time between router advertisements while the network changes'),
    remoteLsMaxAgeSeconds: withDefault(number(1, 86400), 60, 'a link state is stale after this time without advertisement'),
    unreachableHoldoffSeconds: withDefault(number(0, 3600), 1, 'addresses of an unreachable router are kept for this time'),
    defaultDistribution: withDefault(choice(distributions), 'balanced', 'treatment of addresses that no address entity names'),
    metadata: optional(freeText, 'text for people and tools; no effect'),
  },
  options: {
    keyWord,
    ignored: {
      workerThreads: 'one event loop does the work',
      dataConnectionCount: 'one connection per link carries everything',
      timestampFormat: 'log lines carry ISO 8601 timestamps',
      timestampsInUTC: 'log lines carry UTC timestamps',
      debugDumpFile: 'there is no allocator to dump',
      saslConfigDir: 'the SASL mechanisms are built in',
      saslConfigName: 'the SASL mechanisms are built in',
      area: 'it has no effect in skupper-router either',
      version: 'it is read-only; files written from a running router contain it',
      hostName: 'it is read-only; files written from a running router contain it',
    },
    unsupported: {
      vanId: { reason: 'tenants are not implemented yet' },
      dropTcpConnections: { reason: 'connections always end with their tcpListener or tcpConnector', accept: [true, 'yes', 'true'] },
    },
  },
  updatable: [],
  countLimit: 1,
  defaultName: (router) => `router/${router.id}`,
  conflict: (router) => {
    if (router.helloMaxAgeSeconds < router.helloIntervalSeconds) return 'helloMaxAgeSeconds must not be less than helloIntervalSeconds';
    if (router.remoteLsMaxAgeSeconds < router.raIntervalSeconds) return 'remoteLsMaxAgeSeconds must not be less than raIntervalSeconds';
    return undefined;
  },
};

export const siteTable: EntityTable<SiteEntity> = {
  meaning: 'the site this router belongs to; informative; at most one',
  fields: {
    name: nameField,
    location: optional(freeText, 'where the site is'),
    provider: optional(freeText, 'who provides the machines'),
    platform: optional(freeText, 'what the site runs on'),
    namespace: optional(freeText, 'namespace of the site on its platform'),
    version: optional(freeText, 'version of the control plane'),
  },
  options: { keyWord },
  updatable: ['location', 'provider', 'platform', 'namespace', 'version'],
  countLimit: 1,
  defaultName: () => 'site',
};

export const sslProfileTable: EntityTable<SslProfileEntity> = {
  meaning: 'certificates for listeners and connectors',
  fields: {
    name: required(entityName(), 'what listeners and connectors refer to'),
    caCertFile: optional(filePath, 'certificates of the authorities that peers are checked against (PEM)'),
    certFile: optional(filePath, 'own certificate and its chain (PEM)'),
    privateKeyFile: optional(filePath, 'key of the own certificate (PEM)'),
    ordinal: optional(number(0), 'raised when the files have new content'),
    networkId: optional(
      text({ maximumLength: 64, pattern: /^[a-z0-9]+$/, patternMeaning: 'a network id (lower case letters and digits)' }),
      'network whose identity every peer must show; the router id in it must be the one the peer uses',
    ),
  },
  options: {
    keyWord,
    unsupported: {
      ciphers: { reason: 'the cipher suites are those of TLS 1.3' },
      protocols: { reason: 'only TLS 1.3 is spoken', accept: ['TLSv1.3'] },
      password: { reason: 'the private key file must not be encrypted' },
      oldestValidOrdinal: { reason: 'old connections are not ended by certificate rotation', accept: [0, '0'] },
      uidFormat: { reason: 'peers are identified by the URI in their certificate' },
      uidNameMappingFile: { reason: 'peers are identified by the URI in their certificate' },
    },
  },
  updatable: ['caCertFile', 'certFile', 'privateKeyFile', 'ordinal', 'networkId'],
  countLimit: 1024,
  defaultName: (profile) => profile.name,
  conflict: (profile) =>
    (profile.certFile === undefined) === (profile.privateKeyFile === undefined) ? undefined : 'certFile and privateKeyFile go together',
};

export const signingTable: EntityTable<SigningEntity> = {
  meaning: 'what the router signs with, so that others can verify what it says; at most one; without it the router does not sign',
  fields: {
    name: nameField,
    caCertFile: required(filePath, 'root certificate of the network (PEM)'),
    membershipFile: required(filePath, 'membership certificate of the site and the issuers above it (PEM)'),
    privateKeyFile: required(filePath, 'Ed25519 key that the membership certifies (PEM)'),
    stateFolder: required(filePath, 'folder of this router alone: its epoch and the revocations it knows'),
    requireSigned: withDefault(truth(), false, 'refuse neighbours that do not sign'),
    ordinal: optional(number(0), 'raised when the membership file has new content'),
  },
  options: { keyWord },
  updatable: ['membershipFile', 'ordinal'],
  countLimit: 1,
  defaultName: () => 'signing',
};

/** Attributes that listeners and connectors share. */
const connectionFields = {
  name: nameField,
  // A skupper-router's default is `normal`; what is not there yet must not be taken for it silently.
  role: required(choice(connectionRoles, roleRefusals), 'what speaks at the other end: inter-router = another router'),
  cost: withDefault(number(1, 9999), 1, 'cost of the link for routing; inter-router only'),
  sslProfile: optional(entityName(), 'sslProfile to use; absent = no TLS'),
  saslMechanisms: optional(saslMechanisms(), 'SASL mechanisms to offer or accept'),
  maxFrameSize: withDefault(number(512, 1024 * 1024), 16384, 'largest frame to receive, in bytes'),
  idleTimeoutSeconds: withDefault(number(0, 86400), 16, 'a connection silent for this time is closed; 0 = never'),
  linkCapacity: withDefault(number(1, 65535), 250, 'deliveries in flight per AMQP link'),
} as const;

const connectionIgnored = {
  maxSessions: 'a connection between routers has a bound of its own',
  maxSessionFrames: 'session windows are given in bytes',
};

const connectionRefusals = {
  stripAnnotations: { reason: 'annotations of the router are stripped in both directions', accept: ['both'] },
  socketAddressFamily: { reason: 'the host decides; write an address of the family you mean' },
  messageLoggingComponents: { reason: 'messages are not logged', accept: ['none'] },
  policyVhost: { reason: 'policies are not implemented yet' },
  openProperties: { reason: 'own connection properties are not implemented yet' },
};

const noTls = (entity: { readonly sslProfile?: string }): string => (entity.sslProfile === undefined ? 'an sslProfile' : '');

export const listenerTable: EntityTable<ListenerEntity> = {
  meaning: 'a port where AMQP connections are accepted',
  fields: {
    ...connectionFields,
    host: withDefault(host(true), '', 'local address; empty = all'),
    port: withDefault(port(0), 5672, 'port; 0 = any free one'),
    authenticatePeer: withDefault(truth(), false, 'refuse peers without an authenticated identity'),
    requireEncryption: withDefault(truth(), false, 'refuse connections without TLS'),
    requireSsl: withDefault(truth(), false, 'refuse connections without TLS'),
    initialHandshakeTimeoutSeconds: withDefault(number(0, 3600), 5, 'a connection must be open within this time; 0 = no limit'),
    http: withDefault(truth(), false, 'clients may also speak AMQP over WebSocket; role normal only'),
  },
  options: {
    keyWord,
    ignored: {
      ...connectionIgnored,
      healthz: 'it speaks of HTTP listeners only',
      metrics: 'it speaks of HTTP listeners only',
      websockets: 'it speaks of HTTP listeners only',
    },
    unsupported: {
      ...connectionRefusals,
      httpRootDir: { reason: 'files are not served' },
      failoverUrls: { reason: 'clients are not told of other routers' },
    },
  },
  updatable: [],
  countLimit: 256,
  defaultName: (listener) => `listener/${listener.host}:${listener.port}`,
  conflict: (listener) => {
    if ((listener.requireSsl || listener.requireEncryption) && noTls(listener) !== '') {
      return `requireSsl and requireEncryption need ${noTls(listener)}`;
    }
    if (listener.role !== 'normal') return listener.http ? "http is for role 'normal'" : undefined;
    return listener.authenticatePeer && noTls(listener) !== '' ? `authenticatePeer needs ${noTls(listener)} with role 'normal'` : undefined;
  },
};

export const connectorTable: EntityTable<ConnectorEntity> = {
  meaning: 'a connection to another router or AMQP server, kept up',
  fields: {
    ...connectionFields,
    host: withDefault(host(false), '127.0.0.1', 'where to connect to'),
    port: withDefault(port(1), 5672, 'port to connect to'),
    verifyHostname: withDefault(truth(), true, "the peer's certificate must name the host"),
    saslUsername: optional(text({ maximumLength: 255 }), 'user name for PLAIN'),
    saslPassword: optional(text({ maximumLength: 1024, secret: true }), 'password for PLAIN'),
    failoverUrls: optional(endpointList(), 'other endpoints of the same peer, tried in turn'),
  },
  options: {
    keyWord,
    ignored: { ...connectionIgnored, allowRedirect: 'redirections are never followed' },
    unsupported: {
      ...connectionRefusals,
      proxyProfile: { reason: 'HTTP proxies are not implemented yet' },
      connectionStatus: readOnly,
      connectionMsg: readOnly,
    },
  },
  updatable: [],
  countLimit: 1024,
  defaultName: (connector) => `connector/${connector.host}:${connector.port}`,
  conflict: ({ role }) => (role === 'normal' ? "connectors of role 'normal' are not implemented yet" : undefined),
};

export const addressTable: EntityTable<AddressEntity> = {
  meaning: 'how messages to matching addresses are distributed',
  fields: {
    name: nameField,
    prefix: optional(address(), 'the address itself, or everything below it (address/...)'),
    pattern: optional(address(), "tokens separated by '/' or '.'; * matches one token, # any number"),
    distribution: withDefault(choice(distributions), 'balanced', 'treatment of matching addresses'),
    priority: optional(number(0, 9), 'priority of messages that have none'),
  },
  options: { keyWord },
  updatable: [],
  countLimit: 1024,
  defaultName: (entity) => `address/${entity.prefix ?? entity.pattern ?? ''}`,
  conflict: (entity) =>
    (entity.prefix === undefined) === (entity.pattern === undefined) ? "exactly one of 'prefix' and 'pattern' is required" : undefined,
};

export const logModules = [
  'DEFAULT',
  'ROUTER',
  'ROUTER_CORE',
  'ROUTER_HELLO',
  'ROUTER_LS',
  'ROUTER_MA',
  'MESSAGE',
  'SERVER',
  'AGENT',
  'CONTAINER',
  'ERROR',
  'POLICY',
  'HTTP',
  'CONN_MGR',
  'PYTHON',
  'PROTOCOL',
  'TCP_ADAPTOR',
  'HTTP_ADAPTOR',
  'FLOW_LOG',
  'ADDRESS_WATCH',
  'HTTP1_OBSERVER',
  'HTTP2_OBSERVER',
  'HTTP2_DECODER',
] as const;

export const logTable: EntityTable<LogEntity> = {
  meaning: 'how much one module logs',
  fields: {
    name: nameField,
    module: required(choice(logModules), 'module; DEFAULT speaks for all others'),
    enable: optional(logLevels(), "levels; a '+' means that level and above"),
  },
  options: {
    keyWord,
    ignored: { includeTimestamp: 'log lines always carry one', includeSource: 'log lines name their component' },
    unsupported: { outputFile: { reason: 'the log goes to standard error', accept: ['stderr'] } },
  },
  updatable: ['enable'],
  countLimit: logModules.length,
  defaultName: (log) => `log/${log.module}`,
};
