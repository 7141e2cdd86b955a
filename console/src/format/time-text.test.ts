import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clockText,
  dateTimeText,
  durationText,
  momentText,
  relativeText,
  roughDurationText,
  roughSpanText,
  spanText,
} from './time-text.ts';

test('durations have three digits that matter', () => {
  const shown = [null, 0, 0.42, 12.44, 124, 999.4, 999.6, 1254, 59_900, 125_000].map(durationText);
  assert.deepEqual(shown, ['–', '0 ms', '0.42 ms', '12.4 ms', '124 ms', '999 ms', '1.00 s', '1.25 s', '59.9 s', '2 min 05 s']);
  assert.deepEqual([0.42, 9.29, 24.8, 1240].map(roughDurationText), ['0.42 ms', '9.3 ms', '25 ms', '1.2 s']);
});

test('spans have their two largest units', () => {
  assert.deepEqual([-5, 12_900, 185_000, 4 * 3_600_000 + 12 * 60_000, 3 * 86_400_000 + 2.5 * 3_600_000].map(spanText), [
    '0 s',
    '12 s',
    '3 min 05 s',
    '4 h 12 min',
    '3 d 2 h',
  ]);
  assert.deepEqual([12_900, 185_000, 47 * 3_600_000, 49 * 3_600_000].map(roughSpanText), ['12 s', '3 min', '47 h', '2 d']);
});

test('from now to then', () => {
  assert.equal(relativeText(10_000, 5000), 'in 5 s');
  assert.equal(relativeText(5000, 245_000), '4 min ago');
});

test('times of the day', () => {
  const atMs = new Date(2026, 10, 1, 3, 5, 9, 34).getTime();
  assert.equal(clockText(atMs), '03:05:09');
  assert.equal(clockText(atMs, true), '03:05:09.034');
  assert.equal(dateTimeText(atMs), '2026-11-01 03:05:09');
  assert.equal(momentText(atMs, atMs + 1000), '03:05:09.034');
  assert.equal(momentText(atMs, atMs + 86_400_000), '11-01 03:05:09');
});
