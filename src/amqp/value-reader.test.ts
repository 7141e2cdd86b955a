import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromHex } from '../../test/fuzz/connection-pair.ts';
import { retainedBytes, shortestMs } from '../../test/fuzz/memory.ts';
import { ProtocolViolation } from '../base/errors.ts';
import { Described } from './value.ts';
import type { AmqpValue } from './value.ts';
import { maxNesting, ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

function decode(bytes: Uint8Array): AmqpValue {
  const reader = new ValueReader(bytes);
  const value = reader.readValue();
  assert.equal(reader.position, bytes.length, 'the whole encoding is read');
  return value;
}

const examples: readonly (readonly [hex: string, value: AmqpValue])[] = [
  ['40', null],
  ['41', true],
  ['42', false],
  ['5600', false],
  ['5601', true],
  ['43', 0],
  ['44', 0],
  ['45', []],
  ['50ff', 255],
  ['51ff', -1],
  ['52ff', 255],
  ['53ff', 255],
  ['5480', -128],
  ['557f', 127],
  ['60ffff', 65_535],
  ['618000', -32_768],
  ['70ffffffff', 4_294_967_295],
  ['7180000000', -2_147_483_648],
  ['723fc00000', 1.5],
  ['730001f600', 0x1f600],
  ['7401020304', Uint8Array.of(1, 2, 3, 4)],
  ['80001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['800020000000000000', 2n ** 53n],
  ['80ffffffffffffffff', 2n ** 64n - 1n],
  ['81ffffffffffffffff', -1],
  ['818000000000000000', -(2n ** 63n)],
  ['823ff8000000000000', 1.5],
  ['830000018bcfe56800', 1_700_000_000_000],
  ['840102030405060708', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)],
  ['9400000000000000000000000000000001', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
  ['9800000000000000000000000000000002', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2)],
  ['a0020102', Uint8Array.of(1, 2)],
  ['b0000000020102', Uint8Array.of(1, 2)],
  ['a103e282ac', '€'],
  ['b100000003e282ac', '€'],
  ['a3026f6b', 'ok'],
  ['b3000000026f6b', 'ok'],
  ['a1166162636465666768696a6b6c6d6e6f70717273747576', 'abcdefghijklmnopqrstuv'],
  ['c0040252ff40', [255, null]],
  ['d000000006000000024041', [null, true]],
  ['c10402520140', new Map([[1, null]])],
  ['d10000000700000002520141', new Map([[1, true]])],
  ['e00602a301610162', ['a', 'b']],
  ['f00000000900000002a301610162', ['a', 'b']],
  ['e0020241', [true, true]],
  ['e00702005310500102', [new Described(0x10, 1), new Described(0x10, 2)]],
  ['e00802c0020140020142', [[null], [false]]],
  ['00531040', new Described(0x10, null)],
  ['00a3017840', new Described('x', null)],
];

test('every format code decodes to its value', () => {
  for (const [hex, value] of examples) assert.deepEqual(decode(fromHex(hex)), value, hex);
});

test('every example is skipped as a whole, and refused at every shorter length', () => {
  for (const [hex] of examples) {
    const bytes = fromHex(hex);
    const reader = new ValueReader(bytes);
    reader.skip();
    assert.equal(reader.position, bytes.length, hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => new ValueReader(bytes, 0, length).readValue(), ProtocolViolation, `${hex} cut to ${length}`);
      assert.throws(() => new ValueReader(bytes, 0, length).skip(), ProtocolViolation, `${hex} cut to ${length}`);
    }
  }
});

/** Values of every kind that the writer can write, paired with what writes them. */
interface Written {
  readonly value: AmqpValue;
  readonly write: (writer: ValueWriter) => void;
}

