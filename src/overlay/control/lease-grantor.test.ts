import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerSlots } from '../layout/owners.ts';
import { addressHex, blockKey, blockOf, wholeBlock } from './address.ts';
import { Calls } from './calls.ts';
import { usualDurations } from './durations.ts';
import { LeaseGrantor } from './lease-grantor.ts';
import type { CallRecord, LeaseCall, LeaseCallAnswer } from './messages.ts';
import type { SubnetSpec } from './spec.ts';
import { slotOf, Tables } from './tables.ts';

const prefix = { address: addressHex('10.0.0.0'), length: 120, gateway: undefined, fixed: undefined };
const subnet: SubnetSpec = { subnetId: 1, vni: 7, tableId: 1, mtu: 1400, prefixes: [prefix], gatewayMac: '020000000001', createdEpoch: 1 };
const block = blockOf(addressHex('10.0.0.32'));
const slot = slotOf(7, blockKey(block));

/** Tables in which the members of an epoch are the owners of every slot. */
function tablesOf(...members: readonly (readonly [number, number])[]): Tables {
  return tablesWith([subnet], members);
}

function tablesWith(subnets: readonly SubnetSpec[], members: readonly (readonly [number, number])[]): Tables {
  const epochs = members.map((pair, at) => ({ epoch: at + 1, members: pair }));
  return new Tables({ hosts: [], subnets, epochs }, (_, [first = 0, second = 0]) =>
    Array.from({ length: ownerSlots }, () => ({ first, second })),
  );
}

class Grantors {
  readonly #all = new Map<number, { readonly grantor: LeaseGrantor; readonly calls: Calls }>();
  readonly #disks = new Map<number, Map<string, unknown>>();
  #sequence = 0;
  nowMs = 0;

  at(hostId: number): LeaseGrantor {
    let known = this.#all.get(hostId);
    if (known === undefined) {
      const calls = new Calls(usualDurations, 1);
      const disk = this.#disks.get(hostId) ?? new Map<string, unknown>();
      this.#disks.set(hostId, disk);
      const store = (key: string, value: unknown): void =>
        void (value === undefined ? disk.delete(key) : disk.set(key, structuredClone(value)));
      known = { grantor: new LeaseGrantor({ hostId, durations: usualDurations, calls, store }), calls };
      for (const [key, value] of [...disk]) known.grantor.restore(key, value, true, this.nowMs);
      this.#all.set(hostId, known);
    }
    return known.grantor;
  }

  /** A new process of the same machine. */
  restart(hostId: number): LeaseGrantor {
    this.#all.delete(hostId);
    return this.at(hostId);
  }

  ask(grantor: number, holder: number, epoch: number, kind: LeaseCall['kind'] = 'grant'): LeaseCallAnswer['outcome'] {
    const sequence = ++this.#sequence;
    return this.at(grantor).ask(
      holder,
      { type: 'lease', id: 1, kind, vni: 7, block, mask: wholeBlock, token: 0, sequence, epoch },
      this.nowMs,
    ).outcome;
  }

  /** Carries what grantors ask each other, but not to hosts that cannot be reached. */
  carry(...cutOff: readonly number[]): void {
    for (const [from, { calls }] of this.#all) {
      for (const { to, records } of calls.take()) {
        if (cutOff.includes(to)) continue;
        for (const record of records as CallRecord[]) {
          assert.ok(record.type === 'handover');
          calls.answered(to, this.at(to).handOver(record, this.nowMs), this.nowMs);
          void from;
        }
      }
    }
  }
}

const nobodyGone = (): boolean => false;

test('owners since the subnet came agree at once, in their own epoch only', () => {
  const grantors = new Grantors();
  grantors.at(1).setTables(tablesOf([1, 2]), nobodyGone);
  assert.equal(grantors.ask(1, 9, 0), 'later');
  assert.equal(grantors.ask(1, 9, 2), 'later');
  assert.equal(grantors.ask(1, 9, 1), 'agreed');
  assert.equal(grantors.ask(1, 8, 1), 'held');
  grantors.at(3).setTables(tablesOf([1, 2]), nobodyGone);
  assert.equal(grantors.ask(3, 9, 1), 'later');
});

