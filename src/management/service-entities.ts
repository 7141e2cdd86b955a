/** The entities of services: ports for clients, and servers that addresses lead to. Names, hosts and ports as in all entities. */

export const multiAddressStrategies = ['none', 'priority', 'weighted'] as const;
export type MultiAddressStrategy = (typeof multiAddressStrategies)[number];

/** `http`: HTTP/1.1 and HTTP/2 as the other end likes. `http2`: HTTP/2 alone. */
export const httpProtocols = ['http', 'http2'] as const;
export type HttpProtocol = (typeof httpProtocols)[number];

/** How a server is chosen for each request. */
export const balancings = ['balanced', 'peak-ewma', 'round-robin', 'closest'] as const;
export type Balancing = (typeof balancings)[number];

/** How the answers of all servers of a multicast address become one. */
export const eventChannels = ['json', 'multipart'] as const;
export type EventChannel = (typeof eventChannels)[number];

/** TLS towards clients. */
interface ClientTls {
  /** Absent = no TLS. */
  readonly sslProfile?: string;
  /** Clients must show a certificate of the profile's authorities. */
  readonly authenticatePeer?: boolean;
}

/** TLS towards a server. A certificate of the profile, if it has one, is shown to the server. */
interface ServerTls {
  /** Absent = no TLS. */
  readonly sslProfile?: string;
  /** False = the certificate of the server need not name the host. */
  readonly verifyHostname?: boolean;
}

export interface TcpListenerEntity extends ClientTls {
  readonly type: 'tcpListener';
  readonly name: string;
  /** Absent exactly when multiAddressStrategy is not `none`: then listenerAddress entities say the addresses. */
  readonly address?: string;
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  readonly multiAddressStrategy: MultiAddressStrategy;
}

export interface TcpConnectorEntity extends ServerTls {
  readonly type: 'tcpConnector';
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
}

export interface ListenerAddressEntity {
  readonly type: 'listenerAddress';
  readonly name: string;
  readonly address: string;
  /** Priority (the highest reachable wins) or weight, as the listener's strategy says. */
  readonly value: number;
  readonly listener: string;
}

export interface HttpListenerEntity extends ClientTls {
  readonly type: 'httpListener';
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  readonly protocol: HttpProtocol;
  readonly balancing: Balancing;
  /** For the whole answer, tries included; 0 = without end. */
  readonly requestTimeoutMs: number;
  /** For the head of the answer of one server; 0 = without end. */
  readonly tryTimeoutMs: number;
  /** For the head of a request, from its first octet. */
  readonly headerTimeoutMs: number;
  /** A connection without request is closed after this time. */
  readonly idleTimeoutMs: number;
  readonly maxTries: number;
  readonly maxHeaderBytes: number;
  /** Set: a request goes to every server of the address, and their answers are gathered like this. */
  readonly eventChannel?: EventChannel;
}

export interface HttpConnectorEntity extends ServerTls {
  readonly type: 'httpConnector';
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly protocol: HttpProtocol;
  /** Servers of priority 0 get requests first, then those of 1, and so on. */
  readonly priority: number;
  /** Requests under way from which on servers of lower priority get some, too; 0 = never. */
  readonly overflow: number;
  /** Requests under way at the server at most. */
  readonly maxRequests: number;
  readonly connectTimeoutMs: number;
  /** What starts a server that is not there: a POST to this URL, or this command. */
  readonly activationUrl?: string;
  readonly activationCommand?: string;
  /** Requests wait this long for the server to be there. */
  readonly activationTimeoutMs: number;
}

interface UdpService {
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** A flow between a client and a server ends after this time without datagrams. */
  readonly idleTimeoutMs: number;
  readonly maxDatagramBytes: number;
  /** IP multicast group to receive from (listener) or send to (connector). */
  readonly multicastGroup?: string;
}

export interface UdpListenerEntity extends UdpService {
  readonly type: 'udpListener';
}

export interface UdpConnectorEntity extends UdpService {
  readonly type: 'udpConnector';
}

export interface AmqpListenerEntity extends ClientTls {
  readonly type: 'amqpListener';
  readonly name: string;
  /** What its clients are there for: shown, and what they may use when `addresses` does not say more. */
  readonly address: string;
  /** What its clients may use: `name`, `prefix*` or `*`, separated by blanks or commas. */
  readonly addresses?: string;
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  readonly saslMechanisms?: string;
  /** Also takes clients that speak AMQP over WebSocket. */
  readonly webSocket: boolean;
  readonly maxFrameSize: number;
  /** Messages that a client may have under way on one link. */
  readonly linkCapacity: number;
  readonly idleTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
}

export interface AmqpConnectorEntity {
  readonly type: 'amqpConnector';
  readonly name: string;
  readonly address: string;
  readonly host: string;
  readonly port: number;
  /** Queue, topic or other node of the server; the address when absent. */
  readonly node?: string;
  readonly direction: AmqpDirection;
  /** For PLAIN; without it, EXTERNAL with TLS, or ANONYMOUS. */
  readonly saslUsername?: string;
  readonly saslPasswordFile?: string;
  readonly maxFrameSize: number;
  /** Messages that the server may have under way. */
  readonly linkCapacity: number;
  readonly idleTimeoutMs: number;
  readonly sslProfile?: string;
  readonly verifyHostname?: boolean;
}

/** Which way messages go between an AMQP server and the network. */
export const amqpDirections = ['to-server', 'from-server'] as const;
export type AmqpDirection = (typeof amqpDirections)[number];

/** Ports for clients of services. */
export type ServiceListenerEntity = TcpListenerEntity | HttpListenerEntity | UdpListenerEntity | AmqpListenerEntity;
/** Servers of services. */
export type ServiceConnectorEntity = TcpConnectorEntity | HttpConnectorEntity | UdpConnectorEntity | AmqpConnectorEntity;

export const serviceListenerTypes = ['tcpListener', 'httpListener', 'udpListener', 'amqpListener'] as const;
export const serviceConnectorTypes = ['tcpConnector', 'httpConnector', 'udpConnector', 'amqpConnector'] as const;

export function isServiceListener(entity: { readonly type: string }): entity is ServiceListenerEntity {
  return (serviceListenerTypes as readonly string[]).includes(entity.type);
}

export function isServiceConnector(entity: { readonly type: string }): entity is ServiceConnectorEntity {
  return (serviceConnectorTypes as readonly string[]).includes(entity.type);
}
