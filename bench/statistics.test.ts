import assert from 'node:assert/strict';
import { test } from 'node:test';

import { median, medianOfRatios, percentile } from './statistics.ts';

test('the median is the middle value, or the mean of the middle two', () => {
  assert.equal(median([3, 100, 1]), 3);
  assert.equal(median([10, 9, 1, 2]), 5.5);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test('ratios are made round by round, and rounds with a failed side are left out', () => {
  // The machine was half as fast in round 2 for both, so the ratio stays; round 3 failed for one side.
  assert.equal(medianOfRatios([100, 50, 999, 120], [50, 25, undefined, 60]), 2);
  assert.ok(Number.isNaN(medianOfRatios([1], [undefined])));
});

test('a percentile is the value that so many of a hundred are not above', () => {
  const values = Float64Array.from({ length: 200 }, (_, index) => index + 1);
  assert.equal(percentile(values, 50), 100);
  assert.equal(percentile(values, 99), 198);
  assert.equal(percentile(Float64Array.of(7), 99), 7);
  assert.ok(Number.isNaN(percentile(new Float64Array(0), 50)));
});
