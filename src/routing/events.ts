import { BoundedQueue } from './bounded-queue.ts';
import { limits } from './limits.ts';

/** Why a message was not used. Each is counted; the first, second, fourth, eighth ... occurrence is also an event. */
export type IgnoredReason =
  | 'unknown link'
  | 'not a routing address'
  | 'malformed body'
  | 'unknown opcode'
  | 'unknown router'
  | 'wrong peer on link'
  | 'loop'
  | 'too far'
  | 'too many'
  | 'no route'
  | 'stale'
  | 'malformed address';

/** `link lost`: the connection ended. `silent`: it stands, but no HELLO has come that hears this router. */
export type NeighbourLoss = 'link lost' | 'silent';

/** What a neighbour that signs did wrong. */
export type ViolationReason = 'malformed record' | 'forged record' | 'credential refused';

/** What of a router's signed state is bounded. */
export type OriginQuotaKind = 'bytes' | 'slots' | 'neighbours' | 'updates';

/** What happened in the control plane, for logs and status. */
export type RoutingEvent =
  | { readonly type: 'neighbourUp'; readonly routerId: string; readonly link: number; readonly cost: number }
  /** The neighbour is reached by another of its links now. */
  | { readonly type: 'neighbourLinkChanged'; readonly routerId: string; readonly link: number; readonly cost: number }
  | { readonly type: 'neighbourDown'; readonly routerId: string; readonly link: number; readonly reason: NeighbourLoss }
  /** Nothing has come on a link for so long that its connection is dead: the owner closes it, and dials anew if it is the one to dial. */
  | { readonly type: 'linkDead'; readonly routerId: string; readonly link: number }
  | { readonly type: 'routerReachable'; readonly routerId: string; readonly cost: number; readonly hops: number; readonly nextHop: string }
  | { readonly type: 'routerUnreachable'; readonly routerId: string }
  /** As the two above, for so many routers at once that they are not told one by one. */
  | { readonly type: 'reachabilityChanged'; readonly reachable: number; readonly unreachable: number }
  | { readonly type: 'routerRestarted'; readonly routerId: string; readonly instance: number }
  | { readonly type: 'routerForgotten'; readonly routerId: string }
  /** Another router uses this router's id. `link` is where its message came in. Once per instance of the other. */
  | { readonly type: 'duplicateRouterId'; readonly routerId: string; readonly link: number; readonly instance: number }
  /** Two other routers use one id: their instances come in turns. Routes to either cannot be relied upon. Once per id. */
  | { readonly type: 'doubleRouter'; readonly routerId: string; readonly instance: number; readonly other: number }
  /** A router speaks a newer version of the protocol; its messages of that kind are not understood. Once per router. */
  | { readonly type: 'ignoredVersion'; readonly routerId: string; readonly opcode: string; readonly version: number }
  | {
      readonly type: 'ignoredMessage';
      readonly reason: IgnoredReason;
      readonly link: number;
      readonly opcode: string;
      readonly count: number;
    }
  /**
   * A neighbour that signs has sent what cannot have come from an honest router. The owner closes the link with
   * amqp:unauthorized-access and lets this router in again only after a while.
   */
  | { readonly type: 'violation'; readonly routerId: string; readonly link: number; readonly reason: ViolationReason }
  /** A router announces an address, or sends to one, that its credential does not grant. Once per router and address; of many of one router few. */
  | {
      readonly type: 'grantViolation';
      readonly routerId: string;
      readonly siteName: string;
      readonly address: string;
      readonly right: 'advertise' | 'consume';
    }
  /**
   * The network holds a record of this router with an epoch as high as its own or higher. The owner persists an epoch above `above`,
   * then calls `newEpoch`.
   */
  | { readonly type: 'epochNeeded'; readonly above: number }
  /** Another process signs with this router's identity. Once. */
  | { readonly type: 'identityConflict'; readonly routerId: string; readonly nonce: string; readonly otherNonce: string }
  /** As above, and the other one goes on: this router has withdrawn its addresses. The owner closes its links. */
  | { readonly type: 'fenced'; readonly routerId: string; readonly reason: string }
  /** A router that signs is over one of its quotas: what goes beyond is left out or comes later. The first, second, fourth ... time. */
  | { readonly type: 'originOverQuota'; readonly routerId: string; readonly quota: OriginQuotaKind; readonly count: number }
  /** A router that does not sign is not believed: signatures are required, or there is no room for more of its kind. Once per router or neighbour's link; -1
   * for a router that is no neighbour. */
  | { readonly type: 'unsignedRefused'; readonly routerId: string; readonly link: number; readonly isNeighbour: boolean }
  /** Unsigned content in the name of a router that signs. The first, second, fourth ... time. */
  | { readonly type: 'spoofRefused'; readonly routerId: string; readonly link: number; readonly opcode: string; readonly count: number }
  /** A statement of an issuer, come from another router, holds. */
  | { readonly type: 'statementAccepted'; readonly bytes: Uint8Array }
  /** What was known of a router is dropped: its credential does not hold any more. */
  | { readonly type: 'credentialRefused'; readonly routerId: string }
  /** Something was left out because a table is full. The first, second, fourth ... time. */
  | { readonly type: 'limitReached'; readonly limit: string; readonly routerId: string; readonly count: number };

