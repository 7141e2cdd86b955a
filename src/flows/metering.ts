/**
 * The joint between services and flow records. A service is given a `TrafficMeter` and looks at `active` first: while nobody listens, that
 * is all that records cost.
 */
export interface TrafficMeter {
  /** Somebody in the network collects records. */
  readonly active: boolean;
  /** Sums of what goes to one server; kept by the caller as long as `isCurrent`. With too many of them, one for the rest. */
  series(destination: TrafficDestination): TrafficSeries;
  /**
   * A record of the single request or connection that begins now. Undefined when nobody wants any, or when there are more than the
   * router may make: those are counted and told.
   */
  begin(start: FlowStart): FlowDetail | undefined;
}

export interface TrafficDestination {
  readonly address: string;
  /** Id of the router where the server is; empty when that is not known. */
  readonly routerId: string;
  /** The server's id at its router; empty when that is not known, or where the router chooses. */
  readonly server: string;
}

/** Sums of one listener and one server. Nothing here allocates. */
export interface TrafficSeries {
  /** False when nobody listened meanwhile and the sums started anew: ask the meter again. */
  readonly isCurrent: boolean;
  /** A request, connection or flow begins; `ended`, or `retried`, follows. */
  opened(): void;
  /** A connection or flow is under way that began before anybody listened: it is open, and does not count as opened. */
  resumed(): void;
  /** `firstByteMicroseconds` is negative when there was no answer. Octets are of bodies, from the client and to it. */
  ended(outcome: TrafficOutcome): void;
  /** Octets of connections and flows that go on, since the last call. */
  octets(fromClient: number, toClient: number): void;
  /** A request leaves this server without an outcome, and goes to another. */
  retried(): void;
}

/** One object is filled again and again by each meter's user. */
export interface TrafficOutcome {
  success: boolean;
  /** Status of HTTP; 0 for connections and flows. */
  status: number;
  method: string;
  firstByteMicroseconds: number;
  fromClient: number;
  toClient: number;
}

export interface FlowStart {
  readonly kind: 'connection' | 'request';
  readonly startWallMicroseconds: number;
  /** Identity of the record of the connection that a request came by, if that is recorded. */
  readonly parent?: string | undefined;
}

/** The record of one request or connection, made by the router where the client is. */
export interface FlowDetail {
  /** `<source>:<number>`; the correlation id of the message, so that the server's router knows the record it adds to. */
  readonly identity: string;
  set(attribute: number, value: number | string): void;
  /** Tells what is known so far, for connections that stay open. */
  update(): void;
  end(endWallMicroseconds: number): void;
}

/** What the server's router adds to records of single requests and connections. */
export interface FlowSupplement {
  readonly active: boolean;
  /** Whether a correlation id is the identity of a record that is wanted. */
  wants(correlationId: string | null): boolean;
  add(identity: string, attributes: ReadonlyMap<number, number | string>): void;
}
