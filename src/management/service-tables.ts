import { address, addressPatterns, entityName, host, number, port, saslMechanisms, truth } from './attribute-types.ts';
import { keyWord, nameField, readOnly, type EntityTable } from './entity-tables.ts';
import { choice, optional, required, text, withDefault, type Schema } from './schema.ts';
import {
  amqpDirections,
  balancings,
  eventChannels,
  httpProtocols,
  multiAddressStrategies,
  type AmqpConnectorEntity,
  type AmqpListenerEntity,
  type HttpConnectorEntity,
  type HttpListenerEntity,
  type ListenerAddressEntity,
  type TcpConnectorEntity,
  type TcpListenerEntity,
  type UdpConnectorEntity,
  type UdpListenerEntity,
} from './service-entities.ts';

/** What the entities of services may say. */

/** A day: longer waits are as good as none, which 0 says. */
const longestMs = 86_400_000;
/** Fields of one head on their way through the network have a length of 16 bits. */
const maxHeaderBytes = 65_535;
/** Largest UDP payload over IPv4. */
const maxDatagramBytes = 65_507;
/** Entities of one type: each has a socket, and a router has files for that many. */
const serviceCountLimit = 8192;

/** What numbers of services may be, for entities and for the settings of resources. */
export interface NumberRange {
  readonly least: number;
  readonly most: number;
  readonly usual: number;
}

export const serviceNumbers: Readonly<Record<ServiceNumber, NumberRange>> = {
  requestTimeoutMs: { least: 0, most: longestMs, usual: 0 },
  tryTimeoutMs: { least: 0, most: longestMs, usual: 0 },
  headerTimeoutMs: { least: 1, most: longestMs, usual: 8_000 },
  idleTimeoutMs: { least: 1, most: longestMs, usual: 60_000 },
  maxTries: { least: 1, most: 16, usual: 3 },
  maxHeaderBytes: { least: 512, most: maxHeaderBytes, usual: 16_384 },
  priority: { least: 0, most: 255, usual: 0 },
  overflow: { least: 0, most: 65_535, usual: 0 },
  maxRequests: { least: 1, most: 65_535, usual: 1024 },
  connectTimeoutMs: { least: 1, most: 600_000, usual: 3000 },
  activationTimeoutMs: { least: 1, most: 3_600_000, usual: 30_000 },
  flowTimeoutMs: { least: 1, most: longestMs, usual: 30_000 },
  maxDatagramBytes: { least: 1, most: maxDatagramBytes, usual: maxDatagramBytes },
};

export type ServiceNumber =
  | 'requestTimeoutMs'
  | 'tryTimeoutMs'
  | 'headerTimeoutMs'
  | 'idleTimeoutMs'
  | 'maxTries'
  | 'maxHeaderBytes'
  | 'priority'
  | 'overflow'
  | 'maxRequests'
  | 'connectTimeoutMs'
  | 'activationTimeoutMs'
  | 'flowTimeoutMs'
  | 'maxDatagramBytes';

function ranged(name: ServiceNumber, meaning: string): ReturnType<typeof withDefault<number>> {
  const { least, most, usual } = serviceNumbers[name];
  return withDefault(number(least, most), usual, meaning);
}

/** Where a server can be woken. */
export function activationUrl(): Schema<string> {
  return text({ maximumLength: 2048, pattern: /^https?:\/\/[^\s/]+(?:\/\S*)?$/, patternMeaning: 'an http:// or https:// address' });
}

export function activationCommand(): Schema<string> {
  return text({ maximumLength: 4096, pattern: /^[^\p{Cc}]+$/u, patternMeaning: 'a command on one line' });
}

/** A multicast group of IPv4 (224.0.0.0/4) or IPv6 (ff00::/8). */
export function multicastGroup(): Schema<string> {
  return text({
    maximumLength: 45,
    pattern: /^(?:(?:22[4-9]|23\d)(?:\.\d{1,3}){3}|[fF]{2}[0-9A-Fa-f:.]+)$/,
    patternMeaning: 'an IP multicast address',
  });
}

const serviceIgnored = {
  siteId: 'it is deprecated in skupper-router',
  observer: 'protocol observers only feed metrics',
  processId: 'it only labels flow records',
};

const serviceRefusals = {
  connectionsOpened: readOnly,
  connectionsClosed: readOnly,
  bytesIn: readOnly,
  bytesOut: readOnly,
};

const portRefusals = { ...serviceRefusals, operStatus: readOnly, connectionMsg: readOnly };

const clientTls = {
  sslProfile: optional(entityName(), 'sslProfile to show to clients; absent = no TLS'),
  authenticatePeer: optional(truth(), 'refuse clients without a certificate of the authorities in the sslProfile'),
} as const;

const serverTls = {
  sslProfile: optional(entityName(), 'sslProfile to speak TLS with the server; absent = no TLS'),
  verifyHostname: optional(truth(), 'whether the certificate of the server must name the host; true when absent'),
} as const;

