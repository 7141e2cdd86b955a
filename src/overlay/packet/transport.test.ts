import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pseudoHeaderSum } from './checksum.ts';
import { decodeIcmp, encodeIcmp, icmpChecksumHolds, icmpFragmentationNeeded, icmpHeaderBytes, icmpType, icmpv6Type } from './icmp.ts';
import { ipProtocol } from './ipv4.ts';
import { decodeTcp, encodeTcp, tcpFlag, tcpHeaderBytes } from './tcp.ts';
import { decodeUdp, encodeUdp, udpChecksum, udpHeaderBytes } from './udp.ts';

/** Records with the prototype of literals. */
const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const some = fc.uint8Array({ maxLength: 60 }).map((value) => Uint8Array.from(value));
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);

const udp = plainRecord({ sourcePort: u16, destinationPort: u16, checksum: u16, payload: some });

test('a UDP datagram comes back, and not when it is cut off', () => {
  fc.assert(
    fc.property(udp, (datagram) => {
      const encoded = encodeUdp(datagram);
      assert.deepEqual(decodeUdp(encoded), datagram);
      assert.deepEqual(decodeUdp(Uint8Array.of(...encoded, 1, 2)), datagram);
      for (let end = 0; end < encoded.length; end++) assert.equal(decodeUdp(encoded.subarray(0, end)), undefined);
    }),
  );
  assert.equal(decodeUdp(Uint8Array.of(0, 1, 0, 2, 0, udpHeaderBytes - 1, 0, 0, 0)), undefined);
});

test('the UDP checksum holds over datagram and pseudo-header, and is never 0', () => {
  const address = fc.uint8Array({ minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(udp, address, address, (datagram, source, destination) => {
      const pseudoHeader = pseudoHeaderSum(source, destination, ipProtocol.udp, udpHeaderBytes + datagram.payload.length);
      const checksum = udpChecksum(datagram, pseudoHeader);
      assert.notEqual(checksum, 0);
      const whole = encodeUdp({ ...datagram, checksum });
      // The ICMP check sums all octets but those at 2 and 3, so the checksum is put there and the ports swapped behind it.
      const turned = Uint8Array.of(...whole.subarray(0, 2), ...whole.subarray(6, 8), ...whole.subarray(4, 6), ...whole.subarray(2, 4));
      const holds = icmpChecksumHolds(Uint8Array.of(...turned, ...whole.subarray(8)), pseudoHeader);
      assert.equal(holds || checksum === 0xffff, true);
    }),
  );
  assert.equal(udpChecksum({ sourcePort: 0xffff - 16, destinationPort: 0, payload: new Uint8Array() }, 8), 0xffff);
});

const tcp = plainRecord({
  sourcePort: u16,
  destinationPort: u16,
  sequence: u32,
  acknowledgment: u32,
  flags: fc.nat(255),
  window: u16,
  checksum: u16,
  urgentPointer: u16,
  options: fc
    .nat(10)
    .chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 }).map((value) => Uint8Array.from(value))),
  payload: some,
});

test('a TCP segment comes back, and not when its header is cut off', () => {
  fc.assert(
    fc.property(tcp, (segment) => {
      const encoded = encodeTcp(segment);
      assert.deepEqual(decodeTcp(encoded), segment);
      const headerBytes = tcpHeaderBytes + segment.options.length;
      for (let end = 0; end < headerBytes; end++) assert.equal(decodeTcp(encoded.subarray(0, end)), undefined);
    }),
  );
  const short = new Uint8Array(40);
  short[12] = 4 << 4;
  short[13] = tcpFlag.syn | tcpFlag.ack;
  assert.equal(decodeTcp(short), undefined);
});

const icmp = plainRecord({ type: fc.nat(255), code: fc.nat(255), rest: u32, body: some });

test('an ICMP message comes back with a checksum that holds', () => {
  fc.assert(
    fc.property(icmp, u16, (message, pseudoHeader) => {
      const encoded = encodeIcmp(message, pseudoHeader);
      assert.deepEqual(decodeIcmp(encoded), message);
      assert.equal(icmpChecksumHolds(encoded, pseudoHeader), true);
      encoded[0] = (encoded[0]! + 1) & 0xff;
      assert.equal(icmpChecksumHolds(encoded, pseudoHeader), false);
    }),
  );
  for (let length = 0; length < icmpHeaderBytes; length++) assert.equal(decodeIcmp(new Uint8Array(length)), undefined);
});

test('the octets of an echo request and of fragmentation needed', () => {
  const echo = encodeIcmp({ type: icmpType.echoRequest, code: 0, rest: 0x00010002, body: Uint8Array.of(0x61) }, 0);
  assert.equal(Buffer.from(echo).toString('hex'), '080096fc0001000261');
  const tooBig = encodeIcmp(
    { type: icmpType.destinationUnreachable, code: icmpFragmentationNeeded, rest: 1418, body: new Uint8Array() },
    0,
  );
  assert.equal(Buffer.from(tooBig).toString('hex'), '0304f7710000058a');
  assert.equal(icmpv6Type.packetTooBig, 2);
});
