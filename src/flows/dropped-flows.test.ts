import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DroppedFlows } from './dropped-flows.ts';

test('what was lost is known for a window, by the second and then by the minute, and in all', () => {
  const dropped = new DroppedFlows();
  const startMs = 1_800_000_000_000;
  dropped.add(0, startMs);
  dropped.add(5, startMs);
  dropped.add(7, startMs + 3_600_000);
  dropped.add(1, startMs + 3_610_500);
  const nowMs = startMs + 3_611_000;
  assert.equal(dropped.within(1000, nowMs), 1);
  assert.equal(dropped.within(60_000, nowMs), 8);
  assert.equal(dropped.within(900_000, nowMs), 8);
  assert.equal(dropped.within(1_800_000, nowMs), 8);
  assert.equal(dropped.within(7_200_000, nowMs), 13);
  assert.equal(dropped.total, 13);
  // Every second for a long time: the quarter of an hour is whole, and no more is kept than that.
  for (let second = 0; second < 4000; second++) dropped.add(1, nowMs + second * 1000);
  assert.equal(dropped.within(900_000, nowMs + 3_999_000), 901);
  assert.equal(dropped.total, 4013);
  dropped.add(1, nowMs - 5_000_000);
  assert.equal(dropped.within(2000, nowMs + 3_999_000), 4);
});
