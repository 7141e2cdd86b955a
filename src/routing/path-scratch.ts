/**
 * Memory that computations of paths use and leave behind: made once, grown when needed, used by one computation at a time. Engines of one
 * process may share it.
 */
export class PathScratch {
  /** Routers waiting for their turn, nearest first. */
  readonly queue: DistanceQueue = new DistanceQueue();
  /** Routers that a computation has gathered. */
  readonly list: number[] = [];
  #marks = new Uint8Array(0);
  #numbers = new Int32Array(0);

  /** One octet for each of `size` routers, all 0. Whoever sets some clears them again. */
  marks(size: number): Uint8Array {
    if (this.#marks.length < size) this.#marks = new Uint8Array(roomFor(size));
    return this.#marks;
  }

  /** One number for each of `size` routers, with whatever was left there. */
  numbers(size: number): Int32Array {
    if (this.#numbers.length < size) this.#numbers = new Int32Array(roomFor(size));
    return this.#numbers;
  }
}

/** Some more than asked for, so that routers added one by one do not each cost a new array. */
function roomFor(size: number): number {
  return size + (size >> 2) + 16;
}

/**
 * Priority queue of (distance, router), smallest distance first. Its memory stays for the next use.
 *
 * Where link costs are alike, routers are found in the order of their distance. So what is not nearer than the last one found goes to
 * the end of a list that is in order already, and only the rest into a binary heap.
 */
export class DistanceQueue {
  #distances = new Float64Array(64);
  #routers = new Int32Array(64);
  #size = 0;
  #listDistances = new Float64Array(64);
  #listRouters = new Int32Array(64);
  #listStart = 0;
  #listEnd = 0;
  #listLast = -Infinity;
  /** Distance of the router taken last. */
  distance = 0;

  clear(): void {
    this.#size = 0;
    this.#listStart = 0;
    this.#listEnd = 0;
    this.#listLast = -Infinity;
  }

  push(distance: number, router: number): void {
    if (distance < this.#listLast) {
      this.#pushHeap(distance, router);
      return;
    }
    if (this.#listEnd === this.#listRouters.length) {
      this.#listDistances = larger(this.#listDistances, new Float64Array(this.#listEnd * 2));
      this.#listRouters = larger(this.#listRouters, new Int32Array(this.#listEnd * 2));
    }
    this.#listDistances[this.#listEnd] = distance;
    this.#listRouters[this.#listEnd++] = router;
    this.#listLast = distance;
  }

  /** Takes the nearest router and notes its distance; -1 when empty. */
  pop(): number {
    const start = this.#listStart;
    if (start === this.#listEnd) return this.#size === 0 ? -1 : this.#popHeap();
    const distance = this.#listDistances[start] ?? 0;
    if (this.#size > 0 && (this.#distances[0] ?? 0) < distance) return this.#popHeap();
    this.#listStart = start + 1;
    this.distance = distance;
    return this.#listRouters[start] ?? -1;
  }

  #pushHeap(distance: number, router: number): void {
    if (this.#size === this.#routers.length) {
      this.#distances = larger(this.#distances, new Float64Array(this.#size * 2));
      this.#routers = larger(this.#routers, new Int32Array(this.#size * 2));
    }
    const distances = this.#distances;
    const routers = this.#routers;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = distances[parent] ?? 0;
      if (above <= distance) break;
      distances[at] = above;
      routers[at] = routers[parent] ?? 0;
      at = parent;
    }
    distances[at] = distance;
    routers[at] = router;
  }

  #popHeap(): number {
    const distances = this.#distances;
    const routers = this.#routers;
    const first = routers[0] ?? -1;
    this.distance = distances[0] ?? 0;
    const size = --this.#size;
    const distance = distances[size] ?? 0;
    const router = routers[size] ?? 0;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && (distances[child + 1] ?? 0) < (distances[child] ?? 0)) child++;
      const below = distances[child] ?? 0;
      if (distance <= below) break;
      distances[at] = below;
      routers[at] = routers[child] ?? 0;
      at = child;
    }
    distances[at] = distance;
    routers[at] = router;
    return first;
  }
}

function larger<Numbers extends Float64Array | Int32Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
