import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mappedIpv4 } from './address.ts';
import { internetChecksum } from './checksum.ts';
import { decodeIpv4, encodeIpv4, ipv4HeaderBytes } from './ipv4.ts';
import {
  decodeIpv6,
  encodeExtension,
  encodeFragment,
  encodeIpv6,
  extensionHeader,
  ipv6HeaderBytes,
  maxExtensionHeaders,
  upperLayer,
} from './ipv6.ts';
import { joinOctets } from './octets.ts';

/** Records with the prototype of literals. */
const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const octets = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Uint8Array.from(value));
const some = fc.uint8Array({ maxLength: 60 }).map((value) => Uint8Array.from(value));
const octet = fc.nat(255);

const ipv4 = plainRecord({
  typeOfService: octet,
  identification: fc.nat(0xffff),
  dontFragment: fc.boolean(),
  moreFragments: fc.boolean(),
  fragmentOffsetBytes: fc.nat(0x1fff).map((units) => units * 8),
  timeToLive: octet,
  protocol: octet,
  source: octets(4).map((value) => mappedIpv4(value)),
  destination: octets(4).map((value) => mappedIpv4(value)),
  options: fc.nat(10).chain((words) => octets(words * 4)),
  payload: some,
});

test('an IPv4 packet comes back, padding or not', () => {
  fc.assert(
    fc.property(ipv4, some, (packet, padding) => {
      const encoded = encodeIpv4(packet);
      assert.equal(internetChecksum(encoded.subarray(0, ipv4HeaderBytes + packet.options.length)), 0);
      assert.deepEqual(decodeIpv4(joinOctets(encoded, padding)), packet);
    }),
  );
});

test('an IPv4 packet that is cut off anywhere is refused', () => {
  fc.assert(
    fc.property(ipv4, (packet) => {
      const encoded = encodeIpv4(packet);
      for (let end = 0; end < encoded.length; end++) assert.equal(decodeIpv4(encoded.subarray(0, end)), undefined);
    }),
  );
});

test('an IPv4 header with a wrong version or length is refused', () => {
  const good = encodeIpv4({ ...fc.sample(ipv4, 1)[0]!, options: new Uint8Array(), payload: new Uint8Array(8) });
  for (const [at, value] of [
    [0, 0x55],
    [0, 0x44],
    [0, 0x48],
    [3, 19],
    [3, 29],
    [2, 0xff],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    assert.equal(decodeIpv4(bad), undefined, `octet ${at} = ${value}`);
  }
});

const ipv6 = plainRecord({
  trafficClass: octet,
  flowLabel: fc.nat(0xfffff),
  nextHeader: octet,
  hopLimit: octet,
  source: octets(16),
  destination: octets(16),
  payload: some,
});

test('an IPv6 packet comes back, padding or not, and not when it is cut off', () => {
  fc.assert(
    fc.property(ipv6, some, (packet, padding) => {
      const encoded = encodeIpv6(packet);
      const decoded = decodeIpv6(joinOctets(encoded, padding));
      assert.deepEqual(decoded, packet);
      for (let end = 0; end < encoded.length; end++) assert.equal(decodeIpv6(encoded.subarray(0, end)), undefined);
    }),
  );
  const version = new Uint8Array(ipv6HeaderBytes);
  version[0] = 0x40;
  assert.equal(decodeIpv6(version), undefined);
});

const base = fc.sample(ipv6, 1)[0]!;

test('the upper layer is found behind extension headers', () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const fragment = { offsetBytes: 0, more: true, identification: 0x01020304 };
  const payload = joinOctets(
    encodeExtension(extensionHeader.destinationOptions, new Uint8Array(6)),
    encodeExtension(extensionHeader.routing, new Uint8Array(20)),
    encodeExtension(extensionHeader.fragment, new Uint8Array(4)),
    encodeFragment(17, fragment),
    data,
  );
  const found = upperLayer({ ...base, nextHeader: extensionHeader.hopByHop, payload });
  assert.deepEqual(found, { protocol: 17, payload: data, fragment });
});

test('the authentication header counts in words', () => {
  const authentication = new Uint8Array(24);
  authentication[0] = 6;
  authentication[1] = 4;
  const payload = joinOctets(authentication, Uint8Array.of(9));
  assert.deepEqual(upperLayer({ ...base, nextHeader: extensionHeader.authentication, payload })?.payload, Uint8Array.of(9));
});

test('behind a later fragment no header is read', () => {
  const fragment = { offsetBytes: 64, more: false, identification: 1 };
  const payload = joinOctets(encodeFragment(extensionHeader.destinationOptions, fragment), new Uint8Array(3));
  const found = upperLayer({ ...base, nextHeader: extensionHeader.fragment, payload });
  assert.deepEqual(found, { protocol: extensionHeader.destinationOptions, payload: new Uint8Array(3), fragment });
});

test('as many extension headers as the limit, and no more', () => {
  const chain = (count: number): Uint8Array =>
    joinOctets(
      ...Array.from({ length: count }, (_, at) =>
        encodeExtension(at === count - 1 ? extensionHeader.none : extensionHeader.destinationOptions, new Uint8Array(6)),
      ),
    );
  const nextHeader = extensionHeader.destinationOptions;
  assert.equal(upperLayer({ ...base, nextHeader, payload: chain(maxExtensionHeaders) })?.protocol, extensionHeader.none);
  assert.equal(upperLayer({ ...base, nextHeader, payload: chain(maxExtensionHeaders + 1) }), undefined);
});

test('an extension header that is cut off is refused; no octets make it fail', () => {
  for (const length of [0, 7, 8, 15]) {
    const payload = encodeExtension(17, new Uint8Array(14)).subarray(0, length);
    assert.equal(upperLayer({ ...base, nextHeader: extensionHeader.hopByHop, payload }), undefined);
  }
  fc.assert(
    fc.property(fc.constantFrom(0, 43, 44, 51, 60), fc.uint8Array({ maxLength: 100 }), (nextHeader, payload) => {
      const found = upperLayer({ ...base, nextHeader, payload });
      if (found !== undefined) assert.equal(found.payload.length < payload.length, true);
    }),
  );
});
