import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkDamping } from './link-damping.ts';

/** How long a neighbour is held back that goes away each `periodMs` and comes back at once, in the life that `instanceOf` gives. */
function holds(times: number, periodMs: number, instanceOf: (time: number) => number): number[] {
  const damping = new LinkDamping();
  return Array.from({ length: times }, (_, time) => {
    damping.lost('b', instanceOf(time), time * periodMs);
    return damping.holdMs('b', instanceOf(time + 1), time * periodMs + 1);
  });
}

test('a link that comes and goes is held back longer each time', () => {
  assert.deepEqual(
    holds(6, 3000, () => 1),
    [0, 250, 1000, 4000, 8000, 8000],
  );
});

test('a router that is started again is not held back, unless it does not stay', () => {
  assert.deepEqual(
    holds(6, 6000, (time) => time),
    [0, 0, 0, 0, 0, 0],
  );
  const restless = holds(8, 1000, (time) => time);
  assert.ok(restless.filter((holdMs) => holdMs >= 1000).length >= 3, restless.join());
});
