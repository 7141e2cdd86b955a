import type { Point } from './geometry.ts';
import { neighbours } from './hop-distances.ts';
import { networkLayout } from './network-layout.ts';
import { stressLayout } from './stress-layout.ts';

/** Places of sites that went are kept for when they come back; more than this many places are never kept. */
const placeLimit = 4000;

/**
 * Where the sites are drawn, as the network changes: sites that have a place keep it, new ones stand beside their neighbours, and those
 * that come back stand where they were. Only when most of the network is new is everything placed again.
 */
export class NetworkPlaces {
  #places: ReadonlyMap<string, Point> = new Map();
  #pairs = new Set<string>();

  /** Places in hops for these sites, which are joined in pairs. The same map is returned while nothing changes. */
  update(ids: readonly string[], pairs: readonly (readonly [string, string])[], rootId: string | null): ReadonlyMap<string, Point> {
    const present = new Set(ids);
    const keys = pairs.filter(([a, b]) => a !== b && present.has(a) && present.has(b)).map(pairKey);
    const newSites = ids.filter((id) => !this.#places.has(id));
    const newPairs = new Set(keys.filter((key) => !this.#pairs.has(key)));
    if (newSites.length === 0 && newPairs.size === 0) return this.#places;
    const mostlyNew = newSites.length * 2 > ids.length || newPairs.size * 4 > new Set(keys).size;
    this.#places = mostlyNew || this.#places.size > placeLimit ? networkLayout(ids, pairs, rootId) : this.#grown(ids, pairs);
    this.#pairs = new Set([...(mostlyNew ? [] : this.#pairs), ...keys]);
    return this.#places;
  }

  /** Places everything anew, as for a network that was never seen. */
  arrange(ids: readonly string[], pairs: readonly (readonly [string, string])[], rootId: string | null): void {
    this.#places = networkLayout(ids, pairs, rootId);
    this.#pairs = new Set(pairs.map(pairKey));
  }

  #grown(ids: readonly string[], pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, Point> {
    const sorted = [...ids].sort();
    const fixed = new Map<number, Point>();
    for (const [index, id] of sorted.entries()) {
      const place = this.#places.get(id);
      if (place !== undefined) fixed.set(index, place);
    }
    const found = stressLayout(sorted, neighbours(sorted, pairs), fixed);
    return new Map([...this.#places, ...sorted.map((id, index): [string, Point] => [id, found[index] ?? { x: 0, y: 0 }])]);
  }
}

function pairKey([a, b]: readonly [string, string]): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
