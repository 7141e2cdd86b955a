/** Neighbours of each node, by index. Links to itself and to nodes that are not there are left out. */
export function neighbours(ids: readonly string[], pairs: readonly (readonly [string, string])[]): readonly (readonly number[])[] {
  const indexes = new Map(ids.map((id, index) => [id, index]));
  const found = ids.map(() => new Set<number>());
  for (const [from, to] of pairs) {
    const a = indexes.get(from);
    const b = indexes.get(to);
    if (a === undefined || b === undefined || a === b) continue;
    found[a]?.add(b);
    found[b]?.add(a);
  }
  return found.map((set) => [...set].sort((a, b) => a - b));
}

/** Hops from one node to each; Infinity to those that it does not reach. */
export function hopsFrom(start: number, adjacent: readonly (readonly number[])[]): readonly number[] {
  const hops = adjacent.map(() => Number.POSITIVE_INFINITY);
  hops[start] = 0;
  const queue = [start];
  for (let next = 0; next < queue.length; next += 1) {
    const node = queue[next] ?? 0;
    for (const other of adjacent[node] ?? []) {
      if (hops[other] !== Number.POSITIVE_INFINITY) continue;
      hops[other] = (hops[node] ?? 0) + 1;
      queue.push(other);
    }
  }
  return hops;
}

/** The parts of the graph that hang together, the largest first, those of one size by their first node. */
export function connectedParts(adjacent: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const seen = new Set<number>();
  const parts: number[][] = [];
  for (let start = 0; start < adjacent.length; start += 1) {
    if (seen.has(start)) continue;
    const part = hopsFrom(start, adjacent).flatMap((hops, node) => (hops === Number.POSITIVE_INFINITY ? [] : [node]));
    for (const node of part) seen.add(node);
    parts.push(part);
  }
  return parts.sort((a, b) => b.length - a.length || (a[0] ?? 0) - (b[0] ?? 0));
}
