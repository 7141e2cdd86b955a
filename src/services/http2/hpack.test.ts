import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { buildFields, fieldOverheadBytes, readFields } from '../http/field-block.ts';
import type { Field } from '../http/field-block.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { decodeHuffman } from './hpack-huffman.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { tableBytes } from './limits.ts';

const scratch = new Uint8Array(65_536);

function octets(hexadecimal: string): Uint8Array {
  return new Uint8Array(Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex'));
}

/** The fields of a head as `name: value`. */
function decode(decoder: HpackDecoder, bytes: Uint8Array): string[] {
  const found: string[] = [];
  decoder.begin(bytes, 0, bytes.length);
  while (decoder.next(scratch, 0)) {
    const name = decoder.start + fieldOverheadBytes;
    const value = name + decoder.nameLength;
    const text = Buffer.from(decoder.octets.subarray(name, value + decoder.valueLength)).toString('latin1');
    found.push(`${text.slice(0, decoder.nameLength)}: ${text.slice(decoder.nameLength)}`);
  }
  decoder.release();
  return found;
}

const requests: readonly (readonly string[])[] = [
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
  [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
  [':method: GET', ':scheme: https', ':path: /index.html', ':authority: www.example.com', 'custom-key: custom-value'],
];
const cookie = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const answers: readonly (readonly string[])[] = [
  [':status: 302', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'],
  [':status: 307', 'cache-control: private', 'date: Mon, 21 Oct 2013 20:13:21 GMT', 'location: https://www.example.com'],
  [
    ':status: 200',
    'cache-control: private',
    'date: Mon, 21 Oct 2013 20:13:22 GMT',
    'location: https://www.example.com',
    'content-encoding: gzip',
    `set-cookie: ${cookie}`,
  ],
];

suite('the examples of RFC 7541 appendix C', () => {
  test('C.2: each representation', () => {
    const of = (hexadecimal: string): string[] => decode(new HpackDecoder(), octets(hexadecimal));
    assert.deepEqual(of('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'), ['custom-key: custom-header']);
    assert.deepEqual(of('040c 2f73 616d 706c 652f 7061 7468'), [':path: /sample/path']);
    assert.deepEqual(of('1008 7061 7373 776f 7264 0673 6563 7265 74'), ['password: secret']);
    assert.deepEqual(of('82'), [':method: GET']);
  });

  const runs: Readonly<Record<string, { heads: readonly string[]; fields: readonly (readonly string[])[]; sizes: readonly number[] }>> = {
    'C.3: requests': {
      heads: [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
      fields: requests,
      sizes: [57, 110, 164],
    },
    'C.4: requests in Huffman code': {
      heads: [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
      fields: requests,
      sizes: [57, 110, 164],
    },
    'C.6: answers in Huffman code, with a table of 256 octets': {
      heads: [
        '3fe1 01 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
        '4883 640e ffc1 c0bf',
        '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
      ],
      fields: answers,
      sizes: [222, 222, 215],
    },
  };
  for (const [name, { heads, fields, sizes }] of Object.entries(runs)) {
    test(name, () => {
      const decoder = new HpackDecoder();
      for (const [index, head] of heads.entries()) {
        assert.deepEqual(decode(decoder, octets(head)), fields[index]);
        assert.equal(decoder.table.size, sizes[index]);
      }
    });
  }
});

test('Huffman code: its longest symbols, and what is no string', () => {
  const of = (hexadecimal: string): string => {
    const bytes = octets(hexadecimal);
    return Buffer.from(scratch.subarray(0, decodeHuffman(bytes, 0, bytes.length, scratch, 0, 64))).toString('hex');
  };
  assert.deepEqual(['ffc7', 'fffffff3', 'ffffffef', 'fffffbbf'].map(of), ['00', '0a', 'f9', 'ff']);
  assert.equal(of(''), '');
  const wrong: Readonly<Record<string, string>> = {
    'the symbol for the end': 'ffffffff',
    'padding of 8 bits': '1fff',
    'padding that is not of ones': '18',
  };
  for (const [what, hexadecimal] of Object.entries(wrong)) assert.throws(() => of(hexadecimal), { code: ErrorCode.compressionError }, what);
});

suite('what makes the tables of both ends differ is refused', () => {
  const cases: Readonly<Record<string, string>> = {
    'the index 0': '80',
    'an index beyond the tables': 'be',
    'a name with an index beyond the tables': '7f01 0161',
    'a field that is cut short': '400161',
    'a string that is longer than its head': '4001617f',
    'an integer that does not end': '7fffffffffffffff',
    'an integer of 2^32': '7f818080801000',
    'a table larger than allowed': '3fe21f',
    'a size of the table behind a field': '823f01',
  };
  for (const [name, hexadecimal] of Object.entries(cases)) {
    test(name, () => assert.throws(() => decode(new HpackDecoder(), octets(hexadecimal)), { code: ErrorCode.compressionError }));
  }
});

const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_`|~-]{1,30}$/);
const value = fc.stringMatching(/^(?:[!-~\u0080-\u00ff](?:[\t !-~\u0080-\u00ff]{0,60}[!-~\u0080-\u00ff])?)?$/);
const common = fc.constantFrom('content-type', 'cookie', 'date', 'x-request-id', 'set-cookie', 'grpc-status');
const field: fc.Arbitrary<Field> = fc.record({ name: fc.oneof(token, common), value: fc.oneof(value, fc.constantFrom('a', 'b')) });
/** Few of them, so that they come again. */
const someFields = fc.array(field, { minLength: 1, maxLength: 12 });
const tableSizes = fc.option(fc.constantFrom(0, 40, 64, 200, 1_024, 4_096, 65_536), { freq: 6 });

test('what is written is read the same, whatever the table allows', () => {
  fc.assert(
    fc.property(
      someFields,
      fc.array(fc.record({ picks: fc.array(fc.nat(), { maxLength: 8 }), tableSize: tableSizes }), { maxLength: 30 }),
      (fields, heads) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        const target = new Uint8Array(16_384);
        for (const { picks, tableSize } of heads) {
          const some = picks.map((pick) => fields[pick % fields.length] as Field);
          if (tableSize !== null) encoder.resize(tableSize);
          const block = buildFields(some.map(({ name, value: text }) => ({ name, value: text })));
          encoder.begin(target, 0);
          encoder.authority('h:1');
          encoder.path(`/${picks.length % 2}`);
          encoder.fields(block);
          assert.ok(encoder.at <= HpackEncoder.blockBytes(block) + 64, 'no longer than was said');
          assert.deepEqual(decode(decoder, target.slice(0, encoder.at)), [
            ':authority: h:1',
            `:path: /${picks.length % 2}`,
            ...readFields(block).map(({ name, value: text }) => `${name}: ${Buffer.from(text, 'utf8').toString('latin1')}`),
          ]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('fields that come again become an octet; secrets and what comes once stay out of the table', () => {
  const encoder = new HpackEncoder();
  const target = new Uint8Array(16_384);
  const lengthOf = (...fields: readonly Field[]): number => {
    encoder.begin(target, 0);
    encoder.fields(buildFields(fields));
    return encoder.at;
  };
  const type = { name: 'content-type', value: 'application/grpc' };
  assert.deepEqual([lengthOf(type), lengthOf(type), lengthOf(type)], [19, 18, 1]);
  const secret = { name: 'authorization', value: 'Basic xyz' };
  assert.deepEqual([lengthOf(secret), lengthOf(secret), lengthOf(secret)], [12, 12, 12]);
  assert.equal(target[0], 0x1f, 'is never to be in a table');
  for (let id = 0; id < 1_000; id++) lengthOf({ name: 'x-request-id', value: `${id}` });
  assert.equal(lengthOf(type), 1);
});

test('any octets are read to their end or refused, within the bounds of the table', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (heads) => {
      const decoder = new HpackDecoder();
      try {
        for (const head of heads) {
          decode(decoder, head);
          assert.ok(decoder.table.size <= tableBytes);
        }
      } catch (error) {
        assert.ok(error instanceof Http2Violation);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a literal without place is told, and the table goes on as the peer has it', () => {
  const decoder = new HpackDecoder();
  const small = new Uint8Array(tableBytes + 8);
  // A value of 5000 octets, which enters the table: nothing is in it afterwards.
  const long = new Uint8Array([0x40, 1, 0x61, 0x7f, 0x89, 0x26, ...new Uint8Array(5_000).fill(0x62)]);
  decode(decoder, octets('4001 6101 62'));
  assert.equal(decoder.table.count, 1);
  decoder.begin(long, 0, long.length);
  assert.ok(decoder.next(small, 0));
  assert.ok(decoder.overflow);
  assert.ok(!decoder.next(small, 0));
  assert.equal(decoder.table.count, 0);
});