const localHost = withDefault(host(true), '', 'local address; empty = all');
const localPort = required(port(0), 'port; 0 = any free one');
const backlog = withDefault(number(0, 65535), 0, 'queue of connections not yet accepted; 0 = the default of the system');
const serverHost = withDefault(host(false), '127.0.0.1', 'where the server is');
const serverPort = required(port(1), 'port of the server');
const serviceAddress = required(address(), 'service address (routing key)');

function clientTlsConflict(entity: { readonly sslProfile?: string; readonly authenticatePeer?: boolean }): string | undefined {
  return entity.authenticatePeer === true && entity.sslProfile === undefined ? 'authenticatePeer needs an sslProfile' : undefined;
}

export const tcpListenerTable: EntityTable<TcpListenerEntity> = {
  meaning: 'a local port whose TCP connections go to a service address',
  fields: {
    name: nameField,
    address: optional(address(), 'service address (routing key)'),
    host: localHost,
    port: localPort,
    backlog,
    multiAddressStrategy: withDefault(choice(multiAddressStrategies), 'none', 'how to choose among listenerAddress entities'),
    ...clientTls,
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: portRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (listener) => `tcpListener/${listener.host}:${listener.port}`,
  conflict: (listener) => {
    if (listener.multiAddressStrategy === 'none' && listener.address === undefined) {
      return "attribute 'address' is required (service address)";
    }
    if (listener.multiAddressStrategy !== 'none' && listener.address !== undefined) {
      return `attribute 'address' and multiAddressStrategy '${listener.multiAddressStrategy}' exclude each other`;
    }
    return clientTlsConflict(listener);
  },
};

export const tcpConnectorTable: EntityTable<TcpConnectorEntity> = {
  meaning: 'a TCP server that a service address leads to',
  fields: { name: nameField, address: serviceAddress, host: serverHost, port: serverPort, ...serverTls },
  options: { keyWord, ignored: serviceIgnored, unsupported: serviceRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (connector) => `tcpConnector/${connector.host}:${connector.port}:${connector.address}`,
};

export const listenerAddressTable: EntityTable<ListenerAddressEntity> = {
  meaning: 'one of the service addresses of a tcpListener with a multiAddressStrategy',
  fields: {
    name: nameField,
    address: required(address(), 'service address (routing key)'),
    value: required(number(0), 'priority (highest first) or weight'),
    listener: required(entityName(), 'name of the tcpListener'),
  },
  options: { keyWord, unsupported: { connectionsOpened: readOnly } },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (entity) => `listenerAddress/${entity.listener}/${entity.address}`,
};

const httpProtocol = choice(httpProtocols);

export const httpListenerTable: EntityTable<HttpListenerEntity> = {
  meaning: 'a local port whose HTTP requests go to a service address, each to a server of its own',
  fields: {
    name: nameField,
    address: serviceAddress,
    host: localHost,
    port: localPort,
    backlog,
    protocol: withDefault(httpProtocol, 'http', 'http = HTTP/1.1 and HTTP/2; http2 = HTTP/2 alone'),
    balancing: withDefault(choice(balancings), 'balanced', 'how a server is chosen for each request'),
    requestTimeoutMs: ranged('requestTimeoutMs', 'time for the whole answer, tries included; 0 = no limit'),
    tryTimeoutMs: ranged('tryTimeoutMs', 'time until a server has begun to answer; 0 = no limit'),
    headerTimeoutMs: ranged('headerTimeoutMs', 'time for the head of a request from its first octet'),
    idleTimeoutMs: ranged('idleTimeoutMs', 'a connection without request is closed after this time'),
    maxTries: ranged('maxTries', 'servers that one request is given to at most'),
    maxHeaderBytes: ranged('maxHeaderBytes', 'longest head of a request'),
    eventChannel: optional(choice(eventChannels), 'each request goes to all servers; how their answers become one'),
    ...clientTls,
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: { ...portRefusals, requests: readOnly } },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (listener) => `httpListener/${listener.host}:${listener.port}`,
  conflict: clientTlsConflict,
};

export const httpConnectorTable: EntityTable<HttpConnectorEntity> = {
  meaning: 'an HTTP server that a service address leads to',
  fields: {
    name: nameField,
    address: serviceAddress,
    host: serverHost,
    port: serverPort,
    protocol: withDefault(httpProtocol, 'http', 'http = HTTP/1.1; http2 = HTTP/2'),
    priority: ranged('priority', '0 = first choice; others get requests when those before them cannot take more'),
    overflow: ranged('overflow', 'requests under way from which on the next priority gets some, too; 0 = never'),
    maxRequests: ranged('maxRequests', 'requests under way at the server at most'),
    connectTimeoutMs: ranged('connectTimeoutMs', 'time until the server has accepted a connection'),
    activationUrl: optional(activationUrl(), 'a POST to it starts a server that is not there'),
    activationCommand: optional(activationCommand(), 'a command that starts a server that is not there'),
    activationTimeoutMs: ranged('activationTimeoutMs', 'time that requests wait for a server that is being started'),
    ...serverTls,
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: { ...serviceRefusals, requests: readOnly } },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (connector) => `httpConnector/${connector.host}:${connector.port}:${connector.address}`,
  conflict: (connector) =>
    connector.activationUrl !== undefined && connector.activationCommand !== undefined
      ? 'activationUrl and activationCommand exclude each other'
      : undefined,
};

export const amqpListenerTable: EntityTable<AmqpListenerEntity> = {
  meaning: 'a local port for clients that speak AMQP 1.0 and use addresses of the network',
  fields: {
    name: nameField,
    address: serviceAddress,
    addresses: optional(addressPatterns(), 'what clients may use: name, prefix* or *; the address alone when absent'),
    host: localHost,
    port: localPort,
    backlog,
    saslMechanisms: optional(saslMechanisms(), 'SASL mechanisms to accept: ANONYMOUS, EXTERNAL (with authenticatePeer); both when absent'),
    webSocket: withDefault(truth(), false, 'also take clients that speak AMQP over WebSocket'),
    maxFrameSize: withDefault(number(512, 1024 * 1024), 65_536, 'largest frame to receive, in bytes'),
    linkCapacity: withDefault(number(1, 65_535), 250, 'messages that a client may have under way on one link'),
    idleTimeoutMs: withDefault(number(0, longestMs), 60_000, 'a client that is silent for this time is gone; 0 = never'),
    handshakeTimeoutMs: withDefault(number(1, longestMs), 5_000, 'a client must have opened its connection within this time'),
    ...clientTls,
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: portRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (listener) => `amqpListener/${listener.host}:${listener.port}`,
  conflict: clientTlsConflict,
};

/** A node of an AMQP server. */
export function amqpNode(): Schema<string> {
  return text({ maximumLength: 512, pattern: /^[^\p{Cc}]+$/u, patternMeaning: 'the name of a queue, topic or other node' });
}

/** A file that is there when the router dials. */
export function passwordFile(): Schema<string> {
  return text({ maximumLength: 4096, pattern: /^\//, patternMeaning: 'the absolute path of a file with the password alone' });
}

export const amqpConnectorTable: EntityTable<AmqpConnectorEntity> = {
  meaning: 'a node of an AMQP server, such as a queue of a broker, that takes the messages of a service address or sends to it',
  fields: {
    name: nameField,
    address: serviceAddress,
    host: serverHost,
    port: serverPort,
    node: optional(amqpNode(), 'queue, topic or other node of the server; the address when absent'),
    direction: withDefault(choice(amqpDirections), 'to-server', 'which way the messages go'),
    saslUsername: optional(text({ maximumLength: 256 }), 'user name for PLAIN; without it EXTERNAL with TLS, or ANONYMOUS'),
    saslPasswordFile: optional(passwordFile(), 'file with the password for PLAIN'),
    maxFrameSize: withDefault(number(512, 1024 * 1024), 65_536, 'largest frame to receive, in bytes'),
    linkCapacity: withDefault(number(1, 65_535), 250, 'messages that the server may have under way'),
    idleTimeoutMs: withDefault(number(0, longestMs), 60_000, 'a server that is silent for this time is gone; 0 = never'),
    ...serverTls,
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: serviceRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (connector) => `amqpConnector/${connector.host}:${connector.port}:${connector.address}`,
};

const udpFields = {
  idleTimeoutMs: ranged('flowTimeoutMs', 'a flow between a client and a server ends after this time without datagrams'),
  maxDatagramBytes: ranged('maxDatagramBytes', 'longer datagrams are dropped'),
} as const;

export const udpListenerTable: EntityTable<UdpListenerEntity> = {
  meaning: 'a local UDP port whose datagrams go to a service address',
  fields: {
    name: nameField,
    address: serviceAddress,
    host: localHost,
    port: localPort,
    ...udpFields,
    multicastGroup: optional(multicastGroup(), 'IP multicast group to receive from'),
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: portRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (listener) => `udpListener/${listener.host}:${listener.port}`,
};

export const udpConnectorTable: EntityTable<UdpConnectorEntity> = {
  meaning: 'a UDP server that a service address leads to',
  fields: {
    name: nameField,
    address: serviceAddress,
    host: serverHost,
    port: serverPort,
    ...udpFields,
    multicastGroup: optional(multicastGroup(), 'IP multicast group to send to'),
  },
  options: { keyWord, ignored: serviceIgnored, unsupported: serviceRefusals },
  updatable: [],
  countLimit: serviceCountLimit,
  defaultName: (connector) => `udpConnector/${connector.host}:${connector.port}:${connector.address}`,
};
