import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backendSlots } from '../layout/service.ts';
import { maglevTable } from './maglev-table.ts';

function membersOf(count: number, salt: number): string[] {
  return Array.from({ length: count }, (_, at) => `10.${salt & 255}.${at >> 8}.${at & 255}:80`);
}

function sharesOf(table: Uint16Array, count: number): number[] {
  const shares = Array.from({ length: count }, () => 0);
  for (const member of table) shares[member]!++;
  return shares;
}

test('shares differ by one slot at most, which is less than 2 % of all', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: backendSlots }), fc.nat(255), (count, salt) => {
      const shares = sharesOf(maglevTable(membersOf(count, salt)), count);
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
      for (const share of shares) assert.ok(Math.abs(share / backendSlots - 1 / count) < 0.02);
    }),
    { numRuns: 60 },
  );
});

test('the table follows from the set of members, not from their order', () => {
  const members = membersOf(20, 3);
  const names = (list: readonly string[]): (string | undefined)[] => Array.from(maglevTable(list), (index) => list[index]);
  assert.deepEqual(names(members.toReversed()), names(members));
});

test('who goes takes little more than its own slots along', () => {
  let moved = 0;
  let cases = 0;
  for (const count of [2, 3, 5, 10, 25, 50]) {
    for (let salt = 0; salt < 10; salt++) {
      const before = membersOf(count, salt);
      const gone = salt % count;
      const after = before.toSpliced(gone, 1);
      const [old, now] = [maglevTable(before), maglevTable(after)];
      let others = 0;
      for (let slot = 0; slot < backendSlots; slot++) {
        if (old[slot] !== gone && before[old[slot]!] !== after[now[slot]!]) others++;
      }
      moved += others;
      cases++;
      assert.ok(others < backendSlots * 0.3, `${others} slots of ${count} members moved that need not`);
    }
  }
  assert.ok(moved / cases < backendSlots * 0.12, `on average ${moved / cases} slots moved that need not`);
});

test('without members there is no table, and more members than slots fill it', () => {
  assert.equal(maglevTable([]).length, 0);
  const table = maglevTable(membersOf(400, 1));
  assert.equal(new Set(table).size, backendSlots);
});
