import type { ConnectorState } from '../management/operational-entities.ts';
import type { ReportedResource } from './status.ts';

/** What is seen of a running site when its health is judged. The rules have no clock and ask nobody. */
export interface HealthObservation {
  readonly wallMs: number;
  /** A time of the wall clock as RFC 3339 text. */
  readonly timeText: (wallMs: number) => string;
  /** How to call the command line for this site: `van -n east`. */
  readonly van: string;
  readonly site: { readonly name: string; readonly routerId: string; readonly version: string };
  /** As status shows them. */
  readonly resources: readonly ReportedResource[];
  /** Why the router is not as the resources say. */
  readonly failure: Problem | undefined;
  /** Keys of the resources that have no part in the configuration: not granted, or contradicting others. */
  readonly withheld: ReadonlySet<string>;
  /** Changes that the router refused, by entity: `listener/link-access`. */
  readonly refusals: ReadonlyMap<string, string>;
  /** States of the router's connectors by name. */
  readonly connectors: ReadonlyMap<string, ConnectorState>;
  /** Sites that can be reached, this one included. */
  readonly sites: readonly SeenSite[];
  /** Links that only one of two reachable routers reports. */
  readonly oneSided: readonly OneSidedLink[];
  readonly services: readonly SeenService[];
  readonly trust: SeenTrust;
  /** Clocks of others, as they told when their link came up. */
  readonly clocks: readonly SeenClock[];
  /** Events of the last minutes that somebody should look at. */
  readonly events: readonly SeenEvent[];
  /** Limits of routing that were met in the last minutes, and how often. */
  readonly limits: readonly { readonly limit: string; readonly count: number }[];
  /** Sites that were part of the network a while ago and are not now. */
  readonly lost: readonly { readonly routerId: string; readonly name: string; readonly lastSeenMs: number }[];
  /** Neighbours whose connection was lost in the last minutes, and how often. */
  readonly losses: readonly { readonly routerId: string; readonly name: string; readonly count: number }[];
  /** Starts in the last hour after an end that nobody asked for. */
  readonly unexpectedStarts: number;
  /** Why the observer that the site is to run does not; undefined when it does, or there is to be none. */
  readonly observerFailure?: string | undefined;
  readonly audit: { readonly lost: number; readonly failure: Problem | undefined };
  /** What `van check` tried out; undefined outside of it. */
  readonly probes: SeenProbes | undefined;
}

export interface Problem {
  readonly code: string;
  readonly text: string;
}

export interface SeenSite {
  readonly routerId: string;
  readonly name: string;
  readonly version: string | null;
  readonly relation: 'self' | 'direct' | 'indirect';
  readonly signed: boolean;
  /** Its neighbours, as it says. */
  readonly peers: readonly { readonly routerId: string; readonly name: string }[];
}

export interface OneSidedLink {
  /** Router id of the end that reports it. */
  readonly from: string;
  readonly to: string;
  /** How long it has been seen so. While a link comes up one end is always the first. */
  readonly sinceMs: number;
}

export interface SeenService {
  readonly routingKey: string;
  /** How many reachable sites offer it. */
  readonly connectors: number;
  /** How many listeners this site has for it. */
  readonly localListeners: number;
  /** Types of its listeners and connectors, as far as sites tell. */
  readonly types: readonly string[];
  /** Whether a resource of this site has it. */
  readonly isOwn: boolean;
}

export interface SeenTrust {
  readonly networkId: string | undefined;
  readonly leafExpiresAtMs: number | undefined;
  readonly renewalDueAtMs: number | undefined;
  readonly membershipEndsAtMs: number | undefined;
  /** By whom this site was revoked and when, as text. */
  readonly revoked: string | undefined;
  readonly isFenced: boolean;
  /** Whether what the site says is signed; undefined in no network. */
  readonly isSigning: boolean | undefined;
  /** Other sites that are revoked. */
  readonly revokedSites: readonly { readonly routerId: string; readonly name: string; readonly text: string }[];
}

export interface SeenClock {
  readonly routerId: string;
  readonly name: string;
  /** Its clock minus this one's, in milliseconds. */
  readonly aheadMs: number;
  /** How exact that is: the time that the answer was under way, and the unit in which it was told. */
  readonly uncertaintyMs: number;
}

export interface SeenEvent {
  readonly kind: 'identity-conflict' | 'router-quarantined' | 'routing-refused' | 'grant-violation' | 'link-refused';
  /** The router or place it is about; empty when nobody knows. */
  readonly about: string;
  readonly count: number;
  /** What is known of it, as text. */
  readonly evidence: string;
}

export interface SeenProbes {
  readonly links: readonly LinkProbe[];
  readonly servers: readonly ServerProbe[];
  readonly neighbours: readonly NeighbourProbe[];
}

/** What the router at the other end of a link says of it. */
export interface NeighbourProbe {
  readonly routerId: string;
  readonly name: string;
  /** `silent`: nothing came back in time. `unable`: it is a router that does not tell, of another kind or an older version. */
  readonly outcome: 'answered' | 'silent' | 'unable';
  /** Of the question and its answer; null without one. */
  readonly roundTripMs: number | null;
  /** How long the link has been up here. */
  readonly uptimeMs: number;
  /** Cost of the link in use, as routing has it here and there; undefined at an end that uses none. */
  readonly costHere: number | undefined;
  readonly costThere: number | undefined;
  /** What the neighbour holds of this site's identity: signed, certified or unsigned; undefined when it does not say. */
  readonly trust: string | undefined;
  readonly clock: SeenClock | undefined;
}

/** One endpoint of a Link that was tried from here. */
export interface LinkProbe {
  /** Name of the Link. */
  readonly link: string;
  /** `host:port`. */
  readonly place: string;
  readonly outcome: 'reached' | 'unreachable' | 'not-proven';
  /** Why not; or who answered, and after how long. */
  readonly evidence: string;
  /** Router id that the peer has proven. */
  readonly routerId: string | undefined;
  readonly clock: SeenClock | undefined;
}

/** The server of a Connector that was tried from here. */
export interface ServerProbe {
  readonly connector: string;
  readonly place: string;
  /** Why it cannot be reached; empty when it can. */
  readonly failure: string;
}
