import { isOwnTelemetry, isToldTelemetry } from '../base/telemetry-address.ts';
import type { Credential } from './trust.ts';

const nobody: ReadonlySet<Credential> = new Set();

/** By router that does not sign: the credentials of those who stand for it. */
export class Anchors {
  readonly #byRouter = new Map<string, Set<Credential>>();

  add(routerId: string, credential: Credential): void {
    const credentials = this.#byRouter.get(routerId);
    if (credentials === undefined) this.#byRouter.set(routerId, new Set([credential]));
    else credentials.add(credential);
  }

  of(routerId: string): ReadonlySet<Credential> {
    return this.#byRouter.get(routerId) ?? nobody;
  }

  routers(): Iterable<string> {
    return this.#byRouter.keys();
  }
}

/**
 * Routers that do not sign are believed as far as the grants of the signing routers next to them reach, their anchors: those have let them in.
 * Routers that do not sign and are neighbours of each other share their anchors.
 */
export class UnsignedRouters {
  #anchors: ReadonlyMap<string, ReadonlySet<Credential>> = new Map();

  /**
   * `anchored`: the credentials of the signing neighbours of each router next to which there are such.
   * `peersOf`: neighbours of a router that does not sign, as it says. Returns the routers whose grants have changed.
   */
  update(anchored: Anchors, peersOf: (routerId: string) => ReadonlyMap<string, number> | undefined): string[] {
    const anchors = new Map<string, ReadonlySet<Credential>>();
    for (const start of anchored.routers()) {
      if (anchors.has(start)) continue;
      const members = new Set([start]);
      const shared = new Set<Credential>();
      for (const member of members) {
        for (const credential of anchored.of(member)) shared.add(credential);
        for (const peer of peersOf(member)?.keys() ?? []) if (peersOf(peer)?.has(member) === true) members.add(peer);
      }
      for (const member of members) anchors.set(member, shared);
    }
    const before = this.#anchors;
    this.#anchors = anchors;
    const changed: string[] = [];
    for (const [routerId, now] of anchors) if (!isSame(now, before.get(routerId) ?? nobody)) changed.push(routerId);
    for (const routerId of before.keys()) if (!anchors.has(routerId)) changed.push(routerId);
    return changed;
  }

  /** Whether some signing router stands for this one. */
  isStoodFor(routerId: string): boolean {
    return this.#anchors.has(routerId);
  }

  mayAdvertise(routerId: string, address: string): boolean {
    for (const { advertise } of this.#anchors.get(routerId) ?? nobody)
      if (advertise.allows(address) || isOwnTelemetry(address)) return true;
    return false;
  }

  mayConsume(routerId: string, address: string): boolean {
    for (const { consume } of this.#anchors.get(routerId) ?? nobody) if (consume.allows(address) || isToldTelemetry(address)) return true;
    return false;
  }
}

function isSame(one: ReadonlySet<Credential>, other: ReadonlySet<Credential>): boolean {
  if (one.size !== other.size) return false;
  for (const credential of one) if (!other.has(credential)) return false;
  return true;
}
