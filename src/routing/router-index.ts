/**
 * Dense numbers for router ids, in the order of their first mention, so that what is known about routers can stand in arrays.
 *
 * Numbers are never given back: arrays and tables made with an index stay right as long as they live. An owner whose routers come
 * and go starts a new index when the old one is mostly stale, and rebuilds from it. Engines of one simulation share an index.
 */
export class RouterIndex {
  readonly #numbers = new Map<string, number>();
  readonly #ids: string[] = [];
  /** Routers in order of id, as far as `#ranks` goes. */
  #ordered = new Int32Array(0);
  #ranks = new Int32Array(0);

  /** One more than the largest number given. */
  get size(): number {
    return this.#ids.length;
  }

  /** The number of this id; a new one for a new id. */
  indexOf(routerId: string): number {
    const known = this.#numbers.get(routerId);
    if (known !== undefined) return known;
    const index = this.#ids.length;
    this.#numbers.set(routerId, index);
    this.#ids.push(routerId);
    return index;
  }

  /** The number of this id; -1 if it has none. */
  find(routerId: string): number {
    return this.#numbers.get(routerId) ?? -1;
  }

  idOf(index: number): string {
    const routerId = this.#ids[index];
    if (routerId === undefined) throw new Error(`bug: no router has index ${index}`);
    return routerId;
  }

  /** The place of this router among all in order of id. Later additions change ranks, but not which of two routers comes first. */
  rank(index: number): number {
    return this.ranks()[index] ?? -1;
  }

  /** The ranks of all routers, by index: not to be written, and replaced when a router is added. */
  ranks(): Int32Array {
    if (this.#ranks.length < this.#ids.length) this.#rankNew();
    return this.#ranks;
  }

  /** Merges the new routers into the order: a single new one does not cost a sort of all. */
  #rankNew(): void {
    const size = this.#ids.length;
    const known = this.#ordered;
    const added: number[] = [];
    for (let index = known.length; index < size; index++) added.push(index);
    added.sort((one, other) => (this.#isBefore(one, other) ? -1 : 1));
    const ordered = new Int32Array(size);
    const ranks = new Int32Array(size);
    let nextKnown = 0;
    let nextAdded = 0;
    for (let rank = 0; rank < size; rank++) {
      const candidate = added[nextAdded];
      const old = known[nextKnown];
      const takesOld = old !== undefined && (candidate === undefined || this.#isBefore(old, candidate));
      const index = (takesOld ? old : candidate) ?? -1;
      if (takesOld) nextKnown++;
      else nextAdded++;
      ordered[rank] = index;
      ranks[index] = rank;
    }
    this.#ordered = ordered;
    this.#ranks = ranks;
  }

  /** By UTF-16 code units, as strings compare. */
  #isBefore(one: number, other: number): boolean {
    return this.idOf(one) < this.idOf(other);
  }
}
