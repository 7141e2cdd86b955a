import { edgeCost, placeOf, type LinkState, type LinkStateChanges, type LinkStateGraph, type LinkStates } from './link-state-graph.ts';
import type { PathScratch } from './path-scratch.ts';
import { improves, offer, relax, shortestPaths, type PathTree } from './shortest-paths.ts';

/** With this share of the link states changed (1 in 8), starting over costs no more than finding out what has changed. */
const largeChange = 8;
/** Fewer changed link states than this are looked at in any case. */
const manyChanges = 64;

/**
 * The tree after changes of link states; the given tree if nothing in it changes. Equal to what `shortestPaths` makes.
 *
 *     1  an edge of the tree is gone or dearer   ->  its far side and all behind it lose their paths
 *     2  each of those                           ->  best path by a neighbour that has kept its own
 *     3  an edge is new or cheaper               ->  offered to its far side
 *     4  routers that 2 and 3 brought nearer, nearest first, are offered to their neighbours, and so on
 *
 * The work is in proportion to the routers whose path changes and their neighbours; a change that matters to no path costs what
 * reading the link states costs.
 */
export function updatedPaths(graph: LinkStateGraph, tree: PathTree, changes: LinkStateChanges, scratch: PathScratch): PathTree {
  if (hidesEdges(graph, changes) || changes.routers.length * largeChange > graph.size) {
    const anew = shortestPaths(graph, tree.root, scratch);
    return sameTree(tree, anew) ? tree : anew;
  }
  return new Update(new ChangedEdges(graph, changes), tree, scratch).run();
}

/**
 * False if the changes leave every path as it is: no edge of the tree is gone or dearer, and no edge that is new or cheaper leads anywhere by a
 * better path. Found out from the changed edges alone.
 */
export function touchesPaths(graph: LinkStateGraph, tree: PathTree, changes: LinkStateChanges): boolean {
  // So many are the start of a network, or its end: to look at each edge would cost more than the paths.
  if (changes.routers.length >= manyChanges && changes.routers.length * largeChange > graph.size) return true;
  const ranks = graph.index.ranks();
  let touches = false;
  new ChangedEdges(graph, changes).each((from, to, was, is) => {
    if (touches) return;
    if (is > was) touches = tree.previous[to] === from;
    else {
      const distance = tree.cost[from] ?? Infinity;
      touches = distance < Infinity && improves(tree, ranks, from, to, distance + is);
    }
  });
  return touches;
}

/** Edges to open routers cannot be found from their far end. It is so only for a moment, or among routers that do not sign. */
function hidesEdges(graph: LinkStateGraph, changes: LinkStateChanges): boolean {
  return graph.hasOpen || changes.before.some((state) => state?.open === true);
}

function sameTree(one: PathTree, other: PathTree): boolean {
  const { cost, previous } = other;
  for (let router = 0; router < previous.length; router++) {
    if ((one.previous[router] ?? -1) !== previous[router] || (one.cost[router] ?? Infinity) !== cost[router]) return false;
  }
  return true;
}

/** Edges that changed link states have or had, in both directions. */
class ChangedEdges {
  readonly graph: LinkStateGraph;
  readonly #before: ReadonlyMap<number, LinkState | undefined>;
  readonly #old: LinkStates;

  constructor(graph: LinkStateGraph, changes: LinkStateChanges) {
    const before = new Map(changes.routers.map((router, place) => [router, changes.before[place]]));
    this.graph = graph;
    this.#before = before;
    this.#old = { linkState: (router) => (before.has(router) ? before.get(router) : graph.linkState(router)) };
  }

  /** Calls `visit` for each edge whose cost is another now, with what it was and is. */
  each(visit: (from: number, to: number, was: number, is: number) => void): void {
    const { self } = this.graph;
    const both = (router: number, peer: number): void => {
      this.#visit(router, peer, visit);
      this.#visit(peer, router, visit);
    };
    for (const [router, state] of this.#before) {
      const now = this.graph.linkState(router);
      for (const peer of state?.peers ?? []) both(router, peer);
      for (const peer of now?.peers ?? []) if (state === undefined || placeOf(state.peers, peer) < 0) both(router, peer);
      // This router's own edges count without being confirmed, as soon as the other end is known at all.
      if (router !== self) this.#visit(self, router, visit);
      if (state?.open !== true && now?.open !== true) continue;
      // So do all edges to an open router.
      for (let other = 0; other < this.graph.size; other++) this.#visit(other, router, visit);
    }
  }

