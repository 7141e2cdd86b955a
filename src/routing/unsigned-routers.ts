import type { Credential } from './trust.ts';

/** Who stands for a router that does not sign. */
type Anchors = ReadonlySet<Credential>;

const noAnchors: Anchors = new Set();

/**
 * Routers that do not sign are believed as far as the grants of the signing routers next to them reach, their anchors: those have let them in.
 * Routers that do not sign and are neighbours of each other share their anchors.
 */
export class UnsignedRouters {
  #anchors: ReadonlyMap<string, Anchors> = new Map();

  /**
   * `anchored`: routers that do not sign by id, each with the credentials of the signing routers that name it as a neighbour.
   * `peersOf`: neighbours of a router that does not sign, as it says. Returns the routers whose grants have changed.
   */
  update(anchored: ReadonlyMap<string, Anchors>, peersOf: (routerId: string) => ReadonlyMap<string, number> | undefined): string[] {
    const anchors = new Map<string, Anchors>();
    for (const start of anchored.keys()) {
      if (anchors.has(start)) continue;
      const members = new Set([start]);
      const shared = new Set<Credential>();
      for (const member of members) {
        for (const credential of anchored.get(member) ?? noAnchors) shared.add(credential);
        for (const peer of peersOf(member)?.keys() ?? []) if (peersOf(peer)?.has(member) === true) members.add(peer);
      }
      for (const member of members) anchors.set(member, shared);
    }
    const before = this.#anchors;
    this.#anchors = anchors;
    const changed: string[] = [];
    for (const [routerId, now] of anchors) if (!isSame(now, before.get(routerId) ?? noAnchors)) changed.push(routerId);
    for (const routerId of before.keys()) if (!anchors.has(routerId)) changed.push(routerId);
    return changed;
  }

  mayAdvertise(routerId: string, address: string): boolean {
    for (const { advertise } of this.#anchors.get(routerId) ?? noAnchors) if (advertise.allows(address)) return true;
    return false;
  }

  mayConsume(routerId: string, address: string): boolean {
    for (const { consume } of this.#anchors.get(routerId) ?? noAnchors) if (consume.allows(address)) return true;
    return false;
  }
}

function isSame(one: Anchors, other: Anchors): boolean {
  if (one.size !== other.size) return false;
  for (const credential of one) if (!other.has(credential)) return false;
  return true;
}
