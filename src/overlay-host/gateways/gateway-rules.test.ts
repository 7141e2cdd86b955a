import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInPrefix } from '../../overlay/control/address.ts';
import { addressOf, prefixOf } from '../../overlay/resources/address-types.ts';
import { hostRules, pairAddresses, pairLimit, pairRanges } from './gateway-rules.ts';

test('pairs have addresses of their own, all in the ranges that the rules name', () => {
  const seen = new Set<string>();
  for (const pair of [0, 1, 2, 127, 128, 129, pairLimit - 1]) {
    const { ipv4, ipv6 } = pairAddresses(pair);
    for (const address of ipv4) assert.ok(isInPrefix(addressOf(address), prefixOf(pairRanges.ipv4)), address);
    for (const address of ipv6) assert.ok(isInPrefix(addressOf(address), prefixOf(pairRanges.ipv6)), address);
    for (const address of [...ipv4, ...ipv6]) assert.equal(seen.size + 1, seen.add(address).size, address);
    // Both ends of a /31 and of a /127.
    assert.ok(isInPrefix(addressOf(ipv4[1]), { address: addressOf(ipv4[0]), length: 127 }));
    assert.ok(isInPrefix(addressOf(ipv6[1]), { address: addressOf(ipv6[0]), length: 127 }));
  }
});

test('hosts are named in the rules, and a host that forwarded nothing goes on so', () => {
  const rules = hostRules({ hosts: ['192.0.2.1', '192.0.2.2'], forwardsForGatewaysOnly: ['ipv4'] });
  assert.match(rules, /elements = \{ 192\.0\.2\.1, 192\.0\.2\.2 \}/);
  assert.match(rules, /meta nfproto ipv4 drop/);
  assert.doesNotMatch(rules, /meta nfproto ipv6 drop/);
});