const leaf: fc.Arbitrary<Written> = fc.oneof(
  fc.constant<Written>({ value: null, write: (writer) => writer.null() }),
  fc.boolean().map((value) => ({ value, write: (writer: ValueWriter): void => writer.boolean(value) })),
  fc.integer({ min: 0, max: 255 }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.ubyte(value) })),
  fc.integer({ min: 0, max: 65_535 }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.ushort(value) })),
  fc.integer({ min: 0, max: 0xffffffff }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.uint(value) })),
  fc.maxSafeNat().map((value) => ({ value, write: (writer: ValueWriter): void => writer.ulong(value) })),
  fc.integer().map((value) => ({ value, write: (writer: ValueWriter): void => writer.int(value) })),
  fc.maxSafeInteger().map((value) => ({ value: value === 0 ? 0 : value, write: (writer: ValueWriter): void => writer.long(value) })),
  fc.double({ noNaN: true }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.double(value) })),
  fc.string({ unit: 'grapheme', maxLength: 300 }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.string(value) })),
  fc.string({ maxLength: 300 }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.symbol(value) })),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({ value, write: (writer: ValueWriter): void => writer.binary(value) })),
  fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }).map((value) => ({
    value,
    write: (writer: ValueWriter): void => writer.symbolArray(value),
  })),
);

const { tree: written } = fc.letrec<{ tree: Written }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 6 }).map((elements) => ({
      value: elements.map((element) => element.value),
      write: (writer: ValueWriter): void => {
        writer.list();
        for (const element of elements) element.write(writer);
        writer.end(elements.length);
      },
    })),
    fc.uniqueArray(fc.tuple(fc.string({ maxLength: 20 }), tie('tree')), { maxLength: 6, selector: ([key]) => key }).map((entries) => ({
      value: new Map(entries.map(([key, element]) => [key, element.value])),
      write: (writer: ValueWriter): void => {
        writer.map();
        for (const [key, element] of entries) {
          writer.string(key);
          element.write(writer);
        }
        writer.end(entries.length * 2);
      },
    })),
    fc.tuple(fc.integer({ min: 0, max: 1000 }), tie('tree')).map(([code, element]) => ({
      value: new Described(code, element.value),
      write: (writer: ValueWriter): void => {
        writer.descriptor(code);
        element.write(writer);
      },
    })),
  ),
}));

test('what the writer writes, the reader reads and skips', () => {
  fc.assert(
    fc.property(written, ({ value, write }) => {
      const writer = new ValueWriter(1);
      write(writer);
      const bytes = writer.take();
      assert.deepEqual(decode(bytes), value);
      const reader = new ValueReader(bytes);
      reader.skip();
      assert.equal(reader.position, bytes.length);
    }),
    { numRuns: 300 },
  );
});

