import type { Point } from './geometry.ts';
import { hopsFrom } from './hop-distances.ts';

const mostRounds = 90;
const leastRounds = 12;
const powerRounds = 40;
/** Pairs of nodes that are looked at in all rounds together: about a second. */
const pairLimit = 25_000_000;

/** A number from -0.5 to 0.5 that is always the same for the same key: breaks ties without chance. */
export function steadyNoise(key: string): number {
  let hash = 0x81_1c_9d_c5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01_00_01_93);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c_1b_3c_6d);
  hash ^= hash >>> 13;
  return (hash >>> 0) / 0x1_00_00_00_00 - 0.5;
}

/**
 * Places for the nodes of one connected graph, so that distances come near the hops between them (in units of one hop): classical scaling
 * for a start, then stress majorization. The same graph always gives the same places. Nodes with an entry in `fixed` stay there.
 */
export function stressLayout(
  ids: readonly string[],
  adjacent: readonly (readonly number[])[],
  fixed: ReadonlyMap<number, Point> = new Map(),
  start: ReadonlyMap<number, Point> = new Map(),
): readonly Point[] {
  const count = ids.length;
  if (count === 1) return [fixed.get(0) ?? { x: 0, y: 0 }];
  const hops = ids.map((_, node) => hopsFrom(node, adjacent));
  const places = start.size + fixed.size > 0 ? besidePlaced(ids, adjacent, new Map([...start, ...fixed])) : classicalScaling(ids, hops);
  const rounds = Math.max(leastRounds, Math.min(mostRounds, Math.floor(pairLimit / (count * count))));
  for (let round = 0; round < rounds; round += 1) {
    for (let node = 0; node < count; node += 1) {
      if (!fixed.has(node)) places[node] = pulled(node, places, hops[node] ?? []);
    }
  }
  return places;
}

/** Where the others want a node: each at its distance, near ones with more weight. */
function pulled(node: number, places: readonly Point[], hops: readonly number[]): Point {
  const own = places[node] ?? { x: 0, y: 0 };
  let x = 0;
  let y = 0;
  let weights = 0;
  for (let other = 0; other < places.length; other += 1) {
    const place = places[other];
    const distance = hops[other] ?? 0;
    if (other === node || place === undefined || distance === Number.POSITIVE_INFINITY) continue;
    const weight = 1 / (distance * distance);
    const dx = own.x - place.x;
    const dy = own.y - place.y;
    const length = Math.max(1e-6, Math.hypot(dx, dy));
    x += weight * (place.x + (distance * dx) / length);
    y += weight * (place.y + (distance * dy) / length);
    weights += weight;
  }
  return weights === 0 ? own : { x: x / weights, y: y / weights };
}

/** Nodes without a place begin near a neighbour that has one. */
function besidePlaced(ids: readonly string[], adjacent: readonly (readonly number[])[], placed: ReadonlyMap<number, Point>): Point[] {
  const places: (Point | undefined)[] = ids.map((_, node) => placed.get(node));
  for (let round = 0; round < ids.length && places.includes(undefined); round += 1) {
    for (const [node, id] of ids.entries()) {
      if (places[node] !== undefined) continue;
      const beside = (adjacent[node] ?? []).map((other) => places[other]).find((place) => place !== undefined);
      if (beside === undefined && round < ids.length - 1) continue;
      const angle = steadyNoise(id) * 2 * Math.PI;
      places[node] = { x: (beside?.x ?? 0) + Math.cos(angle), y: (beside?.y ?? 0) + Math.sin(angle) };
    }
  }
  return places.map((place) => place ?? { x: 0, y: 0 });
}

/** The two directions in which the squared distances differ most, by power iteration. */
function classicalScaling(ids: readonly string[], hops: readonly (readonly number[])[]): Point[] {
  const count = ids.length;
  const squares = hops.map((row) => row.map((value) => value * value));
  const means = squares.map((row) => row.reduce((sum, value) => sum + value, 0) / count);
  const mean = means.reduce((sum, value) => sum + value, 0) / count;
  const matrix = squares.map((row, a) => row.map((value, b) => -0.5 * (value - (means[a] ?? 0) - (means[b] ?? 0) + mean)));
  const first = eigenvector(
    matrix,
    ids.map((id) => steadyNoise(`${id}/x`)),
    null,
  );
  const second = eigenvector(
    matrix,
    ids.map((id) => steadyNoise(`${id}/y`)),
    first.vector,
  );
  return ids.map((id, node) => ({
    x: (first.vector[node] ?? 0) * Math.sqrt(Math.max(0, first.value)) + steadyNoise(`${id}/a`) * 0.2,
    y: (second.vector[node] ?? 0) * Math.sqrt(Math.max(0, second.value)) + steadyNoise(`${id}/b`) * 0.2,
  }));
}

function eigenvector(
  matrix: readonly (readonly number[])[],
  start: readonly number[],
  orthogonalTo: readonly number[] | null,
): { readonly vector: readonly number[]; readonly value: number } {
  let vector = start;
  let value = 0;
  for (let round = 0; round < powerRounds; round += 1) {
    let next = matrix.map((row) => dot(row, vector));
    if (orthogonalTo !== null) {
      const along = dot(next, orthogonalTo);
      next = next.map((entry, index) => entry - along * (orthogonalTo[index] ?? 0));
    }
    value = Math.hypot(...next);
    if (value < 1e-9) return { vector: start.map(() => 0), value: 0 };
    vector = next.map((entry) => entry / value);
  }
  return { vector, value };
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}
