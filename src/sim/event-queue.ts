/** What happens at one moment of virtual time. */
export interface VirtualEvent {
  readonly atMs: number;
  /** Of events at the same time the one that was asked for first comes first. */
  readonly order: number;
  readonly run: () => void;
}

/** A binary heap of events by (time, order). */
export class EventQueue {
  readonly #heap: VirtualEvent[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  peek(): VirtualEvent | undefined {
    return this.#heap[0];
  }

  push(atMs: number, run: () => void): void {
    const event = { atMs, order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  pop(): VirtualEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    const size = heap.length;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: VirtualEvent, b: VirtualEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
