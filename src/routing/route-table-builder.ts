import type { LinkTable, Neighbour } from './hello.ts';
import type { AddressDirectory, LocalAddresses } from './mobile-addresses.ts';
import { Treatment, type AddressRoute, type OriginSet, type RemoteRouter, type RouteTable } from './route-table.ts';
import type { Topology } from './shortest-paths.ts';

/** Valid origins of one destination, answered by the topology that the table was made from. */
class ValidOrigins implements OriginSet {
  readonly #topology: Topology;
  readonly #destination: string;

  constructor(topology: Topology, destination: string) {
    this.#topology = topology;
    this.#destination = destination;
  }

  has(routerId: string): boolean {
    return this.#topology.isValidOrigin(this.#destination, routerId);
  }
}

/** The table of a router that knows nobody. */
export function emptyTable(routerId: string): RouteTable {
  return { epoch: 0, routerId, routers: new Map(), addresses: new Map(), neighbours: new Map(), radius: 0 };
}

/** A new table after a change of topology: everything is made anew. */
export function tableOfTopology(
  previous: RouteTable,
  topology: Topology,
  links: LinkTable,
  neighbours: ReadonlyMap<string, Neighbour>,
  directory: AddressDirectory,
  local: LocalAddresses,
): RouteTable {
  const routers = new Map<string, RemoteRouter>();
  topology.eachReachable((routerId, cost, hops, nextHop) => {
    const link = neighbours.get(nextHop)?.link;
    if (link === undefined) throw new Error('bug: the first hop of a path must be a neighbour');
    routers.set(routerId, { routerId, cost, hops, link, nextHop, validOrigins: new ValidOrigins(topology, routerId) });
  });
  const addresses = new Map<string, AddressRoute>();
  for (const key of directory.keys()) {
    const route = addressRoute(key, routers, directory, local);
    if (route !== undefined) addresses.set(key, route);
  }
  const { epoch, routerId } = previous;
  return { epoch: epoch + 1, routerId, routers, addresses, neighbours: links.confirmed(), radius: topology.radius };
}

/** A new table after a change of some addresses; the same table if none of them changed where they lead. */
export function tableWithAddresses(
  previous: RouteTable,
  changed: Iterable<string>,
  directory: AddressDirectory,
  local: LocalAddresses,
): RouteTable {
  let addresses: Map<string, AddressRoute> | undefined;
  for (const key of changed) {
    const route = addressRoute(key, previous.routers, directory, local);
    if (route === undefined && !previous.addresses.has(key)) continue;
    addresses ??= new Map(previous.addresses);
    if (route === undefined) addresses.delete(key);
    else addresses.set(key, route);
  }
  return addresses === undefined ? previous : { ...previous, epoch: previous.epoch + 1, addresses };
}

/** This router's own treatment of an address wins; otherwise that suggested by the nearest router that has it. */
function addressRoute(
  key: string,
  routers: ReadonlyMap<string, RemoteRouter>,
  directory: AddressDirectory,
  local: LocalAddresses,
): AddressRoute | undefined {
  const suggestions = directory.routersOf(key);
  if (suggestions === undefined) return undefined;
  const reachable: RemoteRouter[] = [];
  for (const routerId of suggestions.keys()) {
    const router = routers.get(routerId);
    if (router !== undefined) reachable.push(router);
  }
  const nearest = reachable.sort(nearestFirst)[0];
  if (nearest === undefined) return undefined;
  const treatment = local.treatmentOf(key) ?? suggestions.get(nearest.routerId) ?? Treatment.balanced;
  return { key, treatment, routers: reachable };
}

function nearestFirst(a: RemoteRouter, b: RemoteRouter): number {
  if (a.cost !== b.cost) return a.cost - b.cost;
  return a.routerId < b.routerId ? -1 : 1;
}
