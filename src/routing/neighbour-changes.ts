import type { NeighbourLoss, RoutingDiagnostics } from './events.ts';
import type { Neighbour } from './hello.ts';

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
