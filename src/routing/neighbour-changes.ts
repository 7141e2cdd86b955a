import type { NeighbourLoss, RoutingDiagnostics } from './events.ts';
import type { Neighbour } from './hello.ts';
import { limits } from './limits.ts';
import type { RouteTable } from './route-table.ts';

type Neighbours = ReadonlyMap<string, Neighbour>;

/** Tells of neighbours that have come, changed their link or gone. `losses`: why those that are gone are. */
export function tellNeighbourChanges(
  diagnostics: RoutingDiagnostics,
  before: Neighbours,
  after: Neighbours,
  losses: ReadonlyMap<string, NeighbourLoss>,
): void {
  for (const [routerId, { link, cost }] of after) {
    const known = before.get(routerId);
    if (known === undefined) diagnostics.emit({ type: 'neighbourUp', routerId, link, cost });
    else if (known.link !== link) diagnostics.emit({ type: 'neighbourLinkChanged', routerId, link, cost });
  }
  for (const [routerId, { link }] of before) {
    if (after.has(routerId)) continue;
    diagnostics.emit({ type: 'neighbourDown', routerId, link, reason: losses.get(routerId) ?? 'link lost' });
  }
}

/** Whether nothing has changed about neighbours, their links and costs. */
export function sameNeighbours(one: Neighbours, other: Neighbours): boolean {
  if (one.size !== other.size) return false;
  for (const [routerId, { link, cost }] of one) {
    const counterpart = other.get(routerId);
    if (counterpart?.link !== link || counterpart.cost !== cost) return false;
  }
  return true;
}

/** Tells which of these routers have come into reach and which have gone out of it, by the table; of many at once only how many. */
export function tellReachability(diagnostics: RoutingDiagnostics, changed: readonly string[], { routers }: RouteTable): void {
  if (changed.length > limits.reachabilityEvents) {
    const reachable = changed.filter((routerId) => routers.has(routerId)).length;
    diagnostics.emit({ type: 'reachabilityChanged', reachable, unreachable: changed.length - reachable });
    return;
  }
  for (const routerId of changed) {
    const route = routers.get(routerId);
    if (route === undefined) diagnostics.emit({ type: 'routerUnreachable', routerId });
    else diagnostics.emit({ type: 'routerReachable', routerId, cost: route.cost, hops: route.hops, nextHop: route.nextHop });
  }
}
