import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { httpDate } from './http-date.ts';

test('dates are those of the calendar', () => {
  assert.equal(httpDate(784_111_777_000), 'Sun, 06 Nov 1994 08:49:37 GMT');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (second) => {
      assert.equal(httpDate(second * 1000), new Date(second * 1000).toUTCString());
    }),
  );
});
