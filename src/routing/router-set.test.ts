import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RouterSet } from './router-set.ts';

test('a set of routers gives each that came since the last time once', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(300))), (rounds) => {
      const set = new RouterSet();
      for (const round of rounds) {
        for (const router of round) set.add(router);
        assert.deepEqual(set.take(), [...new Set(round)]);
      }
      assert.deepEqual(set.take(), []);
    }),
  );
});
