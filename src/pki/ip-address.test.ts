import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isHost, isIpv4, parseIpv6 } from './ip-address.ts';

test('agrees with the system about what is an address', () => {
  const almost = fc.stringMatching(/^[0-9a-f:.]{0,24}$/);
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), almost), (text) => {
      assert.equal(isIpv4(text), isIPv4(text));
      assert.equal(parseIpv6(text) !== undefined, isIPv6(text), text);
    }),
    { numRuns: 2000 },
  );
});

test('IPv6 text becomes its 16 bytes', () => {
  assert.equal(parseIpv6('::1')?.toHex(), '00000000000000000000000000000001');
  assert.equal(parseIpv6('2001:db8::ff00:42:8329')?.toHex(), '20010db8000000000000ff0000428329');
  assert.equal(parseIpv6('::ffff:192.0.2.1')?.toHex(), '00000000000000000000ffffc0000201');
});

test('hosts are names or addresses', () => {
  for (const host of ['localhost', 'a.example', '127.0.0.1', '::1', 'my_host', 'x'.repeat(63)]) assert.ok(isHost(host), host);
  for (const host of ['', '.', 'a..b', '-a', '256.1.1.1', '1.2.3', 'a b', 'a,b', '"a"', '*.example', 'a.'.repeat(127), 'x'.repeat(64)]) {
    assert.ok(!isHost(host), host);
  }
});
