import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecordReader, recordHeaderBytes, writeRecord } from './datagram-records.ts';

function encode(datagrams: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(datagrams.reduce((sum, { length }) => sum + length + recordHeaderBytes, 0));
  let position = 0;
  for (const datagram of datagrams) position = writeRecord(bytes, position, datagram);
  assert.equal(position, bytes.length);
  return bytes;
}

function reading(headBytes: number): { reader: RecordReader; read: Uint8Array[] } {
  const read: Uint8Array[] = [];
  const reader = new RecordReader({ datagram: (bytes, start, end) => void read.push(bytes.slice(start, end)) }, headBytes);
  return { reader, read };
}

test('a record is its length and its octets', () => {
  assert.deepEqual(encode([Uint8Array.of(7, 8), new Uint8Array(0)]), Uint8Array.of(0, 2, 7, 8, 0, 0));
  const long = new Uint8Array(0x0102).fill(9);
  assert.deepEqual([...encode([long]).subarray(0, 3)], [1, 2, 9]);
});

test('datagrams come out as they went in, wherever frames are cut', () => {
  const datagrams = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 });
  const cuts = fc.array(fc.nat({ max: 13_000 }), { maxLength: 40 });
  fc.assert(
    fc.property(datagrams, cuts, fc.nat({ max: 50 }), (sent, places, headBytes) => {
      const records = encode(sent);
      const message = new Uint8Array(headBytes + records.length).fill(0xff);
      message.set(records, headBytes);
      const { reader, read } = reading(headBytes);
      const ends = [...places.map((place) => Math.min(place, message.length)).sort((a, b) => a - b), message.length];
      let start = 0;
      for (const end of ends) {
        reader.read(message, start, end);
        start = end;
      }
      assert.deepEqual(read, sent);
      assert.equal(reader.bytes, records.length);
    }),
  );
});

test('the longest datagram is put together octet by octet', () => {
  const datagram = new Uint8Array(65_507).map((_, index) => index);
  const records = encode([datagram]);
  const { reader, read } = reading(0);
  for (let position = 0; position < records.length; position++) reader.read(records, position, position + 1);
  assert.deepEqual(read, [datagram]);
});

test('a record that is cut short is none', () => {
  const { reader, read } = reading(0);
  reader.read(Uint8Array.of(0, 3, 1, 2), 0, 4);
  assert.deepEqual(read, []);
});
