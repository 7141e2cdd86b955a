import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SchemaProblem } from '../management/schema.ts';
import { duration, parseDuration } from './duration.ts';

const durations: readonly (readonly [string, number | undefined])[] = [
  ['0s', 0],
  ['1ms', 1],
  ['90s', 90_000],
  ['15m', 900_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['1h0m0s', 3_600_000],
  ['5m30s250ms', 330_250],
  ['2d', 172_800_000],
  ['3650d', 315_360_000_000],
  ['3650d1ms', undefined],
  ['999999999d', undefined],
  ['9999999999s', undefined],
  ['1d1d1d1d1d1d', undefined],
  ['', undefined],
  ['15', undefined],
  ['m', undefined],
  ['15 m', undefined],
  [' 15m', undefined],
  ['15m\n', undefined],
  ['-1m', undefined],
  ['+1m', undefined],
  ['.5h', undefined],
  ['1.h', undefined],
  ['1e3s', undefined],
  ['15M', undefined],
  ['1w', undefined],
  ['١m', undefined],
];

for (const [text, milliseconds] of durations) {
  test(`duration ${JSON.stringify(text)} is ${milliseconds ?? 'none'}`, () => {
    assert.equal(parseDuration(text), milliseconds);
  });
}

test('a duration is the sum of its parts, and never more than ten years', () => {
  const part = fc.tuple(fc.nat(2000), fc.constantFrom('ms', 's', 'm', 'h', 'd'));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
      const [total, ...each] = [parts, ...parts.map((item) => [item])].map((list) =>
        parseDuration(list.map(([amount, unit]) => `${amount}${unit}`).join('')),
      );
      const sum = each.reduce<number>((left, right) => left + (right ?? Infinity), 0);
      assert.equal(total, sum <= 3650 * 86_400_000 ? sum : undefined);
    }),
  );
});

test('a field of this type keeps the text, and refuses nothing and no time at all', () => {
  assert.equal(duration().read('1h30m', []), '1h30m');
  for (const value of ['0s', '0.0001ms', 'soon', 15, null, true]) {
    assert.throws(
      () => duration().read(value, ['spec', 'expirationWindow']),
      (error) => error instanceof SchemaProblem && error.message.startsWith('must be a duration such as 90s, 15m or 1h30m, not '),
    );
  }
});
