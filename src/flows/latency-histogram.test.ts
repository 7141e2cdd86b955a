import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LatencyHistogram, bucketCount } from './latency-histogram.ts';

const latency = fc.oneof(fc.nat(20), fc.nat(100_000), fc.nat(100_000_000));
const latencies = fc.array(latency, { minLength: 1, maxLength: 200 });

function histogramOf(values: readonly number[]): LatencyHistogram {
  const histogram = new LatencyHistogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

function countsOf(histogram: LatencyHistogram): number[] {
  return Array.from({ length: bucketCount }, (_, bucket) => histogram.countOf(bucket));
}

test('a quantile is not wrong by more than 6 %', () => {
  fc.assert(
    fc.property(latencies, fc.double({ min: 0, max: 1, noNaN: true }), (values, part) => {
      const sorted = values.toSorted((one, other) => one - other);
      const exact = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
      const told = histogramOf(values).quantile(part) ?? -1;
      assert.ok(Math.abs(told - exact) <= 0.06 * exact, `${told} for ${exact}`);
    }),
  );
});

test('every bucket ends where the next one begins, and times have a bucket that holds them', () => {
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const end = LatencyHistogram.upperBound(bucket);
    if (end > 100_000_000) break;
    assert.equal(histogramOf([end - 1]).countOf(bucket), 1);
    assert.equal(histogramOf([end]).countOf(bucket), 0);
  }
});

test('times out of range count as the shortest and the longest', () => {
  const histogram = histogramOf([-5, Number.NaN, 1e12, Infinity]);
  assert.equal(histogram.countOf(0), 2);
  assert.equal(histogram.count, 4);
  assert.ok(Math.abs((histogram.quantile(1) ?? 0) - 1e8) < 6e6);
});

test('two add up to one of both, and the difference to an earlier one is what came since', () => {
  fc.assert(
    fc.property(latencies, latencies, (before, after) => {
      const earlier = histogramOf(before);
      const both = histogramOf([...before, ...after]);
      const sum = histogramOf(before);
      sum.merge(histogramOf(after));
      assert.deepEqual(countsOf(sum), countsOf(both));
      assert.deepEqual(countsOf(both.since(earlier)), countsOf(histogramOf(after)));
      assert.equal(both.since(earlier).count, after.length);
    }),
  );
  assert.equal(new LatencyHistogram().since(histogramOf([5])).count, 0);
});

test('its text is read again, and nothing else is', () => {
  assert.equal(histogramOf([12, 12, 13]).toText(), '12=2 13=1');
  fc.assert(
    fc.property(latencies, (values) => {
      const histogram = histogramOf(values);
      const read = LatencyHistogram.fromText(histogram.toText());
      assert.ok(read !== undefined);
      assert.deepEqual(countsOf(read), countsOf(histogram));
    }),
  );
  assert.equal(LatencyHistogram.fromText('')?.count, 0);
  for (const text of [
    'x',
    '1',
    '1=',
    '=1',
    '200=1',
    '1=1,2=2',
    '1=-1',
    '1=1  2=2',
    '1=1.5',
    '1=99999999999999999',
    `1=${'1'.repeat(5000)}`,
  ]) {
    assert.equal(LatencyHistogram.fromText(text), undefined, text.slice(0, 20));
  }
  fc.assert(fc.property(fc.string(), (text) => void LatencyHistogram.fromText(text)));
});

test('cleared, it has no quantile', () => {
  const histogram = histogramOf([1, 2]);
  histogram.clear();
  assert.equal(histogram.quantile(0.5), undefined);
  assert.equal(histogram.count, 0);
});
