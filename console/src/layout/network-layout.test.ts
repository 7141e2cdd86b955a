import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Point } from './geometry.ts';
import { networkLayout } from './network-layout.ts';
import { NetworkPlaces } from './network-places.ts';

type Pairs = readonly (readonly [string, string])[];
const four = ['aws', 'azure', 'laptop', 'remote'];
const fourPairs: Pairs = [
  ['laptop', 'azure'],
  ['remote', 'azure'],
  ['laptop', 'aws'],
  ['remote', 'aws'],
  ['azure', 'aws'],
];

function placeOf(places: ReadonlyMap<string, Point>, id: string): Point {
  const place = places.get(id);
  assert.ok(place !== undefined, `${id} has a place`);
  return place;
}

function distance(places: ReadonlyMap<string, Point>, a: string, b: string): number {
  const [from, to] = [placeOf(places, a), placeOf(places, b)];
  return Math.hypot(from.x - to.x, from.y - to.y);
}

const graph = fc.integer({ min: 1, max: 24 }).chain((count) =>
  fc.record({
    ids: fc.constant(Array.from({ length: count }, (_, index) => `site-${index}`)),
    pairs: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 60 }),
  }),
);

function named({ ids, pairs }: { readonly ids: readonly string[]; readonly pairs: readonly (readonly [number, number])[] }): Pairs {
  return pairs.map(([a, b]) => [ids[a] ?? '', ids[b] ?? '']);
}

test('four sites: the root at the left, what it reaches only through others at the right', () => {
  const places = networkLayout(four, fourPairs, 'laptop');
  assert.ok(placeOf(places, 'laptop').x < placeOf(places, 'azure').x);
  assert.ok(placeOf(places, 'azure').x < placeOf(places, 'remote').x);
  assert.ok(distance(places, 'laptop', 'remote') > 1.5);
});

test('the same network gives the same places, in whatever order it is told', () => {
  fc.assert(
    fc.property(graph, fc.infiniteStream(fc.nat()), (made, keys) => {
      const pairs = named(made);
      const shuffled = made.ids.map((id) => ({ id, key: keys.next().value ?? 0 })).sort((a, b) => a.key - b.key);
      const one = networkLayout(made.ids, pairs, made.ids[0] ?? null);
      const other = networkLayout(
        shuffled.map(({ id }) => id),
        pairs.map(([a, b]) => [b, a] as const).reverse(),
        made.ids[0] ?? null,
      );
      assert.deepEqual(new Map([...one].sort()), new Map([...other].sort()));
    }),
    { numRuns: 40 },
  );
});

test('every site has a place of its own', () => {
  fc.assert(
    fc.property(graph, (made) => {
      const places = networkLayout(made.ids, named(made), null);
      for (const a of made.ids) {
        assert.ok(Number.isFinite(placeOf(places, a).x) && Number.isFinite(placeOf(places, a).y));
        for (const b of made.ids) assert.ok(a === b || distance(places, a, b) > 0.01, `${a} lies on ${b}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('sites that have a place keep it when others come and go', () => {
  const places = new NetworkPlaces();
  const before = places.update(four, fourPairs, 'laptop');
  assert.equal(places.update(four, fourPairs, 'laptop'), before, 'nothing changed');
  const grown = places.update([...four, 'edge'], [...fourPairs, ['edge', 'aws']], 'laptop');
  for (const id of four) assert.deepEqual(placeOf(grown, id), placeOf(before, id));
  assert.ok(distance(grown, 'edge', 'aws') < 1.6, 'a new site stands beside its neighbour');
  places.update(['azure', 'laptop', 'remote'], [], 'laptop');
  const back = places.update(four, fourPairs, 'laptop');
  assert.deepEqual(placeOf(back, 'aws'), placeOf(before, 'aws'), 'it stands where it was');
});

test('a network that was hardly seen yet is placed again', () => {
  const places = new NetworkPlaces();
  places.update(['laptop'], [], 'laptop');
  const found = places.update(four, fourPairs, 'laptop');
  assert.deepEqual(found, networkLayout(four, fourPairs, 'laptop'));
});
