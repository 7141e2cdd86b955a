import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultRouter } from './routers.ts';
import { mistakes } from './next-hops.ts';
import type { Graph } from './next-hops.ts';

/** a - b - c - d in a ring; e is alone. */
const graph: Graph = [
  ['a', 'b'],
  ['b', 'c'],
  ['c', 'd'],
  ['d', 'a'],
];

const routers = ['a', 'b', 'c', 'd', 'e'].map((name) => {
  const router = Object.create(FaultRouter.prototype) as FaultRouter;
  return Object.assign(router, { name, id: `${name}-00000000` });
});

function wrong(believed: Readonly<Record<string, string>>): string[] {
  return mistakes(graph, routers, routers[0], new Map(Object.entries(believed).map(([to, by]) => [`${to}-00000000`, `${by}-00000000`])));
}

test('of equal ways any is right; longer ways, missing ones and ways to nowhere are mistakes', () => {
  assert.deepEqual(wrong({ b: 'b', c: 'b', d: 'd' }), []);
  assert.deepEqual(wrong({ b: 'b', c: 'd', d: 'd' }), []);
  assert.deepEqual(wrong({ b: 'd', c: 'd', d: 'd' }), ['a goes to b by d']);
  assert.deepEqual(wrong({ b: 'b', d: 'd' }), ['a has no way to c']);
  assert.deepEqual(wrong({ b: 'b', c: 'c', d: 'd', e: 'b' }), ['a goes to c by c', 'a still has a way to e']);
});
