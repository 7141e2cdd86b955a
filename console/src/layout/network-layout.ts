import { boundsOf, type Point } from './geometry.ts';
import { connectedParts, neighbours } from './hop-distances.ts';
import { steadyNoise, stressLayout } from './stress-layout.ts';

/** Between parts of the network that do not hang together, in hops. */
const partGap = 1;

/**
 * Places for all sites, in units of one hop: the longest extent lies across, the root at the left. The same network gives the same places,
 * in whatever order sites and links are told.
 */
export function networkLayout(
  siteIds: readonly string[],
  pairs: readonly (readonly [string, string])[],
  rootId: string | null,
): ReadonlyMap<string, Point> {
  const ids = [...siteIds].sort();
  const adjacent = neighbours(ids, pairs);
  const parts = connectedParts(adjacent);
  const singles = parts.filter((part) => part.length === 1).flat();
  const places = new Map<string, Point>();
  let top = 0;
  for (const part of parts.filter(({ length }) => length > 1)) {
    const own = part.map((node) => ids[node] ?? '');
    const place = turned(own, stressLayout(own, within(part, adjacent)), rootId);
    const bounds = boundsOf(place);
    for (const [index, id] of own.entries()) {
      const { x, y } = place[index] ?? { x: 0, y: 0 };
      places.set(id, { x: x - bounds.x - bounds.width / 2, y: y - bounds.y + top });
    }
    top += bounds.height + partGap;
  }
  placeSingles(
    singles.map((node) => ids[node] ?? ''),
    top,
    places,
  );
  return places;
}

function within(part: readonly number[], adjacent: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const indexes = new Map(part.map((node, index) => [node, index]));
  return part.map((node) => (adjacent[node] ?? []).flatMap((other) => indexes.get(other) ?? []));
}

/** Sites without any link stand in rows below the others. */
function placeSingles(ids: readonly string[], top: number, places: Map<string, Point>): void {
  const perRow = Math.max(4, Math.ceil(Math.sqrt(ids.length * 2)));
  const width = Math.min(perRow, ids.length) - 1;
  for (const [index, id] of ids.entries()) {
    places.set(id, { x: (index % perRow) - width / 2, y: top + Math.floor(index / perRow) * 0.8 });
  }
}

/** Turned so that the longest extent lies across, with the root (or else the first site) at the left, and the first other site above. */
function turned(ids: readonly string[], places: readonly Point[], rootId: string | null): readonly Point[] {
  const count = places.length;
  const middle = {
    x: places.reduce((sum, { x }) => sum + x, 0) / count,
    y: places.reduce((sum, { y }) => sum + y, 0) / count,
  };
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (const place of places) {
    const x = place.x - middle.x;
    const y = place.y - middle.y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  const angle = 0.5 * Math.atan2(2 * xy, xx - yy);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const flat = places.map(({ x, y }) => ({
    x: (x - middle.x) * cos + (y - middle.y) * sin,
    y: (y - middle.y) * cos - (x - middle.x) * sin,
  }));
  const rootIndex = Math.max(0, ids.indexOf(rootId ?? ''));
  const root = flat[rootIndex] ?? { x: 0, y: 0 };
  // A root in the middle does not say what is left: noise of its name does, always in the same way.
  const flipX = Math.abs(root.x) > 0.05 ? root.x > 0 : steadyNoise(ids[rootIndex] ?? '') > 0;
  const above = flat.find(({ y }, index) => index !== rootIndex && Math.abs(y) > 0.05);
  const flipY = above !== undefined && above.y > 0;
  return flat.map(({ x, y }) => ({ x: flipX ? -x : x, y: flipY ? -y : y }));
}
