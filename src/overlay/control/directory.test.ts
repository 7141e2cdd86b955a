import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressHex } from './address.ts';
import { digestOf, Directory, emptyDigest, isSameDigest, type DirectoryEntry } from './directory.ts';
import { usualDurations } from './durations.ts';

const { graveMs } = usualDurations;

function entry(host: number, generation: number, last = 5, vni = 7): DirectoryEntry {
  return { vni, address: addressHex(`10.0.0.${last}`), hostId: host, generation, identity: 0, flags: 0, mac: '020000000005' };
}

test('whatever the order of calls and however often they come, the newest generation stays', () => {
  const calls = fc.record({ isPut: fc.boolean(), generation: fc.integer({ min: 1, max: 8 }) });
  fc.assert(
    fc.property(fc.array(calls, { minLength: 1, maxLength: 20 }), fc.infiniteStream(fc.nat(1000)), (made, order) => {
      const shuffled = made.map((call) => ({ call, key: order.next().value ?? 0 })).sort((a, b) => a.key - b.key);
      const directory = new Directory(usualDurations);
      for (const { call } of [...shuffled, ...shuffled]) {
        if (call.isPut) directory.put(entry(call.generation, call.generation), call.generation, 0);
        else directory.delete(7, entry(1, 1).address, call.generation, 0);
      }
      const deleted = Math.max(0, ...made.filter(({ isPut }) => !isPut).map(({ generation }) => generation));
      const placed = Math.max(0, ...made.filter(({ isPut }) => isPut).map(({ generation }) => generation));
      assert.equal(directory.get(7, entry(1, 1).address)?.generation, placed > deleted ? placed : undefined);
    }),
  );
});

test('a put that comes after the deletion revives nothing, while the grave is there', () => {
  const directory = new Directory(usualDurations);
  directory.put(entry(1, 4), 1, 0);
  directory.delete(7, entry(1, 4).address, 4, 10);
  assert.deepEqual(directory.put(entry(1, 4), 1, 20), { isAccepted: false, isChanged: false, generation: 4 });
  assert.equal(directory.graves, 1);
  directory.sweep(10 + graveMs);
  assert.equal(directory.graves, 0);
});

test('the digest is that of the entries, whatever came and went', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ last: fc.integer({ min: 1, max: 20 }), host: fc.integer({ min: 1, max: 3 }), isPut: fc.boolean() }), {
        maxLength: 60,
      }),
      (steps) => {
        const directory = new Directory(usualDurations);
        for (const [at, { last, host, isPut }] of steps.entries()) {
          if (isPut) directory.put(entry(host, at + 1, last), at, 0);
          else directory.forget(7, entry(host, 0, last).address);
        }
        for (const host of [1, 2, 3]) {
          const own = [...directory.entries()].filter(({ hostId }) => hostId === host);
          assert.ok(isSameDigest(directory.digest(host, 7), digestOf(own)));
        }
        assert.deepEqual(directory.digest(9, 7), emptyDigest);
      },
    ),
    { numRuns: 60 },
  );
});

test('of one host what it said last counts, also with an older generation', () => {
  const directory = new Directory(usualDurations);
  directory.put(entry(1, 5), 10, 0);
  assert.equal(directory.put({ ...entry(1, 5), mac: '020000000009' }, 9, 0).isAccepted, false);
  assert.equal(directory.put({ ...entry(1, 5), mac: '020000000009' }, 11, 0).isChanged, true);
  assert.equal(directory.put(entry(1, 2), 12, 0).isChanged, true);
  assert.equal(directory.get(7, entry(1, 1).address)?.generation, 2);
  assert.equal(directory.put(entry(2, 2), 99, 0).isAccepted, false);
});

test('VNIs are apart', () => {
  const directory = new Directory(usualDurations);
  directory.put(entry(1, 4), 1, 0);
  assert.equal(directory.get(8, entry(1, 4).address), undefined);
  directory.put(entry(2, 1, 5, 8), 1, 0);
  assert.equal(directory.get(7, entry(1, 4).address)?.hostId, 1);
  assert.equal(directory.get(8, entry(1, 4).address)?.hostId, 2);
});

test('a list says nothing about entries that are younger, or of other ranges, or of other hosts', () => {
  const directory = new Directory(usualDurations);
  directory.put(entry(1, 1, 3), 10, 0);
  directory.put(entry(1, 1, 4), 20, 0);
  directory.put(entry(1, 1, 9), 10, 0);
  directory.put(entry(2, 1, 5), 10, 0);
  const list = { hostId: 1, vni: 7, from: addressHex('10.0.0.0'), to: addressHex('10.0.0.9'), sequence: 15 };
  const missing = directory.missingIn(list, new Set());
  assert.deepEqual(
    missing.map(({ address }) => address),
    [addressHex('10.0.0.3')],
  );
  assert.deepEqual(directory.missingIn({ ...list, to: undefined }, new Set([addressHex('10.0.0.3')])).length, 1);
});

test('buckets that their hosts do not speak of are found', () => {
  const directory = new Directory(usualDurations);
  directory.put(entry(1, 1), 1, 0);
  directory.put(entry(2, 1, 6), 1, 50);
  assert.deepEqual([...directory.unconfirmed(40)], [{ hostId: 1, vni: 7 }]);
  directory.confirm(1, 7, 60);
  assert.deepEqual([...directory.unconfirmed(40)], []);
});
