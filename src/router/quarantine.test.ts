import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Quarantine } from './quarantine.ts';

test('a router is kept out for longer each time, up to ten minutes, and starts anew after a quiet while', () => {
  const quarantine = new Quarantine();
  assert.equal(quarantine.leftMs('A', 0), 0);
  let nowMs = 0;
  const durations = Array.from({ length: 8 }, () => {
    const durationMs = quarantine.add('A', nowMs);
    assert.equal(quarantine.leftMs('A', nowMs), durationMs);
    nowMs += durationMs;
    assert.equal(quarantine.leftMs('A', nowMs), 0);
    return durationMs;
  });
  assert.deepEqual(durations, [10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]);
  assert.equal(quarantine.leftMs('B', nowMs), 0);
  assert.equal(quarantine.add('A', nowMs + 1_800_000), 10_000);
});

test('routers beyond the limit make the oldest be forgotten', () => {
  const quarantine = new Quarantine();
  for (let router = 0; router <= 1_024; router++) quarantine.add(`r${router}`, 0);
  assert.equal(quarantine.leftMs('r0', 0), 0);
  assert.equal(quarantine.leftMs('r1', 0), 10_000);
  assert.equal(quarantine.leftMs('r1024', 0), 10_000);
});
