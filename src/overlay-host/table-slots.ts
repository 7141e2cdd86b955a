import type { StateStore } from './store/state-store.ts';

/** Slots of the map of owner tables; 0 is nobody's. */
const lastSlot = 4095;
const storePrefix = 'daemon/table/';

/**
 * Which slot of the map of owner tables belongs to what, on this host alone. Kept on the disk, since the data path goes on with them while the
 * daemon does not. A slot that was freed is taken again as late as can be.
 */
export class TableSlots {
  readonly #store: StateStore;
  readonly #slots = new Map<string, number>();
  #last = 0;

  constructor(store: StateStore) {
    this.#store = store;
    for (const [key, slot] of store.entries()) {
      if (!key.startsWith(storePrefix) || typeof slot !== 'number') continue;
      this.#slots.set(key.slice(storePrefix.length), slot);
      this.#last = Math.max(this.#last, slot);
    }
  }

  /** The slot of a user such as `subnet/5`; undefined when all are taken. */
  of(user: string): number | undefined {
    const known = this.#slots.get(user);
    if (known !== undefined) return known;
    const taken = new Set(this.#slots.values());
    for (let step = 1; step <= lastSlot; step++) {
      const slot = ((this.#last + step - 1) % lastSlot) + 1;
      if (taken.has(slot)) continue;
      this.#last = slot;
      this.#slots.set(user, slot);
      this.#store.set(storePrefix + user, slot);
      return slot;
    }
    return undefined;
  }

  /** Of those that begin so, frees the slots of all but these. */
  keep(prefix: string, users: ReadonlySet<string>): void {
    for (const user of this.#slots.keys()) {
      if (!user.startsWith(prefix) || users.has(user)) continue;
      this.#slots.delete(user);
      this.#store.set(storePrefix + user, undefined);
    }
  }
}
