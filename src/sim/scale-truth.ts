import { PathRoutes } from '../routing/route-table-lookups.ts';
import { otherEnd, type ScaleNetwork } from './scale-network.ts';
import type { SeededRandom } from './seeded-random.ts';

/** Walks of a message through the network for one check. */
const walks = 1_000;

/**
 * What is wrong with the routes in a network that has come to rest; empty if nothing. All links cost 1.
 *
 * A tree of shortest paths is known by its own words: each router costs one more than the one before it, which is the neighbour nearest to the
 * root, the one with the lowest id among equals. So no paths need to be computed here, and none of the product's code judges itself.
 */
export function wrongRoutes(network: ScaleNetwork, random: SeededRandom): string[] {
  const wrong: string[] = [];
  const peers: number[][] = [];
  for (let router = 0; router < network.size; router++) {
    peers.push(network.engine(router) === undefined ? [] : network.cablesOf(router).map((cable) => otherEnd(cable, router)));
  }
  const ranks = network.index.ranks();
  for (let router = 0; router < network.size && wrong.length < 10; router++) {
    const engine = network.engine(router);
    if (engine === undefined) continue;
    const { routers } = engine.table;
    if (!(routers instanceof PathRoutes)) throw new Error('bug: routes that do not follow a tree');
    const { cost, previous } = routers.tree;
    for (let to = 0; to < network.size; to++) {
      const expected = to === router ? -1 : lastHop(peers[to], cost, ranks);
      const expectedCost = to === router ? 0 : 1 + (expected < 0 ? Infinity : cost[expected]);
      if ((previous[to] ?? -1) === expected && (cost[to] ?? Infinity) === expectedCost) continue;
      wrong.push(`router ${router} reaches ${to} at cost ${cost[to]} by ${previous[to]} instead of ${expectedCost} by ${expected}`);
      break;
    }
  }
  for (let walk = 0; walk < walks && wrong.length < 10; walk++) {
    const problem = walkProblem(network, random.below(network.size), random.below(network.size));
    if (problem !== undefined) wrong.push(problem);
  }
  return wrong;
}

/** The neighbour that comes last on the shortest path; -1 if none has a path. */
function lastHop(peers: readonly number[], cost: Float64Array, ranks: Int32Array): number {
  let best = -1;
  for (const peer of peers) {
    if (cost[peer] === Infinity) continue;
    if (best < 0 || cost[peer] < cost[best] || (cost[peer] === cost[best] && ranks[peer] < ranks[best])) best = peer;
  }
  return best;
}

/** Follows the links that routers name, one after the other. */
function walkProblem(network: ScaleNetwork, from: number, to: number): string | undefined {
  if (network.engine(from) === undefined || network.engine(to) === undefined || from === to) return undefined;
  const target = network.index.idOf(to);
  let at = from;
  for (let left = network.size; left > 0 && at !== to; left--) {
    const route = network.engine(at)?.table.routers.get(target);
    if (route === undefined) return `router ${at} on the way from ${from} knows no way to ${to}`;
    const cable = network.cables[route.link];
    if (!cable.up || !cable.ends.includes(at)) return `router ${at} sends to ${to} over link ${route.link}, which is not its own`;
    at = otherEnd(cable, at);
  }
  return at === to ? undefined : `a message from ${from} to ${to} goes in circles`;
}
