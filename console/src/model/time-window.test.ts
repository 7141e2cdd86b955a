import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextWindowMs, timeWindows, windowOption, windowText } from './time-window.ts';

test('windows by text and as an option, one after the other', () => {
  assert.deepEqual([10_000, 60_000, 600_000, 5_000].map(windowText), ['10 s', '1 min', '10 min', '5 s']);
  assert.deepEqual([10_000, 60_000, 600_000, 5_000].map(windowOption), ['10s', null, '10m', '5s']);
  assert.deepEqual(
    timeWindows.map(({ ms }) => nextWindowMs(ms)),
    [60_000, 600_000, 10_000],
  );
  assert.equal(nextWindowMs(5_000), 10_000);
});
