import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressEntity, Distribution } from '../management/entities.ts';
import { Treatment } from '../routing/route-table.ts';
import { distributionOf, treatmentRule } from './address-rules.ts';

function entity(
  match: { readonly prefix?: string; readonly pattern?: string },
  distribution: Distribution,
  priority?: number,
): AddressEntity {
  return { type: 'address', name: JSON.stringify(match), distribution, ...match, ...(priority === undefined ? {} : { priority }) };
}

const rule = treatmentRule(
  [
    entity({ prefix: 'mc' }, 'multicast', 9),
    entity({ prefix: 'mc.local' }, 'closest'),
    entity({ pattern: '*.orders.#' }, 'closest'),
    entity({ pattern: 'eu.orders.*' }, 'unavailable'),
    entity({ pattern: '#.log' }, 'multicast'),
  ],
  'balanced',
);

for (const [address, expected] of [
  ['mc', 'multicast'],
  ['mc/other', 'multicast'],
  ['mc.local.x', 'closest'],
  ['mcx', undefined],
  ['us.orders', 'closest'],
  ['us.orders.new.urgent', 'closest'],
  ['eu.orders.new', 'unavailable'],
  ['eu.orders', 'closest'],
  ['orders', undefined],
  ['a/b/log', 'multicast'],
  ['log', 'multicast'],
  ['web', undefined],
  ['', undefined],
] as const) {
  test(`'${address}' is ${expected ?? 'left to the network'}`, () => {
    const found = rule(address);
    assert.equal(found === undefined ? undefined : distributionOf(found.treatment), expected);
  });
}

test('flow records go to everybody who listens, and what is for one source to that, whatever is configured', () => {
  for (const rules of [[], [entity({ prefix: 'mc' }, 'unavailable'), entity({ pattern: '#' }, 'balanced')]]) {
    const configured = treatmentRule(rules, 'unavailable');
    assert.equal(configured('mc/sfe.all')?.treatment, Treatment.multicastOnce);
    assert.equal(configured('sfe.abcde:0')?.treatment, Treatment.closest);
    assert.equal(configured('vfcr.abcde:0')?.treatment, Treatment.closest);
    assert.notEqual(configured('mc/other')?.treatment, Treatment.multicastOnce);
  }
});

test('priorities come with the rule', () => {
  assert.equal(rule('mc.x')?.priority, 9);
  assert.equal(rule('us.orders')?.priority, undefined);
});

test('the default distribution applies to what no rule matches; balanced leaves it to the network', () => {
  assert.equal(treatmentRule([], 'balanced')('x'), undefined);
  assert.equal(treatmentRule([], 'closest')('x')?.treatment, Treatment.closest);
  assert.equal(treatmentRule([entity({ prefix: 'a' }, 'multicast')], 'unavailable')('b')?.treatment, Treatment.unavailable);
});

test('a pattern of many wildcards costs no more than pattern times address', () => {
  const hostile = treatmentRule([entity({ pattern: `${'#.a.'.repeat(30)}b` }, 'closest')], 'balanced');
  const startedMs = performance.now();
  assert.equal(hostile('a.'.repeat(500)), undefined);
  assert.ok(performance.now() - startedMs < 50);
});

test('all distributions have a treatment and back', () => {
  for (const distribution of ['multicast', 'closest', 'balanced', 'unavailable'] as const) {
    const treatment = treatmentRule([entity({ prefix: 'x' }, distribution)], 'balanced')('x')?.treatment;
    assert.equal(treatment === undefined ? undefined : distributionOf(treatment), distribution);
  }
});
