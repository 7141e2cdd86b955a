import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesText, countText, percentText, roughNumber, shareText, shortNumber } from './number-text.ts';

test('rates have three digits that matter, and change their unit without a jump', () => {
  const shown = [0, 0.004, 0.25, 1.254, 9.994, 9.996, 12.44, 99.94, 99.96, 124, 999.4, 999.6, 12_400, 999_400, 999_600, 3_100_000].map(
    shortNumber,
  );
  assert.deepEqual(shown, [
    '0',
    '<0.01',
    '0.25',
    '1.25',
    '9.99',
    '10.0',
    '12.4',
    '99.9',
    '100',
    '124',
    '999',
    '1.00k',
    '12.4k',
    '999k',
    '1.00M',
    '3.10M',
  ]);
});

test('rough numbers have at most four characters up to a million', () => {
  assert.deepEqual([0.42, 3.14, 9.96, 72.4, 999.6, 1240, 12_400].map(roughNumber), ['0.42', '3.1', '10', '72', '1.0k', '1.2k', '12k']);
  fc.assert(fc.property(fc.double({ min: 0.01, max: 999_000, noNaN: true }), (value) => roughNumber(value).length <= 4));
});

test('what is not whole never looks whole', () => {
  assert.deepEqual([null, 0, 0.9, 0.99996, 1].map(percentText), ['–', '0.00%', '90.00%', '99.99%', '100.00%']);
  fc.assert(fc.property(fc.double({ min: 0, max: 0.999999, noNaN: true }), (ratio) => percentText(ratio) !== '100.00%'));
  assert.deepEqual([null, 0, 0.001, 0.5, 0.999, 1].map(shareText), ['–', '0%', '<1%', '50%', '>99%', '100%']);
});

test('a ratio with a few digits is shown as it is, though its double is a little less', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 10_000 }), (parts) => percentText(parts / 10_000) === `${(parts / 100).toFixed(2)}%`));
});

test('bytes and counts', () => {
  assert.deepEqual([-1, 0, 512, 999.7, 1254, 12_400_000, 7e15].map(bytesText), [
    '0 B',
    '0 B',
    '512 B',
    '1.00 kB',
    '1.25 kB',
    '12.4 MB',
    '7000 TB',
  ]);
  assert.deepEqual([0, 999, 1024, 1_234_567].map(countText), ['0', '999', '1,024', '1,234,567']);
});
