import { placeOf, type LinkStateGraph } from './link-state-graph.ts';
import type { PathScratch } from './path-scratch.ts';

/** A shortest-path tree. Arrays are indexed by router index; a router beyond their end has no path. Never changed once published. */
export interface PathTree {
  readonly root: number;
  /** Sum of the costs from the root; Infinity where there is no path. */
  readonly cost: Float64Array;
  /** The router before this one on the path; -1 for the root and where there is no path. */
  readonly previous: Int32Array;
}

/**
 * Every router must come to the same trees from the same link states, or multicast messages would be lost or doubled. So this rule is
 * part of the protocol: of several shortest paths to a router, the last hop is from the neighbour nearest to the root, and among those
 * from the one with the lowest id. It depends on nothing but the graph, so a tree that is brought up to date
 * (shortest-paths-update.ts) equals one made from scratch.
 */
export function shortestPaths(graph: LinkStateGraph, root: number, scratch: PathScratch): PathTree {
  const cost = new Float64Array(graph.size).fill(Infinity);
  const previous = new Int32Array(graph.size).fill(-1);
  const { queue } = scratch;
  queue.clear();
  cost[root] = 0;
  queue.push(0, root);
  const tree = { root, cost, previous };
  const ranks = graph.index.ranks();
  for (let router = queue.pop(); router >= 0; router = queue.pop()) {
    // Entries made obsolete by a cheaper path are skipped when they come up.
    if (queue.distance === cost[router]) relax(graph, tree, ranks, router, scratch);
  }
  return tree;
}

/** Offers the paths through a router to its neighbours; those that become nearer go to the queue. */
export function relax(graph: LinkStateGraph, tree: PathTree, ranks: Int32Array, router: number, scratch: PathScratch): void {
  const state = graph.linkState(router);
  if (state === undefined) return;
  const { peers, costs } = state;
  const distance = tree.cost[router] ?? Infinity;
  const own = router === graph.self;
  for (let place = 0; place < peers.length; place++) {
    const peer = peers[place] ?? -1;
    const reached = distance + (costs[place] ?? Infinity);
    // Most edges lead to a router that is nearer already: only the others are worth looking at from the far end.
    if (reached > (tree.cost[peer] ?? Infinity)) continue;
    const far = graph.linkState(peer);
    if (far === undefined || !(own || far.open || placeOf(far.peers, router) >= 0)) continue;
    if (offer(tree, ranks, router, peer, reached)) scratch.queue.push(reached, peer);
  }
}

/** Whether a path to `peer` through `router`, of cost `reached`, is better than the one it has. */
export function improves(tree: PathTree, ranks: Int32Array, router: number, peer: number, reached: number): boolean {
  const { root, cost, previous } = tree;
  const known = cost[peer] ?? Infinity;
  if (reached !== known) return reached < known;
  const before = previous[peer] ?? -1;
  return peer !== root && before !== router && (before < 0 || isBefore(cost, ranks, router, before));
}

/** Takes the path to `peer` through `router`, of cost `reached`, if it is better. True if it is also cheaper. */
export function offer(tree: PathTree, ranks: Int32Array, router: number, peer: number, reached: number): boolean {
  if (!improves(tree, ranks, router, peer, reached)) return false;
  const cheaper = reached < (tree.cost[peer] ?? Infinity);
  tree.cost[peer] = reached;
  tree.previous[peer] = router;
  return cheaper;
}

/** Of two routers, whether the first is nearer to the root, or as near with the lower id. */
function isBefore(cost: Float64Array, ranks: Int32Array, one: number, other: number): boolean {
  const difference = (cost[one] ?? Infinity) - (cost[other] ?? Infinity);
  return difference < 0 || (difference === 0 && (ranks[one] ?? 0) < (ranks[other] ?? 0));
}
