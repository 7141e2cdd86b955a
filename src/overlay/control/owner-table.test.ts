import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ownerSlots, type Owners } from '../layout/owners.ts';
import { ownerTable } from './owner-table.ts';

const hosts = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);
const roles = ({ first, second }: Owners): number[] => [first, second];

test('a slot has two different owners; one host is alone, none is nobody', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.uniqueArray(fc.integer({ min: 1, max: 4095 }), { maxLength: 40 }),
      (seed, members) => {
        const table = ownerTable(seed, members);
        assert.equal(table.length, ownerSlots);
        for (const { first, second } of table) {
          assert.equal(members.includes(first), members.length > 0);
          assert.equal(members.includes(second), members.length > 1);
          if (members.length > 1) assert.notEqual(first, second);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('the order of the members does not matter', () => {
  assert.deepEqual(ownerTable(5, hosts(20)), ownerTable(5, hosts(20).toReversed()));
});

test('a host that goes moves its own roles only, and its second steps up', () => {
  for (const count of [2, 3, 10, 100, 1000]) {
    const before = ownerTable(7, hosts(count));
    const after = ownerTable(7, hosts(count).slice(1));
    for (const [slot, owners] of before.entries()) {
      const now = after[slot];
      if (owners.first === 1) assert.equal(now.first, owners.second);
      else if (owners.second === 1) assert.equal(now.first, owners.first);
      else assert.deepEqual(now, owners);
    }
  }
});

test('a host that comes moves about 1/n of the roles', () => {
  for (const count of [4, 10, 50]) {
    let moved = 0;
    const seeds = 20;
    for (let seed = 0; seed < seeds; seed++) {
      const before = ownerTable(seed, hosts(count));
      const after = ownerTable(seed, hosts(count + 1));
      for (const [slot, owners] of after.entries()) moved += roles(owners).filter((host) => !roles(before[slot]).includes(host)).length;
    }
    const share = moved / (seeds * ownerSlots * 2);
    assert.ok(Math.abs(share - 1 / (count + 1)) < 0.25 / count, `${share} of the roles for one host of ${count + 1}`);
  }
});

test('roles are spread evenly', () => {
  const held = new Map<number, number>();
  for (let seed = 0; seed < 40; seed++) {
    for (const owners of ownerTable(seed, hosts(10))) for (const host of roles(owners)) held.set(host, (held.get(host) ?? 0) + 1);
  }
  const mean = (40 * ownerSlots * 2) / 10;
  for (const count of held.values()) assert.ok(Math.abs(count - mean) < mean * 0.1, `${count} roles of a mean of ${mean}`);
});
