import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkDamping, type Hold } from './link-damping.ts';

/** How long a neighbour is held back that goes away each `periodMs` and comes back `downMs` later, in the life that `instanceOf` gives. */
function holds(times: number, periodMs: number, downMs: number, instanceOf: (time: number) => number): Hold[] {
  const damping = new LinkDamping();
  return Array.from({ length: times }, (_, time) => {
    damping.lost('b', instanceOf(time), time * periodMs);
    return damping.hold('b', instanceOf(time + 1), time * periodMs + downMs);
  });
}

function times(all: readonly Hold[], which: keyof Hold): number[] {
  return all.map((hold) => hold[which]);
}

test('a link that comes and goes is held back longer each time, less where it is the only way', () => {
  const flapping = holds(7, 400, 200, () => 1);
  assert.deepEqual(times(flapping, 'ms'), [1000, 1000, 4000, 8000, 8000, 8000, 8000]);
  assert.deepEqual(times(flapping, 'soleMs'), [0, 1000, 2000, 2000, 2000, 2000, 2000]);
});

test('a link that comes back after a while, or goes seldom, is not held back', () => {
  assert.deepEqual(times(holds(6, 8_000, 4_000, () => 1), 'ms'), [0, 0, 0, 0, 0, 0]); // prettier-ignore
  assert.deepEqual(times(holds(3, 8_000, 999, () => 1), 'ms'), [1000, 1000, 1000]); // prettier-ignore
  assert.deepEqual(times(holds(3, 8_000, 999, () => 1), 'soleMs'), [0, 0, 0]); // prettier-ignore
});

test('what a link has done is forgotten within 40 s', () => {
  const damping = new LinkDamping();
  for (let nowMs = 0; nowMs < 60_000; nowMs += 400) damping.lost('b', 1, nowMs);
  assert.equal(damping.hold('b', 1, 61_500).ms, 8000);
  damping.lost('b', 1, 99_600);
  assert.equal(damping.hold('b', 1, 101_000).ms, 0);
});

test('a router that is started again is not held back, unless it does not stay', () => {
  assert.deepEqual(times(holds(6, 6000, 1, (time) => time), 'ms'), [0, 0, 0, 0, 0, 0]); // prettier-ignore
  const restless = times(holds(8, 1000, 1, (time) => time), 'ms'); // prettier-ignore
  assert.ok(restless.filter((ms) => ms >= 1000).length >= 3, restless.join());
});