/** What has been counted since the start. */
export interface DiagnosticCounters {
  readonly ignored: ReadonlyMap<IgnoredReason, number>;
  readonly limits: ReadonlyMap<string, number>;
  /** Signed records that were not used, by reason. */
  readonly refusedRecords: ReadonlyMap<string, number>;
  readonly eventsLost: number;
}

/** Events waiting for the owner, and counters of what was ignored. */
export class RoutingDiagnostics {
  readonly #events = new BoundedQueue<RoutingEvent>(limits.queuedEvents);
  readonly #ignored = new Map<IgnoredReason, number>();
  readonly #limits = new Map<string, number>();
  readonly #perRouter = new Map<string, number>();
  readonly #refusedRecords = new Map<string, number>();

  emit(event: RoutingEvent): void {
    this.#events.push(event);
  }

  next(): RoutingEvent | undefined {
    return this.#events.shift();
  }

  ignored(reason: IgnoredReason, link: number, opcode: string): void {
    const count = (this.#ignored.get(reason) ?? 0) + 1;
    this.#ignored.set(reason, count);
    if (isPowerOfTwo(count)) this.emit({ type: 'ignoredMessage', reason, link, opcode: opcode.slice(0, 16), count });
  }

  /** A router that signs is over a quota. */
  originOverQuota(routerId: string, quota: OriginQuotaKind): void {
    const count = this.#count(`${quota} of ${routerId}`);
    if (isPowerOfTwo(count)) this.emit({ type: 'originOverQuota', routerId, quota, count });
  }

  /** Unsigned content in the name of a router that signs. */
  spoofRefused(routerId: string, link: number, opcode: string): void {
    const count = this.#count(`spoof of ${routerId}`);
    if (isPowerOfTwo(count)) this.emit({ type: 'spoofRefused', routerId, link, opcode, count });
  }

  /** Counts what is reported per router; of more routers than there can be the counts begin anew. */
  #count(what: string): number {
    const count = (this.#perRouter.get(what) ?? 0) + 1;
    if (this.#perRouter.size >= limits.signedRouters) this.#perRouter.clear();
    this.#perRouter.set(what, count);
    return count;
  }

  /** A router that does not sign is not believed. */
  unsignedRefused(routerId: string): void {
    if (this.#count(`unsigned ${routerId}`) > 1) return;
    // Names cost nothing.
    const names = this.#count('unsigned in all');
    if (names <= limits.unsignedRouters || isPowerOfTwo(names))
      this.emit({ type: 'unsignedRefused', routerId, link: -1, isNeighbour: false });
  }

  /** A record was not used. */
  refusedRecord(reason: string): void {
    this.#refusedRecords.set(reason, (this.#refusedRecords.get(reason) ?? 0) + 1);
  }

  limitReached(limit: keyof typeof limits, routerId: string): void {
    const count = (this.#limits.get(limit) ?? 0) + 1;
    this.#limits.set(limit, count);
    if (isPowerOfTwo(count)) this.emit({ type: 'limitReached', limit, routerId, count });
  }

  /** How often each reason and each limit occurred, and how many events were lost because nobody took them. */
  counters(): DiagnosticCounters {
    return {
      ignored: new Map(this.#ignored),
      limits: new Map(this.#limits),
      refusedRecords: new Map(this.#refusedRecords),
      eventsLost: this.#events.refused,
    };
  }
}

/** Of what happens without end only the first, second, fourth ... time is told. */
export function isPowerOfTwo(count: number): boolean {
  return Math.log2(count) % 1 === 0;
}
