/**
 * Memory that computations of paths use and leave behind: made once, grown when needed, used by one computation at a time. Engines of one
 * process may share it.
 */
export class PathScratch {
  /** Routers waiting for their turn, nearest first. */
  readonly heap: DistanceHeap = new DistanceHeap();
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

/** Binary heap of (distance, router), smallest distance first. Its memory stays for the next use. */
export class DistanceHeap {
  #distances = new Float64Array(64);
  #routers = new Int32Array(64);
  #size = 0;
  /** Distance of the router taken last. */
  distance = 0;

  clear(): void {
    this.#size = 0;
  }

  push(distance: number, router: number): void {
    if (this.#size === this.#routers.length) this.#grow();
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

  /** Takes the nearest router and notes its distance; -1 when empty. */
  pop(): number {
    if (this.#size === 0) return -1;
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

  #grow(): void {
    const distances = new Float64Array(this.#distances.length * 2);
    distances.set(this.#distances);
    this.#distances = distances;
    const routers = new Int32Array(this.#routers.length * 2);
    routers.set(this.#routers);
    this.#routers = routers;
  }
}
