import type { LinkRow } from '../../../src/flows/network-snapshot.ts';

export interface Path {
  /** Router ids, both ends included. */
  readonly sites: readonly string[];
  readonly cost: number;
  /** Of all links; null when one of them does not know its own. */
  readonly roundTripMs: number | null;
}

/** The path of least cost over links that are up; null when there is none. */
export function cheapestPath(links: readonly LinkRow[], from: string, to: string): Path | null {
  const costs = new Map([[from, 0]]);
  const before = new Map<string, { readonly site: string; readonly link: LinkRow }>();
  const open = new Set([from]);
  while (open.size > 0) {
    let site = '';
    for (const candidate of open) if (site === '' || costOf(candidate) < costOf(site)) site = candidate;
    open.delete(site);
    if (site === to) return pathTo(to);
    for (const link of links) {
      if (link.state !== 'up' || (link.from !== site && link.to !== site)) continue;
      const other = link.from === site ? link.to : link.from;
      const cost = costOf(site) + link.cost;
      if (cost >= costOf(other)) continue;
      costs.set(other, cost);
      before.set(other, { site, link });
      open.add(other);
    }
  }
  return null;

  function costOf(site: string): number {
    return costs.get(site) ?? Number.POSITIVE_INFINITY;
  }

  function pathTo(end: string): Path {
    const sites = [end];
    let roundTripMs: number | null = 0;
    for (let step = before.get(end); step !== undefined; step = before.get(step.site)) {
      sites.unshift(step.site);
      roundTripMs = roundTripMs === null || step.link.roundTripMs === null ? null : roundTripMs + step.link.roundTripMs;
    }
    return { sites, cost: costOf(end), roundTripMs };
  }
}
