import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressBytes, formatAddress, formatMac, ipv4Octets, isIpv4, macBytes, mappedIpv4, parseAddress, parseMac } from './address.ts';

const octets = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Half of the groups are zero, so that runs of them come up. */
const sparse = fc
  .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
  .map((words) => Uint8Array.from(words.flatMap((word) => [word >> 8, word & 255])));

test('an address comes back from its text', () => {
  fc.assert(
    fc.property(fc.oneof(sparse, octets(addressBytes), octets(4).map(mappedIpv4)), (address) => {
      const text = formatAddress(address);
      assert.equal(isIpv4(address) ? isIPv4(text) : isIPv6(text), true, text);
      assert.deepEqual(parseAddress(text), new Uint8Array(address));
    }),
  );
});

test('the text of an IPv6 address is the one that URLs have', () => {
  fc.assert(
    fc.property(sparse, (address) => {
      fc.pre(!isIpv4(address));
      const long = Array.from({ length: 8 }, (_, at) => ((address[at * 2]! << 8) | address[at * 2 + 1]!).toString(16)).join(':');
      assert.equal(`[${formatAddress(address)}]`, new URL(`http://[${long}]/`).hostname);
    }),
  );
});

test('forms of one address', () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1);
  assert.deepEqual(parseAddress('10.0.0.1'), mapped);
  assert.deepEqual(parseAddress('::ffff:10.0.0.1'), mapped);
  assert.deepEqual(parseAddress('::FFFF:a00:1'), mapped);
  assert.deepEqual([...ipv4Octets(mapped)], [10, 0, 0, 1]);
  assert.equal(formatAddress(mapped), '10.0.0.1');
  assert.equal(formatAddress(new Uint8Array(addressBytes)), '::');
  assert.equal(formatAddress(parseAddress('fd00:0:0:1::1')!), 'fd00:0:0:1::1');
  assert.equal(formatAddress(parseAddress('1:0:2:0:3:0:4:0')!), '1:0:2:0:3:0:4:0');
});

test('what is no address is refused', () => {
  const wrong = [
    ...['', '10', '10.0.0', '10.0.0.0.1', '10.0.0.256', '10.0.0.01', '10.0.0.-1', ':', ':::', '1::2::3', '1:2:3:4:5:6:7'],
    ...['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::10.0.0.1:1', '10.0.0.1::', ' ::1', '::1%eth0', '1:'],
  ];
  for (const text of wrong) assert.equal(parseAddress(text), undefined, text);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('0', '1', '2', '3', 'a', 'f', ':', '.', '%') }), (text) => {
      assert.equal(parseAddress(text) !== undefined, isIPv4(text) || (isIPv6(text) && !text.includes('%')), text);
    }),
    { numRuns: 1000 },
  );
});

test('a MAC comes back from its text', () => {
  fc.assert(fc.property(octets(macBytes), (mac) => assert.deepEqual(parseMac(formatMac(mac)), new Uint8Array(mac))));
  assert.equal(formatMac(parseMac('02:00:5E:00:00:0a')!), '02:00:5e:00:00:0a');
  for (const text of ['', '02:00:5e:00:00', '02:00:5e:00:00:0', '02-00-5e-00-00-0a', '02:00:5e:00:00:0a:0b']) {
    assert.equal(parseMac(text), undefined, text);
  }
});
