import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeGeneve, encodeGeneve, geneveHeaderBytes, genevePort, isCritical, maxOptions, maxOptionsBytes } from './geneve.ts';
import {
  decodeOverlayOption,
  encodeForward,
  encodeLocation,
  encodeMoved,
  encodeRoute,
  locationFlag,
  overlayOptionClass,
  overlayOptionType,
} from './overlay-option.ts';

/** Records with the prototype of literals. */
const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

const octets = (length: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => Uint8Array.from(value));
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);

const options = plainRecord({ class: u16, type: fc.nat(255), body: fc.nat(3).chain((words) => octets(words * 4)) });
const packets = plainRecord({
  control: fc.boolean(),
  protocol: fc.constant(0x6558),
  vni: fc.nat(0xffffff),
  options: fc.array(options, { maxLength: maxOptions }),
  payload: fc.nat(40).chain(octets),
});

test('a Geneve packet comes back; a critical option sets the flag', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      assert.deepEqual(decodeGeneve(encodeGeneve(packet)), { ...packet, critical: packet.options.some(isCritical) });
    }),
  );
});

test('a Geneve header or option that is cut off is refused', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      const encoded = encodeGeneve(packet);
      const headerBytes = encoded.length - packet.payload.length;
      for (let end = 0; end < headerBytes; end++) assert.equal(decodeGeneve(encoded.subarray(0, end)), undefined);
    }),
  );
});

const one = encodeGeneve({
  control: false,
  protocol: 0x6558,
  vni: 7,
  options: [{ class: 1, type: 1, body: new Uint8Array(4) }],
  payload: new Uint8Array(60),
});

test('another version or protocol, and an option that passes the end, are refused', () => {
  for (const [at, value] of [
    [0, 0x42],
    [2, 0x08],
    [geneveHeaderBytes + 3, 2],
    [geneveHeaderBytes + 3, 31],
  ] as const) {
    const bad = one.slice();
    bad[at] = value;
    assert.equal(decodeGeneve(bad), undefined, `octet ${at} = ${value}`);
  }
  const reserved = one.slice();
  reserved[geneveHeaderBytes + 3] = 0xe1;
  assert.equal(decodeGeneve(reserved)?.options[0]?.body.length, 4, 'reserved bits are not looked at');
});

test('as many options and octets as the limits, and no more', () => {
  const decoded = (count: number, bodyBytes: number): number | undefined =>
    decodeGeneve(
      encodeGeneve({
        control: false,
        protocol: 0x6558,
        vni: 1,
        options: Array.from({ length: count }, () => ({ class: 1, type: 1, body: new Uint8Array(bodyBytes) })),
        payload: new Uint8Array(),
      }),
    )?.options.length;
  assert.equal(decoded(maxOptions, 0), maxOptions);
  assert.equal(decoded(maxOptions + 1, 0), undefined);
  assert.equal(decoded(1, maxOptionsBytes - 4), 1);
  assert.equal(decoded(1, maxOptionsBytes), undefined);
});

test('the options of the overlay come back', () => {
  const mac = octets(6);
  const location = plainRecord({ hostId: u32, hostGeneration: u32, endpointGeneration: u32, identity: u32, flags: u16, mac });
  fc.assert(fc.property(location, (value) => assert.deepEqual(decodeOverlayOption(encodeLocation(value)), { kind: 'location', ...value })));
  const moved = plainRecord({ endpointGeneration: u32 });
  fc.assert(fc.property(moved, (value) => assert.deepEqual(decodeOverlayOption(encodeMoved(value)), { kind: 'moved', ...value })));
  const forward = plainRecord({ address: octets(16), port: u16, flags: u16, hostId: u32, serviceGeneration: u32 });
  fc.assert(fc.property(forward, (value) => assert.deepEqual(decodeOverlayOption(encodeForward(value)), { kind: 'forward', ...value })));
  const route = plainRecord({ prefix: octets(16), prefixBits: fc.nat(128), tableId: u32, epoch: u32 });
  fc.assert(fc.property(route, (value) => assert.deepEqual(decodeOverlayOption(encodeRoute(value)), { kind: 'route', ...value })));
});

test('the octets of a location, and which options are critical', () => {
  const option = encodeLocation({
    hostId: 0x01020304,
    hostGeneration: 5,
    endpointGeneration: 6,
    identity: 7,
    flags: locationFlag.destination | locationFlag.final,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 9),
  });
  assert.equal(Buffer.from(option.body).toString('hex'), '010203040000000500000006000000070003020000000009');
  assert.equal(isCritical(option), false);
  assert.equal(isCritical(encodeMoved({ endpointGeneration: 0 })), true);
  assert.equal(genevePort, 6081);
});

test('an option of another class or type is unknown; a known one of another length is refused', () => {
  const known = Object.values(overlayOptionType);
  fc.assert(
    fc.property(options, (option) => {
      const decoded = decodeOverlayOption(option);
      if (option.class !== overlayOptionClass || !known.some((type) => type === option.type))
        assert.deepEqual(decoded, { kind: 'unknown' });
    }),
  );
  for (const type of known) {
    assert.equal(decodeOverlayOption({ class: overlayOptionClass, type, body: new Uint8Array(8) }), undefined);
    assert.deepEqual(decodeOverlayOption({ class: 0x0111, type, body: new Uint8Array(8) }), { kind: 'unknown' });
  }
});
