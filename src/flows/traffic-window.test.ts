import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { quantileMicroseconds } from './latency-quantile.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { addCell, emptyCell, type TrafficCell } from './traffic-total.ts';
import { TrafficWindow } from './traffic-window.ts';

function increase(count: number, bucket: number): TrafficCell {
  return { ...emptyCell(), count, success: count, buckets: [bucket], counts: [count] };
}

test('whatever is asked when, a window is the sum of its increases', () => {
  const step = fc.record({
    laterMs: fc.integer({ min: 0, max: 30_000 }),
    series: fc.integer({ min: 0, max: 3 }),
    count: fc.integer({ min: 1, max: 9 }),
    bucket: fc.integer({ min: 0, max: 5 }),
    ask: fc.option(fc.constantFrom(10_000, 30_000, 60_000, 120_000, 300_000, 900_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const window = new TrafficWindow(0, 2000);
      const all: { atMs: number; series: number; cell: TrafficCell }[] = [];
      let nowMs = 0;
      for (const { laterMs, series, count, bucket, ask } of steps) {
        nowMs += laterMs;
        const cell = increase(count, bucket);
        all.push({ atMs: nowMs, series, cell });
        window.add(series, cell, nowMs);
        if (ask === undefined) continue;
        const { coveredMs, cells } = window.sums(ask, nowMs);
        assert.ok(
          coveredMs <= ask && (coveredMs === nowMs || coveredMs > ask - (ask > 120_000 ? 10_000 : 2000)),
          `${coveredMs} of ${ask} at ${nowMs}`,
        );
        const wanted = new Map<number, TrafficCell>();
        for (const given of all) {
          if (given.atMs < nowMs - coveredMs) continue;
          const sum = wanted.get(given.series) ?? emptyCell();
          wanted.set(given.series, sum);
          addCell(sum, given.cell);
        }
        assert.deepEqual(new Map([...cells].sort(([a], [b]) => a - b)), new Map([...wanted].sort(([a], [b]) => a - b)));
      }
    }),
    { numRuns: 200 },
  );
});

test('increases that are spread stay whole, and a window that is past has its part of them', () => {
  const window = new TrafficWindow(0, 500);
  const total = increase(0, 3);
  // Ten a second, told at odd times.
  for (let atMs = 300, toldMs = 0; atMs < 20_000; toldMs = atMs, atMs += 1100) {
    const count = Math.floor(atMs / 100) - Math.floor(toldMs / 100);
    window.spread(1, increase(count, 3), toldMs, atMs);
    addCell(total, increase(count, 3));
  }
  assert.deepEqual(window.sums(20_000, 20_000).cells.get(1), total);
  for (const windowMs of [2000, 5000, 10_000]) {
    const { coveredMs, cells } = window.sums(windowMs, 15_000);
    assert.equal(coveredMs, windowMs);
    const count = cells.get(1)?.count ?? 0;
    assert.ok(Math.abs(count - windowMs / 100) <= 3, `${count} in ${windowMs} ms`);
    assert.equal(cells.get(1)?.counts[0], count);
  }
});

test('very many series make windows shorter, not memory larger', () => {
  const window = new TrafficWindow(0, 2000);
  for (let second = 0; second < 120; second += 2) {
    for (let series = 0; series < 8192; series++) window.add(series, increase(1, 0), second * 1000);
  }
  const { coveredMs, cells } = window.sums(120_000, 119_999);
  assert.equal(cells.size, 8192);
  assert.ok(coveredMs >= 60_000 && coveredMs < 70_000, String(coveredMs));
  const [cell] = cells.values();
  assert.equal(cell?.count, Math.ceil(coveredMs / 2000));
});

test('quantiles lie within the bucket of the value that was counted', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50_000_000 }), { minLength: 1, maxLength: 50 }),
      fc.constantFrom(0.5, 0.95, 0.99),
      (values, part) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const pairs = histogram
          .toText()
          .split(' ')
          .map((pair) => pair.split('=').map(Number) as [number, number]);
        const found =
          quantileMicroseconds(
            pairs.map(([bucket]) => bucket),
            pairs.map(([, count]) => count),
            part,
          ) ?? -1;
        const sorted = [...values].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
        assert.ok(found >= exact / 1.13 - 1 && found <= exact * 1.13 + 1, `${found} for ${exact}`);
      },
    ),
  );
});
