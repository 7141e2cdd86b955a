import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressHex, octetsOf } from '../control/address.ts';
import { decodeMessage, recordsLimit } from './decode.ts';
import { encodeMessage } from './encode.ts';
import {
  internetClass,
  messageLimit,
  nameOf,
  rcodes,
  recordTypes,
  type DnsMessage,
  type DomainName,
  type ResourceRecord,
} from './message.ts';

const query: DnsMessage = {
  id: 0x1234,
  isResponse: false,
  opcode: 0,
  isAuthoritative: false,
  isTruncated: false,
  recursionDesired: true,
  recursionAvailable: false,
  rcode: rcodes.noError,
  questions: [{ name: nameOf('web.red.overlay'), type: recordTypes.a, recordClass: internetClass }],
  answers: [],
  authorities: [],
  additionals: [],
  edns: undefined,
};

function addressRecord(name: string, address: string): ResourceRecord {
  const type = address.includes(':') ? recordTypes.aaaa : recordTypes.a;
  return {
    name: nameOf(name),
    type,
    recordClass: internetClass,
    ttlSeconds: 5,
    data: { kind: 'address', address: octetsOf(addressHex(address)) },
  };
}

/** Octets that another implementation wrote: `dig +noedns web.red.overlay`, and the answer of a server. */
const dugQuery = '12340120000100000000000003776562037265640 76f7665726c61790000010001'.replaceAll(' ', '');

test('a query as dig sends it', () => {
  const decoded = decodeMessage(Uint8Array.fromHex(dugQuery));
  assert.deepEqual(decoded, query);
});

test('names that stood before are pointed to', () => {
  const message: DnsMessage = { ...query, isResponse: true, answers: [addressRecord('web.red.overlay', '10.0.0.5')] };
  const octets = encodeMessage(message, 512);
  assert.equal(octets.length, 33 + 2 + 10 + 4);
  assert.deepEqual([...octets.subarray(33, 35)], [0xc0, 12]);
  assert.deepEqual(decodeMessage(octets), message);
});

test('what does not fit by UDP is cut off', () => {
  const answers = Array.from({ length: 40 }, (_, at) => addressRecord('web.red.overlay', `10.0.0.${at}`));
  const message = { ...query, isResponse: true, answers, edns: { udpBytes: 1232, version: 0, dnssecOk: false } };
  const exact = encodeMessage(message, messageLimit).length;
  assert.deepEqual(decodeMessage(encodeMessage(message, exact)), message);
  const cut = decodeMessage(encodeMessage(message, exact - 1));
  assert.deepEqual(cut, { ...message, isTruncated: true, answers: [] });
});

const labelArbitrary = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 20,
});
const nameArbitrary: fc.Arbitrary<DomainName> = fc.array(labelArbitrary, { maxLength: 6 });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const octetsArbitrary = fc.uint8Array({ maxLength: 40 }).map((octets) => Uint8Array.from(octets));
const recordArbitrary: fc.Arbitrary<ResourceRecord> = fc
  .record({
    name: nameArbitrary,
    ttlSeconds: u32,
    content: fc.oneof(
      fc.constant([recordTypes.a, { kind: 'address', address: octetsOf(addressHex('10.1.2.3')) }] as const),
      fc.constant([recordTypes.aaaa, { kind: 'address', address: octetsOf(addressHex('fd00::7')) }] as const),
      nameArbitrary.map((name) => [recordTypes.ptr, { kind: 'name', name }] as const),
      fc.tuple(nameArbitrary, nameArbitrary, u32).map(([server, mailbox, serial]) => {
        const times = { refreshSeconds: 1, retrySeconds: 2, expireSeconds: 3, minimumSeconds: 4 };
        return [recordTypes.soa, { kind: 'authority', server, mailbox, serial, ...times }] as const;
      }),
      octetsArbitrary.map((octets) => [16, { kind: 'octets', octets }] as const),
    ),
  })
  .map(({ name, ttlSeconds, content: [type, data] }) => ({ name, type, recordClass: internetClass, ttlSeconds, data }));

