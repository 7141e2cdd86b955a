/** A shortest-path tree. Arrays are indexed by router index of its topology. */
export interface PathTree {
  /** Sum of the costs from the root; Infinity where there is no path. */
  readonly cost: Float64Array;
  /** The router before this one on the path; -1 for the root and where there is no path. */
  readonly previous: Int32Array;
  /** Links on the path. */
  readonly hops: Int32Array;
  /** Routers with a path in the order in which they were reached, the root first: each comes after its `previous`. */
  readonly order: readonly number[];
}

/**
 * The graph of link states at one moment, seen from one router. Immutable but for trees computed on demand.
 *
 * Every router must come to the same trees from the same link states, or multicast messages would be lost or doubled. So these
 * rules are part of the protocol: the cost of an edge is what its near side advertises; a router whose link state is unknown has no
 * edges of its own; among routers at equal distance the lower id goes first, and a path is replaced only by a cheaper one.
 */
export class Topology {
  readonly self: string;
  /** The tree from this router. */
  readonly tree: PathTree;
  /** Hops to the most distant reachable router. */
  readonly radius: number;
  readonly #ids: readonly string[];
  readonly #index: Map<string, number>;
  readonly #edgeStart: Int32Array;
  readonly #edgeTarget: Int32Array;
  readonly #edgeCost: Float64Array;
  readonly #selfIndex: number;
  /** By origin: which destinations that origin reaches through this router. */
  readonly #through = new Map<number, Uint8Array>();

  /** `linkStates`: for each known router, this one included, its peers and the cost of each. Peers that are no key are left out. */
  constructor(self: string, linkStates: ReadonlyMap<string, ReadonlyMap<string, number>>) {
    this.self = self;
    this.#ids = [...linkStates.keys()].sort();
    this.#index = new Map(this.#ids.map((id, index) => [id, index]));
    const selfIndex = this.#index.get(self);
    if (selfIndex === undefined) throw new Error('bug: a topology must contain its own router');
    this.#selfIndex = selfIndex;
    let edges = 0;
    for (const peers of linkStates.values()) edges += peers.size;
    this.#edgeStart = new Int32Array(this.#ids.length + 1);
    this.#edgeTarget = new Int32Array(edges);
    this.#edgeCost = new Float64Array(edges);
    let edge = 0;
    for (const [index, id] of this.#ids.entries()) {
      this.#edgeStart[index] = edge;
      for (const [peer, cost] of linkStates.get(id) ?? []) {
        const target = this.#index.get(peer);
        if (target === undefined || target === index) continue;
        this.#edgeTarget[edge] = target;
        this.#edgeCost[edge] = cost;
        edge++;
      }
    }
    this.#edgeStart[this.#ids.length] = edge;
    this.tree = this.#treeFrom(selfIndex);
    this.radius = this.tree.order.reduce((most, index) => Math.max(most, this.tree.hops[index] ?? 0), 0);
  }

  /** Calls `visit` for each reachable other router, nearest first, with the id of the first hop of its path. */
  eachReachable(visit: (routerId: string, cost: number, hops: number, nextHop: string) => void): void {
    const firstHop = new Int32Array(this.#ids.length);
    for (const index of this.tree.order) {
      if (index === this.#selfIndex) continue;
      const previous = this.tree.previous[index] ?? -1;
      firstHop[index] = previous === this.#selfIndex ? index : (firstHop[previous] ?? -1);
      visit(this.#ids[index] ?? '', this.tree.cost[index] ?? 0, this.tree.hops[index] ?? 0, this.#ids[firstHop[index] ?? -1] ?? '');
    }
  }

  /**
   * Whether the shortest path from `origin` to `destination` goes through this router: only then may this router pass on a
   * multicast message of that origin towards that destination. Always so for this router's own messages.
   */
  isValidOrigin(destination: string, origin: string): boolean {
    if (origin === this.self) return destination !== this.self;
    const from = this.#index.get(origin);
    const to = this.#index.get(destination);
    // An origin without a path from here is treated as unknown.
    if (from === undefined || to === undefined || this.tree.cost[from] === Infinity) return false;
    return this.#throughSelf(from)[to] === 1;
  }

  #throughSelf(origin: number): Uint8Array {
    const known = this.#through.get(origin);
    if (known !== undefined) return known;
    const through = new Uint8Array(this.#ids.length);
    const { order, previous } = this.#treeFrom(origin);
    for (const index of order) {
      const before = previous[index] ?? -1;
      if (before >= 0 && (before === this.#selfIndex || through[before] === 1)) through[index] = 1;
    }
    this.#through.set(origin, through);
    return through;
  }

  /** Dijkstra's algorithm with a binary heap; entries made obsolete by a cheaper path are skipped when they come up. */
  #treeFrom(root: number): PathTree {
    const size = this.#ids.length;
    const cost = new Float64Array(size).fill(Infinity);
    const previous = new Int32Array(size).fill(-1);
    const hops = new Int32Array(size);
    const settled = new Uint8Array(size);
    const order: number[] = [];
    const heap = new DistanceHeap();
    cost[root] = 0;
    heap.push(0, root);
    for (let index = heap.pop(); index >= 0; index = heap.pop()) {
      if (settled[index] === 1) continue;
      settled[index] = 1;
      order.push(index);
      const end = this.#edgeStart[index + 1] ?? 0;
      for (let edge = this.#edgeStart[index] ?? 0; edge < end; edge++) {
        const target = this.#edgeTarget[edge] ?? 0;
        const reached = (cost[index] ?? 0) + (this.#edgeCost[edge] ?? 0);
        if (settled[target] === 1 || reached >= (cost[target] ?? 0)) continue;
        cost[target] = reached;
        previous[target] = index;
        hops[target] = (hops[index] ?? 0) + 1;
        heap.push(reached, target);
      }
    }
    return { cost, previous, hops, order };
  }
}

/** Binary heap of (distance, router index), smallest distance first, then smallest index (indices are in order of id). */
class DistanceHeap {
  readonly #distances: number[] = [];
  readonly #indices: number[] = [];

  push(distance: number, index: number): void {
    let at = this.#indices.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentDistance = this.#distances[parent] ?? 0;
      const parentIndex = this.#indices[parent] ?? 0;
      if (!isBefore(distance, index, parentDistance, parentIndex)) break;
      this.#distances[at] = parentDistance;
      this.#indices[at] = parentIndex;
      at = parent;
    }
    this.#distances[at] = distance;
    this.#indices[at] = index;
  }

  /** Removes the first entry and returns its index; -1 when empty. */
  pop(): number {
    const first = this.#indices[0];
    const distance = this.#distances.pop();
    const index = this.#indices.pop();
    if (first === undefined || distance === undefined || index === undefined) return -1;
    const size = this.#indices.length;
    if (size === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#slotBefore(child + 1, child)) child++;
      const childDistance = this.#distances[child] ?? 0;
      const childIndex = this.#indices[child] ?? 0;
      if (!isBefore(childDistance, childIndex, distance, index)) break;
      this.#distances[at] = childDistance;
      this.#indices[at] = childIndex;
      at = child;
    }
    this.#distances[at] = distance;
    this.#indices[at] = index;
    return first;
  }

  #slotBefore(slot: number, other: number): boolean {
    return isBefore(this.#distances[slot] ?? 0, this.#indices[slot] ?? 0, this.#distances[other] ?? 0, this.#indices[other] ?? 0);
  }
}

function isBefore(distance: number, index: number, otherDistance: number, otherIndex: number): boolean {
  return distance < otherDistance || (distance === otherDistance && index < otherIndex);
}
