/** What a running router answers about itself: the rows of QUERY and the bodies of READ, by entity type. Times are seconds. */

export interface RouterRow {
  readonly id: string;
  readonly mode: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly linkCount: number;
  readonly nodeCount: number;
  readonly addressCount: number;
  readonly connectionCount: number;
  /** How often it has computed the ways through the network since its start. */
  readonly pathComputations: number;
  /** Messages from neighbours and to them since its start: for TCP services one in each direction of a connection. */
  readonly incomingDeliveries: DeliveryCountsRow;
  readonly outgoingDeliveries: DeliveryCountsRow;
}

/** Messages by how they ended. `begun` is the sum of all others. */
export interface DeliveryCountsRow {
  readonly begun: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly released: number;
  readonly modified: number;
  /** Whose sender wanted no outcome, or could not hear it any more. */
  readonly forgotten: number;
  /** Taken back by the sender, or cut off. */
  readonly aborted: number;
  /** Under way. */
  readonly inFlight: number;
}

/** A router of the network as this one sees it. */
export interface RouterNodeRow {
  readonly id: string;
  /** Id of the neighbour that traffic to it goes through; null when it is this router or a neighbour. */
  readonly nextHop: string | null;
  /** Sum of the link costs of the path; 0 for this router. */
  readonly cost: number;
  /** Boot time of that router in seconds since 1970, as it says. */
  readonly instance: number;
  /** Its neighbours and the costs of the links to them. */
  readonly linkState: Readonly<Record<string, number>>;
  /** Whether a certificate of its network proves its id. Nothing proves a skupper-router's. */
  readonly signed: boolean;
  /**
   * `signed`: what it says is verified with a key that its membership certifies. `certified`: a TLS certificate of its network proves its id,
   * at its neighbours. `unsigned`: nothing does.
   */
  readonly trust: 'signed' | 'certified' | 'unsigned';
  /** Address patterns that it may announce and send to; null when it does not sign. */
  readonly advertise: readonly string[] | null;
  readonly consume: readonly string[] | null;
  /** What that router says about its site. */
  readonly site: Readonly<Record<string, unknown>>;
}

export interface AddressRow {
  /** Class letter and address, such as `Mbackend`. */
  readonly key: string;
  readonly name: string;
  readonly distribution: string;
  /** Consumers at this router. */
  readonly subscriberCount: number;
  /** Ids of other routers that have consumers. */
  readonly remoteRouters: readonly string[];
  /** Messages (for TCP services: connections) sent from here over links to consumers elsewhere and not settled yet. */
  readonly outstanding: number;
}

export interface ConnectionRow {
  readonly identity: string;
  /** Container id of the peer; a router's id. */
  readonly container: string;
  readonly role: string;
  readonly direction: 'in' | 'out';
  /** Address and port of the peer. */
  readonly host: string;
  /** Name of the connector or listener it belongs to. */
  readonly owner: string;
  readonly tlsVersion: string | null;
  readonly user: string | null;
  readonly uptimeSeconds: number;
}

export type ConnectorStatus = 'CONNECTING' | 'SUCCESS' | 'FAILED';

/** Beside the attributes of the connector itself. */
export interface ConnectorState {
  readonly name: string;
  readonly connectionStatus: ConnectorStatus;
  /** Why it is not connected; empty when it is. */
  readonly connectionMsg: string;
  /** Router id of the peer once connected. */
  readonly remoteContainer: string | null;
}

/** Beside the attributes of the listener itself, for links or of a service. */
export interface ListenerState {
  readonly name: string;
  readonly operStatus: 'up' | 'down';
  /** The port in use, which matters when 0 was asked for; 0 while down. */
  readonly boundPort: number;
  /** Why it cannot listen; empty when there is nothing wrong. */
  readonly connectionMsg: string;
}

/** Connections and octets of a service since it was created; of UDP services the flows between a client and a server. */
export interface ServiceCounters {
  readonly connectionsOpened: number;
  readonly connectionsClosed: number;
  /** From clients to servers. */
  readonly bytesIn: number;
  /** From servers to clients. */
  readonly bytesOut: number;
}

/** Requests of an HTTP service since it was created. */
export interface RequestCounters {
  readonly requests: number;
  /** Those that got no answer of a server: the network made one, or the answer broke off. */
  readonly requestsFailed: number;
}

/** Datagrams of a UDP service since it was created. */
export interface DatagramCounters {
  /** From clients to servers. */
  readonly datagramsIn: number;
  /** From servers to clients. */
  readonly datagramsOut: number;
  /** Those that were dropped here, by reason. */
  readonly datagramsDropped: Readonly<Record<string, number>>;
}