test('random bytes and changed values end in a value or a violation', () => {
  const attempt = (bytes: Uint8Array): void => {
    for (const read of [(reader: ValueReader): unknown => reader.readValue(), (reader: ValueReader): void => reader.skip()]) {
      const reader = new ValueReader(bytes);
      try {
        while (!reader.atEnd) read(reader);
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
      }
      assert.ok(reader.position <= bytes.length);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), attempt), { numRuns: 2000 });
  fc.assert(
    fc.property(written, fc.nat(), fc.nat({ max: 255 }), ({ write }, at, byte) => {
      const writer = new ValueWriter();
      write(writer);
      const bytes = writer.take();
      bytes[at % bytes.length] = byte;
      attempt(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('nesting ends at its limit, whatever nests', () => {
  const lists = (depth: number): Uint8Array => {
    const writer = new ValueWriter();
    for (let level = 0; level < depth; level++) writer.list();
    writer.null();
    for (let level = 0; level < depth; level++) writer.end(1);
    return writer.take();
  };
  assert.ok(Array.isArray(decode(lists(maxNesting))));
  assert.throws(() => decode(lists(maxNesting + 1)), ProtocolViolation);
  const descriptors = (depth: number): Uint8Array => fromHex('005310'.repeat(depth) + '40');
  assert.ok(decode(descriptors(maxNesting)) instanceof Described);
  assert.throws(() => decode(descriptors(maxNesting + 1)), ProtocolViolation);
  // A descriptor may be described itself: a run of zeros nests as deep as it is long.
  const zeros = new Uint8Array(1_000_000);
  assert.throws(() => new ValueReader(zeros).skip(), ProtocolViolation);
  assert.throws(() => new ValueReader(zeros).readValue(), ProtocolViolation);
});

test('duplicate keys, compound keys and odd counts in maps are refused', () => {
  for (const hex of ['c10704520140520141', 'c103024540', 'c1020140', 'c10401404040']) {
    assert.throws(() => new ValueReader(fromHex(hex)).readValue(), ProtocolViolation, hex);
  }
});

/** A list32 or array32 around `content` that says it holds `count`. */
function compound(code: number, count: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(9 + content.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = code;
  view.setUint32(1, content.length + 4);
  view.setUint32(5, count);
  bytes.set(content, 9);
  return bytes;
}

const size = 65_536;
const hostile: Readonly<Record<string, Uint8Array>> = {
  'array of 2^32-1 nulls in 10 bytes': compound(0xf0, 0xffffffff, Uint8Array.of(0x40)),
  'array of as many trues as bytes': compound(0xf0, size, new Uint8Array(size).fill(0x41)),
  'array of empty lists': compound(0xf0, size, new Uint8Array(size).fill(0x45)),
  'list of empty lists': compound(0xd0, size, new Uint8Array(size).fill(0x45)),
  'list of nulls': compound(0xd0, size, new Uint8Array(size).fill(0x40)),
  'list of list8 without elements': compound(0xd0, size / 3, fromHex('c00100'.repeat(size / 3))),
  'list of list8 with one null': compound(0xd0, size / 4, fromHex('c0020140'.repeat(size / 4))),
  'list of empty maps': compound(0xd0, size / 3, fromHex('c10100'.repeat(size / 3))),
  'list of empty strings': compound(0xd0, size / 2, fromHex('a100'.repeat(size / 2))),
  'array of empty strings': compound(0xf0, size - 1, fromHex('a1' + '00'.repeat(size - 1))),
  'array of empty binaries': compound(0xf0, size - 1, fromHex('a0' + '00'.repeat(size - 1))),
  'list of short strings': compound(0xd0, size / 4, fromHex('a1024142'.repeat(size / 4))),
  'list of texts of 24 characters': compound(0xd0, Math.floor(size / 26), fromHex(('a118' + '41'.repeat(24)).repeat(size / 26))),
  'list of described nulls': compound(0xd0, size / 4, fromHex('00531040'.repeat(size / 4))),
  'list of wide integers': compound(0xd0, Math.floor(size / 9), fromHex('80ffffffffffffffff'.repeat(size / 9))),
  'list of doubles': compound(0xd0, Math.floor(size / 9), fromHex('823ff8000000000001'.repeat(size / 9))),
  'list of uints beyond small integers': compound(0xd0, Math.floor(size / 5), fromHex('70ffffffff'.repeat(size / 5))),
  'map of small keys': compound(
    0xd1,
    40_000,
    fromHex(Array.from({ length: 20_000 }, (_, key) => '60' + key.toString(16).padStart(4, '0') + '40').join('')),
  ),
};

/** What may be kept beside ten times the input: the first 4 KiB are free, and V8 rounds and grows. */
const freeBytes = 16_384;

for (const [name, bytes] of Object.entries(hostile)) {
  test(`no amplification: ${name}`, () => {
    const read = (): unknown => {
      try {
        return new ValueReader(bytes).readValue();
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
        return undefined;
      }
    };
    read();
    const copies = 8;
    const retained = retainedBytes(() => Array.from({ length: copies }, read)) / copies;
    assert.ok(retained <= 10 * bytes.length + freeBytes, `${bytes.length} bytes became ${retained}`);
    const durationMs = shortestMs(read);
    assert.ok(durationMs < 50, `${bytes.length} bytes took ${durationMs} ms`);
  });
}
