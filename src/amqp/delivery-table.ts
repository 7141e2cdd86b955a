/** Places for deliveries whose ids follow each other; a power of two. More than are usually unsettled at a time. */
const places = 512;

/** What has an id that is serial in its session (§2.6.12). */
interface Numbered {
  readonly id: number;
}

/**
 * The unsettled deliveries of one direction of a session, by id. Ids are given one after the other and most deliveries live shortly: those
 * have a place in an array, by the last bits of their id. A map has the others: they came while an older one had their place.
 */
export class DeliveryTable<T extends Numbered> {
  /** Made with the first delivery: a peer may open hundreds of sessions and use none. */
  #places: (T | undefined)[] = [];
  readonly #others = new Map<number, T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): T | undefined {
    if (this.#size === 0) return undefined;
    const placed = this.#places[id & (places - 1)];
    if (placed?.id === id) return placed;
    return this.#others.size === 0 ? undefined : this.#others.get(id);
  }

  /** Takes a delivery whose id is not in the table. */
  add(delivery: T): void {
    if (this.#places.length === 0) this.#places = Array.from<T | undefined>({ length: places });
    const place = delivery.id & (places - 1);
    if (this.#places[place] === undefined) this.#places[place] = delivery;
    else this.#others.set(delivery.id, delivery);
    this.#size++;
  }

  /** False when it is not there. */
  remove(id: number): boolean {
    if (this.#size === 0) return false;
    const place = id & (places - 1);
    if (this.#places[place]?.id === id) this.#places[place] = undefined;
    else if (!this.#others.delete(id)) return false;
    this.#size--;
    return true;
  }

  /** The ids of all, in no order. */
  ids(): number[] {
    const ids = [...this.#others.keys()];
    for (const delivery of this.#places) if (delivery !== undefined) ids.push(delivery.id);
    return ids;
  }

  clear(): void {
    this.#places.fill(undefined);
    this.#others.clear();
    this.#size = 0;
  }
}
