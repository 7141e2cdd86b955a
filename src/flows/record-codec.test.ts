import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ValueReader } from '../amqp/value-reader.ts';
import { ValueWriter } from '../amqp/value-writer.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { decodeRecords, encodeRecords, maxDecodedRecords, maxRecordText } from './record-codec.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';

const value = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.string({ unit: 'grapheme', maxLength: 60 }));
const record = fc
  .tuple(
    fc.nat(2000),
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.array(fc.tuple(fc.integer({ min: 2, max: 1100 }), value), { maxLength: 20 }),
  )
  .map(([type, identity, entries]): RecordUpdate => new Map<number, AttributeValue>([[0, type], [1, identity], ...entries]));

function encoded(records: readonly RecordUpdate[]): Uint8Array {
  const writer = new ValueWriter();
  encodeRecords(writer, records);
  return writer.take();
}

function decoded(bytes: Uint8Array): RecordUpdate[] {
  return decodeRecords(new ValueReader(bytes));
}

/** A list of one record, of encoded attributes and values. */
function listOf(...pairs: readonly (readonly number[])[]): Uint8Array {
  const content = [2 * pairs.length, ...pairs.flat()];
  return Uint8Array.of(0xc0, content.length + 3, 1, 0xc1, content.length, ...content);
}

const type = [0x43, 0x52, 16] as const;
const identity = [0x52, 1, 0xa1, 3, 0x61, 0x3a, 0x31] as const;

test('records come back as they were written', () => {
  fc.assert(fc.property(fc.array(record, { maxLength: 50 }), (records) => assert.deepEqual(decoded(encoded(records)), records)));
});

test('every unsigned encoding of numbers is read, and symbols as strings', () => {
  for (const [octets, number] of [
    [[0x43], 0],
    [[0x44], 0],
    [[0x50, 7], 7],
    [[0x52, 200], 200],
    [[0x53, 200], 200],
    [[0x60, 1, 2], 258],
    [[0x70, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff],
    [[0x80, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Number.MAX_SAFE_INTEGER],
  ] as const) {
    const [read] = decoded(listOf(type, identity, [0x53, 23, ...octets]));
    assert.equal(read?.get(23), number, `0x${octets[0].toString(16)}`);
  }
  const [read] = decoded(listOf(type, identity, [0x60, 0, 30, 0xa3, 1, 0x78]));
  assert.equal(read?.get(30), 'x');
});

test('what no attribute is written as is skipped, with what stands around it read', () => {
  const after = [0x52, 23, 0x53, 9];
  for (const octets of [
    [0x40],
    [0x41],
    [0x54, 0xff],
    [0x81, 0, 0, 0, 0, 0, 0, 0, 5],
    [0x80, 0x20, 0, 0, 0, 0, 0, 0, 0],
    [0xa0, 2, 1, 2],
    [0xc0, 3, 2, 0x43, 0x43],
    [0x00, 0x53, 0x70, 0x45],
    [0x82, 0, 0, 0, 0, 0, 0, 0, 0],
  ]) {
    const [read] = decoded(listOf(type, identity, [0x52, 30, ...octets], after));
    assert.deepEqual(
      [...(read ?? [])],
      [
        [0, 16],
        [1, 'a:1'],
        [23, 9],
      ],
    );
  }
});

test('records without a type or an identity are skipped', () => {
  assert.deepEqual(decoded(listOf(type)), []);
  assert.deepEqual(decoded(listOf(identity)), []);
  assert.deepEqual(decoded(listOf(type, [0x52, 1, 0xa1, 0])), []);
  assert.deepEqual(decoded(listOf(type, [0x52, 1, 0x53, 1])), []);
  // A second type, told as a ulong, is none when no uint could tell it.
  assert.deepEqual(decoded(listOf(type, identity, [0x52, 0, 0x80, 0, 0, 0, 1, 0, 0, 0, 0])), []);
  assert.deepEqual(decoded(Uint8Array.of(0xc0, 3, 2, 0x40, 0x43)), []);
});

test('each limit is kept: so many are read, and one more is refused', () => {
  const one: RecordUpdate = new Map<number, AttributeValue>([
    [0, 2],
    [1, 'abcde:1'],
    [2, 'abcde:0'],
    [23, 10_000],
  ]);
  const many = (count: number): Uint8Array => encoded(Array.from({ length: count }, () => one));
  assert.equal(decoded(many(maxDecodedRecords)).length, maxDecodedRecords);
  assert.throws(() => decoded(many(maxDecodedRecords + 1)), ProtocolViolation);

  const wide = (count: number): RecordUpdate =>
    new Map<number, AttributeValue>([...Array.from({ length: count }, (_, at) => [at, 'x'.repeat(9)] as const), [0, 1]]);
  assert.equal(decoded(encoded([wide(128)]))[0]?.size, 128);
  assert.throws(() => decoded(encoded([wide(129)])), ProtocolViolation);

  const long = (length: number): RecordUpdate =>
    new Map<number, AttributeValue>([
      [0, 1],
      [1, 'a'],
      [30, 'x'.repeat(length)],
    ]);
  assert.equal(decoded(encoded([long(maxRecordText)])).length, 1);
  assert.throws(() => decoded(encoded([long(maxRecordText + 1)])), ProtocolViolation);
});

test('records of many small attributes, which would need far more memory than they have octets, are refused', () => {
  // Record type and identity, and attributes of three octets each.
  const attributes = Array.from({ length: 120 }, (_, at) => [0x52, 2 + at, 0x44]);
  const content = [244, ...type, ...identity, ...attributes.flat()];
  const one = [0xd1, 0, 0, (content.length + 3) >> 8, (content.length + 3) & 255, 0, 0, 0, ...content];
  const list = Array.from({ length: 200 }, () => one).flat();
  const size = list.length + 4;
  const bytes = Uint8Array.of(0xd0, 0, size >> 16, (size >> 8) & 255, size & 255, 0, 0, 0, 200, ...list);
  assert.throws(
    () => decoded(bytes),
    (error) => error instanceof ProtocolViolation && error.message.includes('memory'),
  );
});

test('records that are cut short anywhere are a violation', () => {
  const bytes = encoded([
    new Map<number, AttributeValue>([
      [0, 4],
      [1, 'abcde:7'],
      [30, 'name'],
      [23, 2 ** 40],
    ]),
  ]);
  for (let length = 0; length < bytes.length; length++)
    assert.throws(() => decoded(bytes.subarray(0, length)), ProtocolViolation, `${length}`);
});

test('octets of any kind are records or a violation', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (octets, isList) => {
      const bytes = isList ? Uint8Array.of(0xc0, octets.length + 1, 3, ...octets) : octets;
      try {
        for (const { size } of decoded(bytes)) assert.ok(size >= 2);
      } catch (error) {
        assert.ok(error instanceof ProtocolViolation);
      }
    }),
  );
});
