/** The network as an observer sees it at one time, as plain JSON: what its REST interface, the console and the CLI show. */
export interface NetworkSnapshot {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly networkId: string | null;
  /** Over what time the golden metrics are. */
  readonly windowMs: number;
  readonly sites: readonly SiteRow[];
  readonly links: readonly LinkRow[];
  readonly services: readonly ServiceRow[];
  readonly edges: readonly EdgeRow[];
  readonly warnings: readonly WarningRow[];
  /** Single requests and connections that routers did not record, in the window. */
  readonly droppedFlows: number;
}

/** Success, rate and latency of some traffic in a window. */
export interface Golden {
  /** Of requests that ended; null when none did. 0 to 1. */
  readonly successRatio: number | null;
  /** Requests, or connections opened. */
  readonly perSecond: number;
  /** To the first byte; null without traffic. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Under way now. */
  readonly open: number;
  readonly bytesFromClientPerSecond: number;
  readonly bytesToClientPerSecond: number;
  readonly retriesPerSecond: number;
}

export interface SiteRow {
  /** Router id. */
  readonly id: string;
  readonly name: string;
  readonly platform: string | null;
  readonly version: string | null;
  readonly location: string | null;
  readonly namespace: string | null;
  /** Seen from the observer's site. */
  readonly relation: 'self' | 'direct' | 'indirect';
  readonly nextHop: string | null;
  readonly cost: number;
  readonly trust: string;
  readonly advertise: readonly string[] | null;
  readonly consume: readonly string[] | null;
  /** `silent`: routing knows it, and it tells no records. */
  readonly state: 'up' | 'silent';
  readonly certificateEndsMs: number | null;
  readonly membershipEndsMs: number | null;
  /** Of clients at this site, and of servers at this site. */
  readonly outbound: Golden;
  readonly inbound: Golden;
}

export interface LinkRow {
  readonly id: string;
  readonly name: string;
  /** Router ids. `from` is the site that dialled, where that is known. */
  readonly from: string;
  readonly to: string;
  readonly fromName: string;
  readonly toName: string;
  readonly directionKnown: boolean;
  readonly cost: number;
  readonly state: 'up' | 'down';
  readonly roundTripMs: number | null;
  readonly lossRatio: number | null;
  readonly upSinceMs: number | null;
  readonly downCount: number;
  /** From `from` to `to`, and back. */
  readonly bytesPerSecond: number;
  readonly bytesReversePerSecond: number;
}

export interface ServiceRow {
  readonly address: string;
  readonly protocols: readonly string[];
  readonly distribution: string;
  readonly listeners: readonly ListenerRow[];
  readonly servers: readonly ServerRow[];
  readonly golden: Golden;
}

export interface ListenerRow {
  readonly siteId: string;
  readonly siteName: string;
  readonly name: string;
  readonly host: string;
  readonly port: string;
  readonly golden: Golden;
}

export interface ServerRow {
  readonly siteId: string;
  readonly siteName: string;
  /** Name of the connector. */
  readonly connector: string;
  readonly host: string;
  readonly port: string;
  /** Part of the service's requests that went here, 0 to 1; null without traffic. */
  readonly share: number | null;
  readonly golden: Golden;
}

/** Who talks to whom. */
export interface EdgeRow {
  readonly sourceId: string;
  readonly sourceName: string;
  readonly destId: string;
  readonly destName: string;
  readonly address: string;
  readonly protocol: string;
  /** How the way between the sites is secured: all links of it with both certificates, or some without, or none because both are one site. */
  readonly secured: 'mutual-tls' | 'partly' | 'local';
  readonly golden: Golden;
}

export interface WarningRow {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly title: string;
  readonly text: string;
  readonly remedy: string | null;
  readonly siteName: string;
}

/** One request or connection, of both ends. */
export interface RequestRow {
  readonly id: string;
  readonly kind: 'request' | 'connection';
  readonly startMs: number;
  readonly ended: boolean;
  readonly address: string;
  readonly protocol: string;
  readonly method: string | null;
  readonly path: string | null;
  readonly authority: string | null;
  readonly requestId: string | null;
  readonly status: number | null;
  readonly grpcStatus: number | null;
  /** Code of the network's own error. */
  readonly error: string | null;
  readonly sourceSite: string;
  /** Address and port of the client. */
  readonly client: string;
  readonly destSite: string | null;
  /** The server's connector, and its host and port. */
  readonly connector: string | null;
  readonly server: string | null;
  /** Routers between the two ends, both included. */
  readonly trace: readonly string[];
  readonly tries: number;
  readonly bytesFromClient: number;
  readonly bytesToClient: number;
  readonly durationMs: number | null;
  readonly firstByteMs: number | null;
  /** The parts of `firstByteMs`: choice of a server, both ways through the network, waiting for a connection, the server. */
  readonly choiceMs: number | null;
  readonly networkMs: number | null;
  readonly connectMs: number | null;
  readonly serverMs: number | null;
}

/** The waterfall of one request. */
export interface RequestTrace {
  readonly request: RequestRow;
  readonly spans: readonly TraceSpan[];
}

export interface TraceSpan {
  readonly site: string;
  readonly what: string;
  /** From the head of the request. */
  readonly startMs: number;
  readonly durationMs: number;
  /** Measured, or divided by the round trips of the links. */
  readonly basis: 'measured' | 'estimated';
}

/** Rows of `van stat`. */
export interface StatReport {
  readonly windowMs: number;
  /** Less than the window when the observer has not seen it all. */
  readonly coveredMs: number;
  readonly kind: 'service' | 'site' | 'server';
  readonly rows: readonly StatRow[];
  /** Single requests and connections that routers did not record in the window, as far as the observer has run: rows count them all the same. */
  readonly droppedFlows: number;
  /** The same since the observer began. */
  readonly droppedSinceStart: number;
}

export interface StatRow {
  readonly name: string;
  /** What it belongs to: the service of a server; empty otherwise. */
  readonly of: string;
  readonly golden: Golden;
}
