import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shortName, visibleName } from './visible-name.ts';

test('characters that deceive are shown as escapes', () => {
  assert.equal(visibleName('a\u202Eb\u0007c\u200Bd\n'), String.raw`a\u202eb\x07c\u200bd\x0a`);
  assert.equal(visibleName('<img src=x> Zürich 東京'), '<img src=x> Zürich 東京');
});

test('a short name keeps start and end, and is never longer than it may be', () => {
  assert.equal(shortName('branch-ap-south-032', 11), 'branch…-032');
  assert.equal(shortName('laptop', 6), 'laptop');
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 1, max: 30 }),
      (name, length) => Array.from(shortName(name, length)).length <= length,
    ),
  );
});
