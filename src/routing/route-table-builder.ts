import type { LinkTable, Neighbour } from './hello.ts';
import type { AddressDirectory, LocalAddresses } from './mobile-addresses.ts';
import type { AddressRoutes, RouterRoutes, RouteTable } from './route-table.ts';
import { DirectoryRoutes, PathRoutes } from './route-table-lookups.ts';
import type { Topology } from './topology.ts';

/** What credentials say about who may send where. */
export interface ConsumeRights {
  mayConsume(routerId: string, address: string): boolean;
  knowsRightsOf(routerId: string): boolean;
}

/** Makes the tables of one router, one after the other. */
export class RouteTableBuilder {
  readonly #topology: Topology;
  readonly #directory: AddressDirectory;
  readonly #local: LocalAddresses;
  readonly #rights: ConsumeRights | undefined;
  #paths: PathRoutes;
  #addresses: DirectoryRoutes;
  #table: Routes;

  /** The first table has epoch 0 and knows nobody. Without `rights` everybody may do everything, and origins are not looked at. */
  constructor(topology: Topology, directory: AddressDirectory, local: LocalAddresses, rights?: ConsumeRights) {
    this.#topology = topology;
    this.#directory = directory;
    this.#local = local;
    this.#rights = rights;
    this.#paths = new PathRoutes(topology, new Map());
    this.#addresses = new DirectoryRoutes(this.#paths, directory, local);
    this.#table = new Routes(0, topology, rights, this.#paths, this.#addresses, new Map());
  }

  get table(): RouteTable {
    return this.#table;
  }

  /** A new table after a change of the graph or of the neighbours. `topology` is up to date. */
  topologyChanged(links: LinkTable, neighbours: ReadonlyMap<string, Neighbour>): void {
    // What was worked out about routes stays as long as it holds.
    if (!this.#paths.standsFor(this.#topology.tree, neighbours)) {
      this.#paths = new PathRoutes(this.#topology, neighbours);
      this.#addresses = new DirectoryRoutes(this.#paths, this.#directory, this.#local);
    }
    this.#publish(links.confirmed());
  }

  /** A new table after links have come up or gone; paths stay as they are. */
  linksChanged(links: LinkTable): void {
    this.#publish(links.confirmed());
  }

  /** A new table after a change of some addresses, or of the rights to them. */
  addressesChanged(keys: Iterable<string>): void {
    this.#addresses.forget(keys);
    this.#publish(this.#table.neighbours);
  }

  #publish(neighbours: ReadonlyMap<number, string>): void {
    this.#table = new Routes(this.#table.epoch + 1, this.#topology, this.#rights, this.#paths, this.#addresses, neighbours);
  }
}

class Routes implements RouteTable {
  readonly epoch: number;
  readonly routerId: string;
  readonly routers: RouterRoutes;
  readonly addresses: AddressRoutes;
  readonly neighbours: ReadonlyMap<number, string>;
  readonly #topology: Topology;
  readonly #rights: ConsumeRights | undefined;
  readonly #paths: PathRoutes;

  constructor(
    epoch: number,
    topology: Topology,
    rights: ConsumeRights | undefined,
    paths: PathRoutes,
    addresses: AddressRoutes,
    neighbours: ReadonlyMap<number, string>,
  ) {
    this.epoch = epoch;
    this.routerId = topology.graph.index.idOf(topology.graph.self);
    this.routers = paths;
    this.addresses = addresses;
    this.neighbours = neighbours;
    this.#topology = topology;
    this.#rights = rights;
    this.#paths = paths;
  }

  get firstLinks(): readonly number[] {
    return this.#paths.firstLinks();
  }

  get radius(): number {
    return this.#paths.radius;
  }

  mayConsume(routerId: string, address: string): boolean {
    return this.#rights === undefined || this.#rights.mayConsume(routerId, address);
  }

  knowsRightsOf(routerId: string): boolean {
    return this.#rights === undefined || this.#rights.knowsRightsOf(routerId);
  }

  isFeasibleIngress(neighbourId: string, routerId: string): boolean {
    if (this.#rights === undefined || neighbourId === routerId) return true;
    const { graph } = this.#topology;
    const router = graph.index.find(routerId);
    if (graph.linkState(router) === undefined) return true;
    return this.#topology.isBehind(graph.index.find(neighbourId), router);
  }
}