test('what was encoded is decoded as it was, and no part of it is a message', () => {
  const records = fc.array(recordArbitrary, { maxLength: 4 });
  const messages = fc.record({
    answers: records,
    authorities: records,
    additionals: records,
    edns: fc.boolean(),
    rcode: fc.integer({ min: 0, max: 15 }),
  });
  fc.assert(
    fc.property(messages, ({ answers, authorities, additionals, edns, rcode }) => {
      const option = edns ? { udpBytes: 4096, version: 0, dnssecOk: true } : undefined;
      const message: DnsMessage = { ...query, isResponse: true, answers, authorities, additionals, rcode, edns: option };
      const octets = encodeMessage(message, messageLimit);
      const decoded = decodeMessage(octets);
      assert.ok(decoded !== undefined);
      // Letters of a name that is pointed to may have the case of the first one.
      assert.deepEqual(JSON.parse(JSON.stringify(decoded).toLowerCase()), JSON.parse(JSON.stringify(message).toLowerCase()));
      for (let length = 0; length < octets.length; length++) assert.equal(decodeMessage(octets.subarray(0, length)), undefined);
      assert.equal(decodeMessage(Uint8Array.of(...octets, 0)), undefined);
    }),
    { numRuns: 50 },
  );
});

/** A message with these octets behind a header that counts so. */
function message(counts: readonly number[], ...octets: readonly number[]): Uint8Array {
  return Uint8Array.of(0, 1, 1, 0, ...counts.flatMap((count) => [count >> 8, count & 255]), ...octets);
}

const hostile: readonly (readonly [string, Uint8Array])[] = [
  ['a name that points to itself', message([1, 0, 0, 0], 0xc0, 12, 0, 1, 0, 1)],
  ['names that point to each other', message([1, 0, 0, 0], 0xc0, 14, 0xc0, 12, 0, 1, 0, 1)],
  ['a name that comes back to its own beginning', message([1, 0, 0, 0], 1, 97, 0xc0, 12, 0, 1, 0, 1)],
  ['a pointer behind the end', message([1, 0, 0, 0], 0xff, 0xff, 0, 1, 0, 1)],
  ['a pointer into the header', message([1, 0, 0, 0], 0xc0, 4, 0, 1, 0, 1)],
  ['half a pointer', message([1, 0, 0, 0], 0xc0)],
  ['a label of a reserved kind', message([1, 0, 0, 0], 0x41, 97, 0, 0, 1, 0, 1)],
  ['a name of 256 octets', message([1, 0, 0, 0], ...Array.from({ length: 127 }, () => [1, 97]).flat(), 1, 97, 0, 0, 1, 0, 1)],
  ['more records than there are octets', message([1, 200, 0, 0], 0, 0, 1, 0, 1)],
  ['an address of 3 octets', message([0, 1, 0, 0], 0, 0, 1, 0, 1, 0, 0, 0, 5, 0, 3, 1, 2, 3)],
  ['data behind the end', message([0, 1, 0, 0], 0, 0, 16, 0, 1, 0, 0, 0, 5, 0, 9, 1)],
  ['a name that is longer than its data', message([0, 1, 0, 0], 0, 0, 12, 0, 1, 0, 0, 0, 5, 0, 1, 1, 97, 0)],
  ['two OPT', message([0, 0, 0, 2], 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0)],
  ['OPT of a name', message([0, 0, 0, 1], 1, 97, 0, 0, 41, 4, 0, 0, 0, 0, 0, 0, 0)],
];

for (const [what, octets] of hostile) test(`malformed: ${what}`, () => assert.equal(decodeMessage(octets), undefined));

test('a name of 255 octets, and as many questions as the limit, are taken', () => {
  const longest = message([1, 0, 0, 0], ...Array.from({ length: 127 }, () => [1, 97]).flat(), 0, 0, 1, 0, 1);
  assert.equal(decodeMessage(longest)?.questions[0]?.name.length, 127);
  const many = (count: number): Uint8Array => message([count, 0, 0, 0], ...Array.from({ length: count }, () => [0, 0, 1, 0, 1]).flat());
  assert.equal(decodeMessage(many(recordsLimit))?.questions.length, recordsLimit);
  assert.equal(decodeMessage(many(recordsLimit + 1)), undefined);
});

test('whatever octets come, they are refused or say the same again', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
      const first = decodeMessage(octets);
      if (first !== undefined) assert.ok(decodeMessage(encodeMessage(first, messageLimit)) !== undefined);
    }),
  );
});
