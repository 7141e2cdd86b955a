import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chartPaths, niceCeiling } from './chart-paths.ts';
import { waterfallBars } from './waterfall-bars.ts';

test('a line breaks where there is no value', () => {
  assert.deepEqual(chartPaths([0, 10, null, 5], 30, 12, 0, 10), ['M0.0 11.0L10.0 1.0', 'M30.0 6.0h1.5']);
  assert.deepEqual(chartPaths([], 30, 12, 0, 10), []);
  assert.deepEqual(chartPaths([null], 30, 12, 0, 10), []);
});

test('scales end at a round number', () => {
  assert.deepEqual([0, 0.03, 1, 1.1, 4, 73, 501].map(niceCeiling), [1, 0.05, 1, 2, 5, 100, 1000]);
});

test('bars of a waterfall stay inside, and a site keeps its colour', () => {
  const span = (site: string, startMs: number, durationMs: number): Parameters<typeof waterfallBars>[0][number] => ({
    site,
    what: '',
    startMs,
    durationMs,
    basis: 'measured',
  });
  const { bars, lengthMs } = waterfallBars([span('east', 0, 0), span('west', 2, 6), span('east', 8, 2)]);
  assert.equal(lengthMs, 10);
  assert.deepEqual(
    bars.map(({ siteIndex }) => siteIndex),
    [0, 1, 0],
  );
  for (const { left, width } of bars) assert.ok(left >= 0 && width > 0 && left + width <= 1 + 1e-9);
  assert.deepEqual(waterfallBars([]), { bars: [], lengthMs: 0 });
});
