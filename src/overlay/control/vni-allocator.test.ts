import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocateVni, freeVni, noVnis } from './vni-allocator.ts';

test('no VNI is used twice, nor again before it has rested', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ isFree: fc.boolean(), at: fc.nat(20), waitMs: fc.nat(20_000) }), { maxLength: 60 }), (steps) => {
      // Close to the end of the numbers, where they begin anew.
      let state = { ...noVnis, last: 0xfffffd };
      let nowMs = 0;
      const freedMs = new Map<number, number>();
      for (const { isFree, at, waitMs } of steps) {
        nowMs += waitMs;
        const vni = state.used[at % Math.max(1, state.used.length)];
        if (isFree && vni !== undefined) {
          state = freeVni(state, vni, nowMs);
          freedMs.set(vni, nowMs);
          continue;
        }
        const allocated = allocateVni(state, nowMs, 30_000);
        assert.ok(allocated.vni >= 1 && allocated.vni <= 0xffffff);
        assert.ok(!state.used.includes(allocated.vni));
        assert.ok(nowMs >= (freedMs.get(allocated.vni) ?? -Infinity) + 30_000);
        state = allocated.state;
      }
    }),
  );
});

test('there is an end to VPCs', () => {
  const full = { used: Array.from({ length: 16_384 }, (_, at) => at + 1), resting: [], last: 16_384 };
  assert.throws(() => allocateVni(full, 0, 30_000), { code: 'vnis-exhausted' });
  assert.equal(allocateVni(freeVni(full, 5, 0), 30_000, 30_000).vni, 16_385);
});
