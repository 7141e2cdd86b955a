import type { Random } from '../../base/random.ts';
import { BalancedServer } from './balanced-server.ts';
import type { ServerView } from './balanced-server.ts';

export const balancingPolicies = ['balanced', 'peak-ewma', 'round-robin', 'closest'] as const;
/**
 * - `balanced`: least backlog plus cost of the path.
 * - `peak-ewma`: of two at random, the one with the less time to answer times backlog.
 * - `round-robin`: each in turn.
 * - `closest`: least cost of the path, among equals the least backlog.
 */
export type BalancingPolicy = (typeof balancingPolicies)[number];

/** Servers of one address that are known; more are not used. Each choice looks at all of them. */
export const maxServers = 4_096;

/**
 * The servers of one address, and the choice among them. Those that are ready, not ejected, not full and not tried before take part; of
 * these the first priority, and the next ones as well while all before them overflow.
 */
export class ServerSet {
  readonly #policy: BalancingPolicy;
  readonly #random: Random;
  readonly #servers: BalancedServer[] = [];
  /** Where the next search begins, so that equals take turns. */
  #turn = 0;
  /** Taking part in the present choice. */
  readonly #candidates: BalancedServer[] = [];

  constructor(policy: BalancingPolicy, random: Random) {
    this.#policy = policy;
    this.#random = random;
  }

  get servers(): readonly BalancedServer[] {
    return this.#servers;
  }

  /** What a router offers, in place of what it offered before; what is known of servers that stay is kept. */
  update(routerId: string, cost: number, views: readonly ServerView[]): void {
    const offered = new Map(views.map((view) => [view.id, view]));
    this.#retain((server) => {
      if (server.routerId !== routerId) return true;
      const view = offered.get(server.id);
      if (view === undefined) return false;
      offered.delete(server.id);
      server.view = view;
      server.cost = cost;
      return true;
    });
    for (const view of offered.values()) {
      if (this.#servers.length >= maxServers) return;
      this.#servers.push(new BalancedServer(routerId, view, cost, this.#random));
    }
  }

  /** The router is out of reach, or offers nothing. */
  remove(routerId: string): void {
    this.#retain((server) => server.routerId !== routerId);
  }

  #retain(keep: (server: BalancedServer) => boolean): void {
    let kept = 0;
    for (const server of this.#servers) {
      if (keep(server)) this.#servers[kept++] = server;
      else server.gone = true;
    }
    this.#servers.length = kept;
  }

  /** Chooses a server for a request that was sent to those in `tried` before; undefined when none is ready. */
  choose(nowMs: number, tried: readonly BalancedServer[]): BalancedServer | undefined {
    if (this.#servers.length === 1) {
      const [only] = this.#servers;
      return isUsable(only, nowMs, tried, true) ? only : undefined;
    }
    this.#gather(nowMs, tried);
    const candidates = this.#candidates;
    const chosen = candidates.length > 1 ? this.#pick(nowMs) : candidates[0];
    candidates.length = 0;
    return chosen;
  }

  #gather(nowMs: number, tried: readonly BalancedServer[]): void {
    if (!this.#gatherAllowed(nowMs, tried, false)) this.#gatherAllowed(nowMs, tried, true);
  }

  /**
   * Fills the candidates. With `despiteFailures` those take part, too, that are ejected for the answers they gave: if nothing else is left,
   * a server that fails often is better than none.
   */
  #gatherAllowed(nowMs: number, tried: readonly BalancedServer[], despiteFailures: boolean): boolean {
    const candidates = this.#candidates;
    candidates.length = 0;
    let first = Infinity;
    let allowed = 0;
    const { length } = this.#servers;
    for (const server of this.#servers) {
      if (!isUsable(server, nowMs, tried, despiteFailures)) continue;
      allowed++;
      if (server.view.priority < first) first = server.view.priority;
    }
    if (allowed === 0) return false;
    for (let priority = first; ;) {
      let overflowing = true;
      let next = Infinity;
      for (let index = 0; index < length; index++) {
        const server = this.#servers[(this.#turn + index) % length];
        if (!isUsable(server, nowMs, tried, despiteFailures)) continue;
        const own = server.view.priority;
        if (own === priority) {
          if (server.overflows) continue;
          overflowing = false;
          candidates.push(server);
        } else if (own > priority && own < next) next = own;
      }
      if (!overflowing) return true;
      if (next === Infinity) break;
      priority = next;
    }
    // All overflow: then all share.
    for (let index = 0; index < length; index++) {
      const server = this.#servers[(this.#turn + index) % length];
      if (isUsable(server, nowMs, tried, despiteFailures)) candidates.push(server);
    }
    return true;
  }

  #pick(nowMs: number): BalancedServer {
    switch (this.#policy) {
      case 'balanced':
        return this.#least((server) => server.load + server.cost);
      case 'closest':
        return this.#least((server) => server.cost * maxLoad + server.load);
      case 'round-robin':
        return this.#advance(this.#candidates[0]);
      default:
        return this.#leastOfTwo(nowMs);
    }
  }

  /** The candidate of the least value; the search began after the last chosen, so equals take turns. */
  #least(value: (server: BalancedServer) => number): BalancedServer {
    let [best] = this.#candidates;
    let bestValue = value(best);
    for (const server of this.#candidates) {
      const own = value(server);
      if (own >= bestValue) continue;
      best = server;
      bestValue = own;
    }
    return this.#advance(best);
  }

  #leastOfTwo(nowMs: number): BalancedServer {
    const { length } = this.#candidates;
    const first = Math.floor(this.#random.number() * length);
    const second = (first + 1 + Math.floor(this.#random.number() * (length - 1))) % length;
    const one = this.#candidates[first];
    const other = this.#candidates[second];
    return expectedMs(one, nowMs) <= expectedMs(other, nowMs) ? one : other;
  }

  #advance(server: BalancedServer): BalancedServer {
    this.#turn = (this.#servers.indexOf(server) + 1) % this.#servers.length;
    return server;
  }
}

/** More than any backlog, so that cost decides first. */
const maxLoad = 2 ** 24;

function expectedMs(server: BalancedServer, nowMs: number): number {
  return server.latencyMs(nowMs) * (server.load + 1);
}

function isUsable(server: BalancedServer, nowMs: number, tried: readonly BalancedServer[], despiteFailures: boolean): boolean {
  if (!server.view.ready || server.isFull || tried.includes(server)) return false;
  return server.allows(nowMs) || (despiteFailures && !server.isUnreachable);
}