  #visit(from: number, to: number, visit: (from: number, to: number, was: number, is: number) => void): void {
    const was = edgeCost(this.#old, this.graph.self, from, to);
    const is = this.graph.edgeCost(from, to);
    if (was !== is) visit(from, to, was, is);
  }
}

class Update {
  readonly #graph: LinkStateGraph;
  readonly #edges: ChangedEdges;
  readonly #scratch: PathScratch;
  readonly #ranks: Int32Array;
  #tree: PathTree;
  #copied = false;

  constructor(edges: ChangedEdges, tree: PathTree, scratch: PathScratch) {
    this.#graph = edges.graph;
    this.#edges = edges;
    this.#tree = tree;
    this.#scratch = scratch;
    this.#ranks = edges.graph.index.ranks();
  }

  run(): PathTree {
    const { queue, list } = this.#scratch;
    queue.clear();
    list.length = 0;
    this.#edges.each((from, to, was, is) => {
      if (is > was && this.#tree.previous[to] === from) list.push(to);
    });
    this.#detach(list);
    for (const router of list) this.#reattach(router);
    this.#edges.each((from, to, was, is) => {
      if (is < was) this.#offerEdge(from, to, is);
    });
    for (let router = queue.pop(); router >= 0; router = queue.pop()) {
      if (queue.distance === this.#tree.cost[router]) relax(this.#graph, this.#tree, this.#ranks, router, this.#scratch);
    }
    list.length = 0;
    return this.#tree;
  }

  /** Takes the paths of the listed routers and of all behind them, and lists those too. */
  #detach(list: number[]): void {
    if (list.length === 0) return;
    this.#copy();
    const { cost, previous } = this.#tree;
    const marks = this.#scratch.marks(this.#graph.size);
    let kept = 0;
    for (const router of list) {
      if (marks[router] === 1) continue;
      marks[router] = 1;
      list[kept++] = router;
    }
    list.length = kept;
    for (let at = 0; at < list.length; at++) {
      const router = list[at] ?? -1;
      // An edge of the tree that this link state no longer has is listed already.
      for (const peer of this.#graph.linkState(router)?.peers ?? []) {
        if (previous[peer] !== router || marks[peer] === 1) continue;
        marks[peer] = 1;
        list.push(peer);
      }
    }
    for (const router of list) {
      marks[router] = 0;
      cost[router] = Infinity;
      previous[router] = -1;
    }
  }

  /** The best path to a detached router by a neighbour that has one. Its neighbours are in its own list, this router aside. */
  #reattach(router: number): void {
    const state = this.#graph.linkState(router);
    if (state === undefined) return;
    const { self } = this.#graph;
    let nearer = this.#offerDetached(self, router);
    for (const peer of state.peers) if (peer !== self && this.#offerDetached(peer, router)) nearer = true;
    if (nearer) this.#scratch.queue.push(this.#tree.cost[router] ?? Infinity, router);
  }

  #offerDetached(from: number, to: number): boolean {
    const distance = this.#tree.cost[from] ?? Infinity;
    if (distance === Infinity) return false;
    const edge = this.#graph.edgeCost(from, to);
    return edge < Infinity && offer(this.#tree, this.#ranks, from, to, distance + edge);
  }

  #offerEdge(from: number, to: number, edge: number): void {
    const distance = this.#tree.cost[from] ?? Infinity;
    if (distance === Infinity || !improves(this.#tree, this.#ranks, from, to, distance + edge)) return;
    this.#copy();
    if (offer(this.#tree, this.#ranks, from, to, distance + edge)) this.#scratch.queue.push(distance + edge, to);
  }

  /** The published tree stays as it is. */
  #copy(): void {
    if (this.#copied) return;
    this.#copied = true;
    const { root, cost, previous } = this.#tree;
    const { size } = this.#graph;
    if (cost.length >= size) {
      this.#tree = { root, cost: cost.slice(), previous: previous.slice() };
      return;
    }
    const largerCost = new Float64Array(size).fill(Infinity);
    largerCost.set(cost);
    const largerPrevious = new Int32Array(size).fill(-1);
    largerPrevious.set(previous);
    this.#tree = { root, cost: largerCost, previous: largerPrevious };
  }
}
