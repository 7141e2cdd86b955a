import { routerIdOfNode } from './control-address.ts';
import { duplicateWindowMs, limits } from './limits.ts';
import type { RouterAdvertisement } from './message-body.ts';
import type { Neighbour } from './hello.ts';
import type { RouteTable } from './route-table.ts';

/** An advertisement passed on. */
interface PassedOn {
  instance: number;
  linkStateSequence: number;
  mobileSequence: number;
  topologyVersion: number;
  atMs: number;
  /** Routers it had passed. */
  distance: number;
}

/** Whether a message has come further than any router is away: it runs in a loop, or took a detour and is a copy. */
export function isTooFar(trace: readonly string[], radius: number): boolean {
  return trace.length > radius + 1 || trace.length > limits.routers;
}

/** Links to the neighbours that a message has passed already. */
export function linksInTrace(trace: readonly string[], neighbours: ReadonlyMap<string, Neighbour>): Set<number> {
  const excluded = new Set<number>();
  for (const node of trace) {
    const routerId = routerIdOfNode(node);
    const neighbour = routerId === undefined ? undefined : neighbours.get(routerId);
    if (neighbour !== undefined) excluded.add(neighbour.link);
  }
  return excluded;
}

/** Flood (RA): every link that is the first hop to some router. Copies are cut by the trace and by distance. */
export function floodLinks(table: RouteTable, excluded: ReadonlySet<number>): number[] {
  return table.firstLinks.filter((link) => !excluded.has(link));
}

/**
 * Multicast once (MAU): only links towards routers that the origin reaches through this one, so that each router gets one copy.
 * An origin that is not known here leads nowhere.
 */
export function multicastLinks(table: RouteTable, origin: string, excluded: ReadonlySet<number>): number[] {
  const links = new Set<number>();
  for (const router of table.routers.values()) {
    if (excluded.has(router.link) || links.has(router.link)) continue;
    if (router.validOrigins.has(origin)) links.add(router.link);
  }
  return [...links];
}

/**
 * Tells advertisements from their copies. In a mesh an advertisement arrives over every loop-free path; passing on each would
 * multiply them. A copy needs no passing on if an equal one was passed on a moment ago, with the same links and after at
 * most as many hops: every neighbour has had it or been sent it then.
 */
export class DuplicateFilter {
  readonly #passedOn = new Map<string, PassedOn>();

  /** True if the advertisement is to be passed on; remembers that. `topologyVersion` is that of the paths in use. */
  admit(advertisement: RouterAdvertisement, distance: number, topologyVersion: number, nowMs: number): boolean {
    const { id, instance, linkStateSequence, mobileSequence } = advertisement;
    const last = this.#passedOn.get(id);
    if (
      last !== undefined &&
      last.instance === instance &&
      last.linkStateSequence === linkStateSequence &&
      last.mobileSequence === mobileSequence &&
      last.topologyVersion === topologyVersion &&
      nowMs - last.atMs <= duplicateWindowMs &&
      last.distance <= distance
    ) {
      return false;
    }
    if (last !== undefined || this.#passedOn.size < limits.routers) {
      this.#passedOn.set(id, { instance, linkStateSequence, mobileSequence, topologyVersion, atMs: nowMs, distance });
    }
    return true;
  }

  /** Forgets what is too old to matter. */
  expire(nowMs: number): void {
    for (const [id, { atMs }] of this.#passedOn) if (nowMs - atMs > duplicateWindowMs) this.#passedOn.delete(id);
  }
}
