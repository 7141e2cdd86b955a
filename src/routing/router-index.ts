/**
 * Dense numbers for router ids, in the order of their first mention, so that what is known about routers can stand in arrays.
 *
 * Engines of one simulation share an index: then numbers are never given back. An engine that has one to itself gives back those of routers that
 * nobody speaks of any more (router-numbers.ts). They are given to others no earlier than at its second call of `release` that finds them unused, so
 * that tables made before can still be read.
 */
export class RouterIndex {
  /** Whether several engines use it. */
  readonly isShared: boolean;
  readonly #numbers = new Map<string, number>();
  readonly #ids: (string | undefined)[] = [];
  readonly #free: number[] = [];
  /** Numbers found unused at the last `release`. */
  #unused: ReadonlySet<number> = new Set();
  /** Numbers that have no rank yet. */
  #unranked: number[] = [];
  #added = 0;
  #generation = 0;
  /** Routers in order of id, as far as `#ranks` goes. */
  #ordered = new Int32Array(0);
  #ranks = new Int32Array(0);

  constructor(isShared = false) {
    this.isShared = isShared;
  }

  /** Numbers in use. */
  get count(): number {
    return this.#ids.length - this.#free.length;
  }

  /** Grows with each router that gets a number. */
  get added(): number {
    return this.#added;
  }

  /** Grows when numbers have been given back: whoever has kept one under another generation looks it up again. */
  get generation(): number {
    return this.#generation;
  }

  /** One more than the largest number given. */
  get size(): number {
    return this.#ids.length;
  }

  /** The number of this id; a new one for a new id. */
  indexOf(routerId: string): number {
    const known = this.#numbers.get(routerId);
    if (known !== undefined) return known;
    const index = this.#free.pop() ?? this.#ids.length;
    this.#numbers.set(routerId, index);
    this.#ids[index] = routerId;
    this.#unranked.push(index);
    this.#added++;
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
    if (this.#unranked.length > 0) this.#rankNew();
    return this.#ranks;
  }

  /** Gives back numbers that are not held now and were not at the last call. Not for an index that is shared. */
  release(isHeld: (index: number) => boolean): void {
    if (this.isShared) throw new Error('bug: others may hold numbers of a shared index');
    const unused = new Set<number>();
    const released = new Set<number>();
    for (const [index, routerId] of this.#ids.entries()) {
      if (routerId === undefined || isHeld(index)) continue;
      if (!this.#unused.has(index)) {
        unused.add(index);
        continue;
      }
      this.#numbers.delete(routerId);
      this.#ids[index] = undefined;
      released.add(index);
    }
    this.#unused = unused;
    if (released.size === 0) return;
    this.#generation++;
    this.#free.push(...released);
    this.#unranked = this.#unranked.filter((index) => !released.has(index));
    this.#ordered = this.#ordered.filter((index) => !released.has(index));
  }

  /** Merges the new routers into the order: a single new one does not cost a sort of all. */
  #rankNew(): void {
    const size = this.#ids.length;
    const known = this.#ordered;
    const added = this.#unranked.sort((one, other) => (this.#isBefore(one, other) ? -1 : 1));
    const ordered = new Int32Array(this.count);
    const ranks = new Int32Array(size).fill(-1);
    let nextKnown = 0;
    let nextAdded = 0;
    for (let rank = 0; rank < ordered.length; rank++) {
      const candidate = added[nextAdded];
      const old = known[nextKnown];
      const takesOld = old !== undefined && (candidate === undefined || this.#isBefore(old, candidate));
      const index = (takesOld ? old : candidate) ?? -1;
      if (takesOld) nextKnown++;
      else nextAdded++;
      ordered[rank] = index;
      ranks[index] = rank;
    }
    this.#unranked = [];
    this.#ordered = ordered;
    this.#ranks = ranks;
  }

  /** By UTF-16 code units, as strings compare. */
  #isBefore(one: number, other: number): boolean {
    return this.idOf(one) < this.idOf(other);
  }
}