test('a new owner agrees to nothing until an old one that knows of the epoch has told what it knows', () => {
  const grantors = new Grantors();
  grantors.at(1).setTables(tablesOf([1, 2]), nobodyGone);
  grantors.at(2).setTables(tablesOf([1, 2]), nobodyGone);
  assert.equal(grantors.ask(1, 9, 1), 'agreed');
  assert.equal(grantors.ask(2, 9, 1), 'agreed');
  grantors.at(3).setTables(tablesOf([1, 2], [3, 4]), nobodyGone);
  assert.equal(grantors.ask(3, 8, 2), 'later');
  grantors.carry();
  assert.equal(grantors.ask(3, 8, 2), 'later', 'the old ones have not heard of the epoch');
  grantors.at(1).setTables(tablesOf([1, 2], [3, 4]), nobodyGone);
  assert.equal(grantors.ask(1, 8, 1), 'later', 'an owner of before agrees to nothing any more');
  grantors.carry();
  assert.equal(grantors.ask(3, 8, 2), 'held');
  assert.equal(grantors.ask(3, 9, 2, 'renew'), 'agreed');
});

test('owners of an epoch that never knew of earlier ones prove that nothing was leased in it', () => {
  const grantors = new Grantors();
  grantors.at(1).setTables(tablesOf([1, 2]), nobodyGone);
  assert.equal(grantors.ask(1, 9, 1), 'agreed');
  const third = tablesOf([1, 2], [3, 4], [5, 6]);
  for (const hostId of [1, 3, 5]) grantors.at(hostId).setTables(third, nobodyGone);
  assert.equal(grantors.ask(5, 8, 3), 'later');
  grantors.carry(2, 4, 6);
  assert.equal(grantors.ask(5, 8, 3), 'later');
  grantors.carry(2, 4, 6);
  assert.equal(grantors.ask(5, 8, 3), 'held');
});

test('when nobody of before can be reached nothing is leased; when all are off for good, only after the time of a lease', () => {
  const grantors = new Grantors();
  const tables = tablesOf([1, 2], [3, 4]);
  grantors.at(3).setTables(tables, nobodyGone);
  assert.equal(grantors.ask(3, 8, 2), 'later');
  grantors.carry(1, 2);
  assert.equal(grantors.ask(3, 8, 2), 'later');
  const gone = new Grantors();
  gone.at(3).setTables(tables, (hostId) => hostId <= 2);
  assert.equal(gone.ask(3, 8, 2), 'later');
  gone.nowMs = usualDurations.leaseMs - 1;
  assert.equal(gone.ask(3, 8, 2), 'later');
  gone.nowMs = usualDurations.leaseMs;
  assert.equal(gone.ask(3, 8, 2), 'later');
  assert.equal(gone.ask(3, 8, 2), 'agreed');
});

test('a grantor knows after a restart what it has agreed to', () => {
  const grantors = new Grantors();
  const tables = tablesOf([1, 2]);
  grantors.at(1).setTables(tables, nobodyGone);
  assert.equal(grantors.ask(1, 9, 1), 'agreed');
  grantors.restart(1).setTables(tables, nobodyGone);
  assert.equal(grantors.ask(1, 8, 1), 'held');
  assert.equal(grantors.ask(1, 9, 1, 'renew'), 'agreed');
});

test('an owner that was none for an epoch does not trust what it knew', () => {
  const grantors = new Grantors();
  grantors.at(1).setTables(tablesOf([1, 2]), nobodyGone);
  assert.equal(grantors.ask(1, 9, 1), 'agreed');
  grantors.at(1).setTables(tablesOf([1, 2], [3, 4], [1, 2]), nobodyGone);
  assert.equal(grantors.ask(1, 9, 3, 'renew'), 'later');
  assert.ok(slot >= 0 && slot < ownerSlots);
});

test('what was leased in a subnet that is gone is free in the next one with the same addresses', () => {
  const next: SubnetSpec = { ...subnet, subnetId: 2 };
  for (const between of [[[]], []] as const) {
    const grantors = new Grantors();
    const grantor = grantors.at(1);
    grantor.setTables(tablesOf([1, 2]), nobodyGone);
    assert.equal(grantors.ask(1, 5, 1), 'agreed');
    assert.equal(grantors.ask(1, 6, 1), 'held');
    for (const subnets of between) grantor.setTables(tablesWith(subnets, [[1, 2]]), nobodyGone);
    grantor.setTables(tablesWith([next], [[1, 2]]), nobodyGone);
    assert.equal(grantors.ask(1, 6, 1), 'agreed');
    assert.equal(grantors.restart(1).size, 2, 'one lease, one slot');
  }
});
