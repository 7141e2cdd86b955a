import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, mappedIpv4, parseAddress } from './address.ts';
import { arpBytes, arpOperation, decodeArp, encodeArp } from './arp.ts';
import { decodeEthernet, encodeEthernet, ethernetHeaderBytes, etherType } from './ethernet.ts';
import { icmpv6Type } from './icmp.ts';
import { decodeNeighbor, encodeNeighbor, neighborFlag, solicitedNodeGroup } from './neighbor-discovery.ts';

/** Records with the prototype of literals. */
const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const octets = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Uint8Array.from(value));

test('an Ethernet frame comes back, and not when its header is cut off', () => {
  const frames = plainRecord({ destination: octets(6), source: octets(6), type: fc.nat(0xffff), payload: octets(9) });
  fc.assert(fc.property(frames, (frame) => assert.deepEqual(decodeEthernet(encodeEthernet(frame)), frame)));
  assert.equal(decodeEthernet(new Uint8Array(ethernetHeaderBytes - 1)), undefined);
});

const arp = plainRecord({
  operation: fc.nat(0xffff),
  senderMac: octets(6),
  senderAddress: octets(4).map((value) => mappedIpv4(value)),
  targetMac: octets(6),
  targetAddress: octets(4).map((value) => mappedIpv4(value)),
});

test('an ARP packet comes back, padding or not', () => {
  fc.assert(
    fc.property(arp, octets(18), (packet, padding) => {
      assert.deepEqual(decodeArp(encodeArp(packet)), packet);
      assert.deepEqual(decodeArp(Uint8Array.of(...encodeArp(packet), ...padding)), packet);
    }),
  );
});

test('ARP that is cut off, or for something else than IPv4 over Ethernet, is refused', () => {
  const good = encodeArp({ ...fc.sample(arp, 1)[0]!, operation: arpOperation.request });
  assert.equal(decodeArp(good.subarray(0, arpBytes - 1)), undefined);
  for (const at of [0, 1, 2, 3, 4, 5]) {
    const bad = good.slice();
    bad[at] = bad[at]! ^ 0x40;
    assert.equal(decodeArp(bad), undefined, `octet ${at}`);
  }
  assert.equal(etherType.arp, 0x0806);
  assert.equal(arpOperation.reply, 2);
});

const neighbor = fc.oneof(
  plainRecord({
    kind: fc.constant('solicitation' as const),
    flags: fc.constant(0),
    target: octets(16),
    linkLayerAddress: fc.option(octets(6), { nil: undefined }),
  }),
  plainRecord({
    kind: fc.constant('advertisement' as const),
    flags: fc.constantFrom(0, neighborFlag.router, neighborFlag.solicited + neighborFlag.override),
    target: octets(16),
    linkLayerAddress: fc.option(octets(6), { nil: undefined }),
  }),
);

test('a neighbour message comes back, other options before its own or not', () => {
  fc.assert(
    fc.property(neighbor, (message) => {
      const icmp = encodeNeighbor(message);
      assert.deepEqual(decodeNeighbor(icmp), message);
      const nonce = Uint8Array.of(14, 1, 1, 2, 3, 4, 5, 6);
      const body = Uint8Array.of(...icmp.body.subarray(0, 16), ...nonce, ...icmp.body.subarray(16));
      assert.deepEqual(decodeNeighbor({ ...icmp, body }), message);
    }),
  );
});

test('a neighbour message that is malformed is refused', () => {
  const good = encodeNeighbor({ kind: 'solicitation', flags: 0, target: new Uint8Array(16), linkLayerAddress: new Uint8Array(6) });
  assert.equal(decodeNeighbor({ ...good, type: icmpv6Type.routerSolicitation }), undefined);
  assert.equal(decodeNeighbor({ ...good, code: 1 }), undefined);
  for (const end of [0, 15, 17, 18, 23]) assert.equal(decodeNeighbor({ ...good, body: good.body.subarray(0, end) }), undefined);
  const endless = good.body.slice();
  endless[17] = 0;
  assert.equal(decodeNeighbor({ ...good, body: endless }), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
      decodeNeighbor({ ...good, body });
    }),
  );
});

test('the group of a solicitation ends like its target', () => {
  assert.equal(formatAddress(solicitedNodeGroup(parseAddress('fd00::1234:5678')!)), 'ff02::1:ff34:5678');
});
