import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressHex, blockAt, blockOf, wholeBlock, type Prefix } from './address.ts';
import { AddressPool } from './address-pool.ts';
import { usualDurations } from './durations.ts';
import type { SubnetSpec } from './spec.ts';

const { reuseAfterMs } = usualDurations;

function pool(text: string, length: number, gateway?: string, fixed?: Prefix): AddressPool {
  const prefix = { address: addressHex(text), length, gateway: gateway === undefined ? undefined : addressHex(gateway), fixed };
  const subnet: SubnetSpec = {
    subnetId: 1,
    vni: 7,
    tableId: 1,
    mtu: 1400,
    prefixes: [prefix],
    gatewayMac: '020000000001',
    createdEpoch: 1,
  };
  return new AddressPool(subnet, prefix, usualDurations);
}

test('a block gives each of its addresses once; those of the network, the gateway and DNS never', () => {
  const addresses = pool('10.0.0.0', 120, '10.0.0.1');
  addresses.hold(blockOf(addressHex('10.0.0.0')), wholeBlock, 1, 1000, 0);
  const given = new Set<string>();
  for (let placement = addresses.take(0); placement !== undefined; placement = addresses.take(0)) given.add(placement.address);
  assert.equal(given.size, 13);
  for (const reserved of ['10.0.0.0', '10.0.0.1', '10.0.0.2']) assert.ok(!given.has(addressHex(reserved)));
});

test('an address rests before it is used again, and comes back with a newer generation; the one that rested longest is first', () => {
  const addresses = pool('10.0.0.0', 125, '10.0.0.1');
  addresses.hold(blockOf(addressHex('10.0.0.0')), wholeBlock, 3, 1e9, 0);
  const given = Array.from({ length: 4 }, () => addresses.take(0));
  assert.equal(addresses.take(0), undefined);
  for (const [at, placement] of given.entries()) addresses.free(placement!.address, 100 - at);
  assert.equal(addresses.take(95 + reuseAfterMs), undefined);
  const again = addresses.take(100 + reuseAfterMs);
  assert.equal(again?.address, given.at(-1)?.address);
  assert.ok(again!.generation > given.at(-1)!.generation);
  assert.equal(given[0]?.generation, 3 * 65_536);
});

test('nothing is given after the lease, and a later lease raises the generations', () => {
  const addresses = pool('10.0.0.0', 120);
  const block = blockOf(addressHex('10.0.0.16'));
  addresses.hold(block, wholeBlock, 1, 1000, 0);
  const first = addresses.takeFixed(addressHex('10.0.0.20'), 999);
  assert.ok(first !== undefined);
  assert.equal(addresses.take(1000), undefined);
  assert.ok(addresses.needsBlock(1000));
  addresses.free(first.address, 1000);
  addresses.hold(block, wholeBlock, 2, 1e9, 1000);
  assert.ok(addresses.takeFixed(first.address, 1000 + reuseAfterMs)!.generation >= 2 * 65_536);
});

test('an address that was let go is never given again', () => {
  const addresses = pool('10.0.0.0', 120);
  const address = addressHex('10.0.0.20');
  addresses.hold(blockOf(address), wholeBlock, 1, 1e9, 0);
  assert.equal(addresses.letGo(address), true);
  assert.equal(addresses.takeFixed(address, 0), undefined);
  const given = Array.from({ length: 16 }, () => addresses.take(0)?.address);
  assert.ok(!given.includes(address));
});

test('blocks to ask for: not held, not refused, not of the fixed range, until none is left', () => {
  const fixed = { address: addressHex('10.0.0.128'), length: 121 };
  const addresses = pool('10.0.0.0', 120, '10.0.0.1', fixed);
  const seen = new Set<string>();
  for (let block = addresses.candidate(0.99, 0); block !== undefined; block = addresses.candidate(0.99, 0)) {
    assert.ok(!seen.has(block));
    seen.add(block);
    if (seen.size % 2 === 0) addresses.refused(block, 1000);
    else addresses.hold(block, wholeBlock, 1, 1e9, 0);
  }
  assert.deepEqual(
    [...seen].sort(),
    Array.from({ length: 8 }, (_, at) => blockAt(addresses.prefix, at)),
  );
  assert.ok(addresses.candidate(0.5, 1000) !== undefined);
});

test('a large IPv6 subnet always has a block to ask for', () => {
  const addresses = pool('fd00::', 64, 'fd00::1');
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999999, noNaN: true }), (random) => {
      const block = addresses.candidate(random, 0);
      assert.ok(block?.startsWith('fd00'));
      addresses.refused(block ?? '', 1e9);
    }),
    { numRuns: 200 },
  );
});

test('no address is held twice, whatever is taken, freed and chosen', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ kind: fc.constantFrom('take', 'free', 'fixed'), at: fc.nat(40), waitMs: fc.nat(20_000) }), { maxLength: 120 }),
      (steps) => {
        const addresses = pool('10.0.0.0', 122, '10.0.0.1');
        for (let at = 0; at < 2; at++) addresses.hold(blockAt(addresses.prefix, at), wholeBlock, 1, Infinity, 0);
        const held = new Map<string, number>();
        const freed = new Map<string, number>();
        const generations = new Map<string, number>();
        let nowMs = 0;
        for (const { kind, at, waitMs } of steps) {
          nowMs += waitMs;
          if (kind === 'free') {
            const address = [...held.keys()][at % Math.max(1, held.size)];
            if (address === undefined) continue;
            addresses.free(address, nowMs);
            held.delete(address);
            freed.set(address, nowMs);
            continue;
          }
          const placement = kind === 'take' ? addresses.take(nowMs) : addresses.takeFixed(addressHex(`10.0.0.${at}`), nowMs);
          if (placement === undefined) continue;
          assert.ok(!held.has(placement.address));
          assert.ok(nowMs >= (freed.get(placement.address) ?? -Infinity) + reuseAfterMs);
          assert.ok(placement.generation > (generations.get(placement.address) ?? 0));
          generations.set(placement.address, placement.generation);
          held.set(placement.address, placement.generation);
        }
      },
    ),
    { numRuns: 80 },
  );
});
