import type { Neighbour } from './hello.ts';
import type { AddressDirectory, LocalAddresses } from './mobile-addresses.ts';
import { Treatment, type AddressRoute, type AddressRoutes, type OriginSet, type RemoteRouter, type RouterRoutes } from './route-table.ts';
import type { PathTree } from './shortest-paths.ts';
import type { Topology } from './topology.ts';

/** Valid origins of one destination, answered by the topology that the table was made from. */
class ValidOrigins implements OriginSet {
  readonly #topology: Topology;
  readonly #destination: number;

  constructor(topology: Topology, destination: number) {
    this.#topology = topology;
    this.#destination = destination;
  }

  has(routerId: string): boolean {
    const origin = this.#topology.graph.index.find(routerId);
    return origin >= 0 && this.#topology.isValidOrigin(this.#destination, origin);
  }
}

/** The reachable routers of one tree of paths. A route is made when it is first asked for, and kept. */
export class PathRoutes implements RouterRoutes {
  readonly #topology: Topology;
  readonly #tree: PathTree;
  readonly #neighbours: ReadonlyMap<string, Neighbour>;
  readonly #made = new Map<string, RemoteRouter>();
  #size = -1;
  #radius = -1;

  constructor(topology: Topology, neighbours: ReadonlyMap<string, Neighbour>) {
    this.#topology = topology;
    this.#tree = topology.tree;
    this.#neighbours = neighbours;
  }

  /** The paths that the routes follow. */
  get tree(): PathTree {
    return this.#tree;
  }

  /** Whether these are the routes along this tree and these neighbours. */
  standsFor(tree: PathTree, neighbours: ReadonlyMap<string, Neighbour>): boolean {
    return this.#tree === tree && this.#neighbours === neighbours;
  }

  get(routerId: string): RemoteRouter | undefined {
    const made = this.#made.get(routerId);
    if (made !== undefined) return made;
    const router = this.#topology.graph.index.find(routerId);
    if (!this.#reaches(router)) return undefined;
    const route = this.#route(routerId, router);
    this.#made.set(routerId, route);
    return route;
  }

  has(routerId: string): boolean {
    return this.#reaches(this.#topology.graph.index.find(routerId));
  }

  get size(): number {
    if (this.#size < 0) {
      this.#size = 0;
      for (let router = 0; router < this.#tree.cost.length; router++) if (this.#reaches(router)) this.#size++;
    }
    return this.#size;
  }

  *keys(): Iterable<string> {
    const { index } = this.#topology.graph;
    for (let router = 0; router < this.#tree.cost.length; router++) if (this.#reaches(router)) yield index.idOf(router);
  }

  *values(): Iterable<RemoteRouter> {
    for (const routerId of this.keys()) {
      const route = this.get(routerId);
      if (route !== undefined) yield route;
    }
  }

  /** Hops to the most distant router. */
  get radius(): number {
    if (this.#radius < 0) this.#radius = mostHops(this.#tree);
    return this.#radius;
  }

  /** Links that are the first hop to some router: then it is the first hop to the neighbour itself. */
  firstLinks(): number[] {
    const { index, self } = this.#topology.graph;
    const links: number[] = [];
    for (const [routerId, { link }] of this.#neighbours) if (this.#tree.previous[index.find(routerId)] === self) links.push(link);
    return links;
  }

  #reaches(router: number): boolean {
    return router !== this.#tree.root && (this.#tree.cost[router] ?? Infinity) < Infinity;
  }

  #route(routerId: string, router: number): RemoteRouter {
    const { root, cost, previous } = this.#tree;
    let hops = 1;
    let first = router;
    for (let before = previous[first] ?? root; before !== root; before = previous[first] ?? root) {
      first = before;
      hops++;
    }
    const nextHop = this.#topology.graph.index.idOf(first);
    const link = this.#neighbours.get(nextHop)?.link;
    if (link === undefined) throw new Error('bug: the first hop of a path must be a neighbour');
    return { routerId, cost: cost[router] ?? 0, hops, link, nextHop, validOrigins: new ValidOrigins(this.#topology, router) };
  }
}

/** Hops of the longest path of a tree; each router is walked over twice at most. */
function mostHops({ root, cost, previous }: PathTree): number {
  const hops = new Int32Array(cost.length);
  let most = 0;
  for (let router = 0; router < cost.length; router++) {
    if (router === root || (cost[router] ?? Infinity) === Infinity) continue;
    let steps = 0;
    let at = router;
    while (at !== root && hops[at] === 0) {
      steps++;
      at = previous[at] ?? root;
    }
    let count = (at === root ? 0 : (hops[at] ?? 0)) + steps;
    most = Math.max(most, count);
    for (at = router; steps > 0; steps--) {
      hops[at] = count--;
      at = previous[at] ?? root;
    }
  }
  return most;
}

/** Where the consumers of each address are. A route is made when it is first asked for, and kept until its address changes. */
export class DirectoryRoutes implements AddressRoutes {
  readonly #routers: RouterRoutes;
  readonly #directory: AddressDirectory;
  readonly #local: LocalAddresses;
  readonly #made = new Map<string, AddressRoute>();

  constructor(routers: RouterRoutes, directory: AddressDirectory, local: LocalAddresses) {
    this.#routers = routers;
    this.#directory = directory;
    this.#local = local;
  }

  /** These addresses have changed. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) this.#made.delete(key);
  }

  get(key: string): AddressRoute | undefined {
    const made = this.#made.get(key);
    if (made !== undefined) return made;
    const route = this.#route(key);
    if (route !== undefined) this.#made.set(key, route);
    return route;
  }

  has(key: string): boolean {
    if (this.#made.has(key)) return true;
    for (const routerId of this.#directory.routersOf(key)?.keys() ?? []) if (this.#routers.has(routerId)) return true;
    return false;
  }

  get size(): number {
    let size = 0;
    for (const key of this.#directory.keys()) if (this.has(key)) size++;
    return size;
  }

  *keys(): Iterable<string> {
    for (const key of this.#directory.keys()) if (this.has(key)) yield key;
  }

  *values(): Iterable<AddressRoute> {
    for (const key of this.#directory.keys()) {
      const route = this.get(key);
      if (route !== undefined) yield route;
    }
  }

  /** This router's own treatment of an address wins; otherwise that suggested by the nearest router that has it. */
  #route(key: string): AddressRoute | undefined {
    const suggestions = this.#directory.routersOf(key);
    if (suggestions === undefined) return undefined;
    const reachable: RemoteRouter[] = [];
    for (const routerId of suggestions.keys()) {
      const router = this.#routers.get(routerId);
      if (router !== undefined) reachable.push(router);
    }
    const nearest = reachable.sort(nearestFirst)[0];
    if (nearest === undefined) return undefined;
    const treatment = this.#local.treatmentOf(key) ?? suggestions.get(nearest.routerId) ?? Treatment.balanced;
    return { key, treatment, routers: reachable };
  }
}

function nearestFirst(a: RemoteRouter, b: RemoteRouter): number {
  if (a.cost !== b.cost) return a.cost - b.cost;
  return a.routerId < b.routerId ? -1 : 1;
}
