/** What a list of this kind links. An item is in one list at a time. */
export interface Idle<T> {
  previous: T | undefined;
  next: T | undefined;
  lastUsedMs: number;
}

/** Flows in the order of their last use, that idle longest first. */
export class IdleList<T extends Idle<T>> {
  #first: T | undefined;
  #last: T | undefined;

  /** Used longest ago. */
  get first(): T | undefined {
    return this.#first;
  }

  /** Puts an item that is in no list at the end. */
  add(item: T, nowMs: number): void {
    item.lastUsedMs = nowMs;
    item.previous = this.#last;
    item.next = undefined;
    if (this.#last === undefined) this.#first = item;
    else this.#last.next = item;
    this.#last = item;
  }

  remove(item: T): void {
    const { previous, next } = item;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    item.previous = undefined;
    item.next = undefined;
  }

  used(item: T, nowMs: number): void {
    if (this.#last === item) {
      item.lastUsedMs = nowMs;
      return;
    }
    this.remove(item);
    this.add(item, nowMs);
  }

  /** How many have been used since `sinceMs`. */
  usedSince(sinceMs: number): number {
    let count = 0;
    for (let item = this.#last; item !== undefined && item.lastUsedMs >= sinceMs; item = item.previous) count++;
    return count;
  }
}
