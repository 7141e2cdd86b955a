/** A link between two routers, as the graph of the network needs it. */
export interface PathLink {
  readonly from: string;
  readonly to: string;
  readonly cost: number;
  readonly roundTripMs: number | null;
  /** Both ends show certificates. */
  readonly isMutual: boolean;
}

/** The cheapest ways between sites. Ways from one site are computed once, when they are first asked for. */
export class SitePaths {
  readonly #neighbours = new Map<string, PathLink[]>();
  readonly #ways = new Map<string, Ways>();

  constructor(links: readonly PathLink[]) {
    for (const link of links) {
      this.#add(link.from, link);
      this.#add(link.to, { ...link, from: link.to, to: link.from });
    }
  }

  /** The link between two neighbours, the cheapest when there are several. */
  link(from: string, to: string): PathLink | undefined {
    return this.#neighbours
      .get(from)
      ?.filter((link) => link.to === to)
      .reduce<PathLink | undefined>((best, link) => (best === undefined || link.cost < best.cost ? link : best), undefined);
  }

  /** The links of the way; undefined when there is none. Empty from a site to itself. */
  path(from: string, to: string): readonly PathLink[] | undefined {
    if (from === to) return [];
    const { before } = this.#waysFrom(from);
    const path: PathLink[] = [];
    for (let at = to; at !== from;) {
      const link = before.get(at);
      if (link === undefined) return undefined;
      path.unshift(link);
      at = link.from;
    }
    return path;
  }

  cost(from: string, to: string): number | undefined {
    return this.#waysFrom(from).costs.get(to);
  }

  #add(from: string, link: PathLink): void {
    const known = this.#neighbours.get(from);
    if (known === undefined) this.#neighbours.set(from, [link]);
    else known.push(link);
  }

  #waysFrom(from: string): Ways {
    const known = this.#ways.get(from);
    if (known !== undefined) return known;
    const ways = this.#compute(from);
    this.#ways.set(from, ways);
    return ways;
  }

  /** Dijkstra's algorithm with a sorted list of what is next: networks have few links per site. */
  #compute(from: string): Ways {
    const costs = new Map([[from, 0]]);
    const before = new Map<string, PathLink>();
    const next: { readonly at: string; readonly cost: number }[] = [{ at: from, cost: 0 }];
    for (let place = next.pop(); place !== undefined; place = next.pop()) {
      if (place.cost > (costs.get(place.at) ?? Infinity)) continue;
      for (const link of this.#neighbours.get(place.at) ?? []) {
        const cost = place.cost + link.cost;
        if (cost >= (costs.get(link.to) ?? Infinity)) continue;
        costs.set(link.to, cost);
        before.set(link.to, link);
        insert(next, { at: link.to, cost });
      }
    }
    return { costs, before };
  }
}

interface Ways {
  readonly costs: ReadonlyMap<string, number>;
  /** The last link of the way to each site. */
  readonly before: ReadonlyMap<string, PathLink>;
}

/** Keeps the cheapest at the end. */
function insert(next: { readonly at: string; readonly cost: number }[], place: { readonly at: string; readonly cost: number }): void {
  let low = 0;
  let high = next.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((next[middle]?.cost ?? 0) > place.cost) low = middle + 1;
    else high = middle;
  }
  next.splice(low, 0, place);
}
