import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ControlValue } from './control-message.ts';
import { OriginState } from './origin-state.ts';
import { LinkStateContent, readAddresses, readLinkState, writeAddresses, writeLinkState } from './record-content.ts';
import { lacks, readSummary, summarise } from './record-summary.ts';
import { recordsInBody, withRecords } from './record-text.ts';
import type { Treatment } from './route-table.ts';
import { isNewer, maxRecordOctets, maxEpoch, maxSlots, parseRecord, payloadRoom, signRecord, type SignedRecord } from './signed-record.ts';
import { simulatedTrust } from './simulated-trust.ts';

const trust = simulatedTrust(1).router({ routerId: 'A', epoch: 1 });

const number = fc.oneof(fc.nat(300), fc.maxSafeNat());
const routerId = fc
  .string({ minLength: 1, maxLength: 40, unit: 'binary' })
  .filter((id) => id.isWellFormed() && !id.includes('/') && id !== 'all');
const fields = fc.record(
  {
    slot: fc.nat(maxSlots - 1),
    origin: routerId,
    epoch: number.map((epoch) => Math.min(epoch, maxEpoch)),
    nonce: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    sequence: number,
    payload: fc.uint8Array({ maxLength: 300 }),
  },
  { noNullPrototype: true },
);

const peers = fc.uniqueArray(
  fc.record({ routerId, cost: fc.integer({ min: 1, max: 0x7fff_ffff }), isUnsigned: fc.boolean() }, { noNullPrototype: true }),
  {
    maxLength: 20,
    selector: (peer) => peer.routerId,
  },
);

function recordOf(slot: number, epoch: number, sequence: number, payload: Uint8Array = new Uint8Array(0)): SignedRecord {
  return signRecord({ slot, origin: 'A', epoch, nonce: new Uint8Array(8), sequence, payload }, trust);
}

function linkStateOf(slots: number, epoch: number, sequence: number): SignedRecord {
  const content = new LinkStateContent({ slots, instance: 1, linkStateSequence: 1, peers: [], site: undefined });
  return recordOf(0, epoch, sequence, writeLinkState(content, 1_000).payload);
}

test('a record is read as it was signed, and owns its bytes', () => {
  fc.assert(
    fc.property(fields, (given) => {
      const record = signRecord(given, trust);
      const source = record.bytes.slice();
      const read = parseRecord(source);
      assert.ok(read !== undefined);
      source.fill(0);
      const { slot, origin, epoch, nonce, sequence, payload } = read;
      assert.deepEqual({ slot, origin, epoch, nonce: nonce.slice(), sequence, payload: payload.slice() }, given);
      assert.deepEqual(read.bytes, record.bytes);
      const credential = trust.credentialOf(trust.credential);
      assert.ok(typeof credential !== 'string' && trust.verify(credential, read.signed, read.signature));
    }),
  );
});

test('any change of a record makes it unreadable or its signature wrong', () => {
  const credential = trust.credentialOf(trust.credential);
  assert.ok(typeof credential !== 'string');
  fc.assert(
    fc.property(fields, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, place, difference) => {
      const bytes = signRecord(given, trust).bytes.slice();
      const at = place % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ difference;
      const read = parseRecord(bytes);
      assert.ok(read === undefined || !trust.verify(credential, read.signed, read.signature));
    }),
  );
});

test('any bytes are refused or read, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      parseRecord(bytes);
      readLinkState(bytes, 'A');
      readAddresses(bytes);
      readSummary(bytes);
    }),
  );
  fc.assert(
    fc.property(fields, fc.nat(), (given, length) => {
      const { bytes } = signRecord(given, trust);
      assert.equal(parseRecord(bytes.subarray(0, length % bytes.length)), undefined);
    }),
  );
  assert.equal(parseRecord(new Uint8Array(maxRecordOctets + 1)), undefined);
});

test('link states and addresses are read as they were written', () => {
  const site = new Map<string, ControlValue>([
    ['name', 'west'],
    ['list', [1, true, null, new Map([['deep', 'x']])]],
  ]);
  fc.assert(
    fc.property(peers, number, number, fc.boolean(), (given, instance, linkStateSequence, hasSite) => {
      const named = given.filter((peer) => peer.routerId !== 'A');
      const content = { slots: 2, instance, linkStateSequence, peers: named, site: hasSite ? site : undefined };
      const { payload, leftOut } = writeLinkState(new LinkStateContent(content), payloadRoom('A'));
      const read = readLinkState(payload, 'A');
      assert.equal(leftOut, 0);
      assert.deepEqual(read?.peers, named);
      assert.deepEqual(read.site, content.site);
      assert.equal(
        read.hasUnsigned,
        named.some(({ isUnsigned }) => isUnsigned),
      );
    }),
  );
  const treatment = fc.constantFrom<Treatment>(0, 1, 2, 3, 4);
  const addresses = fc.array(
    fc.tuple(
      fc.string({ minLength: 1 }).map((name) => `M${name}`),
      treatment,
    ),
    { maxLength: 64 },
  );
  fc.assert(
    fc.property(addresses, number, (given, mobileSequence) => {
      const content = { mobileSequence, addresses: new Map(given) };
      assert.deepEqual(readAddresses(writeAddresses(content)), content);
    }),
  );
});

test('neighbours that do not fit a record are left out and counted', () => {
  const many = Array.from({ length: 1_024 }, (_, at) => ({ routerId: `${at}${'x'.repeat(240)}`, cost: 1, isUnsigned: false }));
  const content = new LinkStateContent({ slots: 2, instance: 1, linkStateSequence: 1, peers: many, site: undefined });
  const { payload, leftOut } = writeLinkState(content, payloadRoom('A'));
  assert.ok(payload.length <= payloadRoom('A'));
  assert.ok(leftOut > 0);
  assert.equal(readLinkState(payload, 'A')?.peers.length, 1_024 - leftOut);
});

test('a neighbour whose id is longer than a record can say is left out', () => {
  const long = { routerId: 'ü'.repeat(200), cost: 1, isUnsigned: true };
  const content = new LinkStateContent({ slots: 2, instance: 1, linkStateSequence: 1, peers: [long], site: undefined });
  const { payload, leftOut } = writeLinkState(content, payloadRoom('A'));
  assert.equal(leftOut, 1);
  assert.deepEqual(readLinkState(payload, 'A')?.peers, []);
});

test('a record is newer by epoch, then by sequence; of equals everybody keeps the same', () => {
  assert.ok(isNewer(recordOf(0, 2, 1), recordOf(0, 1, 9)));
  assert.ok(isNewer(recordOf(0, 2, 2), recordOf(0, 2, 1)));
  const [one, other] = [recordOf(0, 1, 1, Uint8Array.of(1)), recordOf(0, 1, 1, Uint8Array.of(2))];
  assert.notEqual(isNewer(one, other), isNewer(other, one));
  assert.equal(isNewer(one, one), false);
});

test('a state takes what it wants in any order and comes to the same', () => {
  const records = [
    recordOf(1, 1, 1),
    linkStateOf(4, 1, 2),
    recordOf(2, 1, 3, writeAddresses({ mobileSequence: 1, addresses: new Map() })),
    recordOf(3, 1, 4, writeAddresses({ mobileSequence: 1, addresses: new Map() })),
    linkStateOf(3, 2, 1),
    recordOf(2, 2, 2, writeAddresses({ mobileSequence: 2, addresses: new Map([['Mx', 3]]) })),
  ];
  const digests = new Set<number>();
  fc.assert(
    fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
      let state = new OriginState('A', []);
      for (const record of shuffled) if (state.wants(record)) state = state.with(record);
      digests.add(state.digest);
      assert.equal(state.linkState?.epoch, 2);
      assert.equal(state.addressSlot(2)?.sequence, 2);
      assert.equal(state.addressSlot(3), undefined);
      for (const record of shuffled) assert.equal(state.wants(record), false);
    }),
  );
  assert.equal(digests.size, 1);
});

test('states made from the same records in the same order are the same object', () => {
  const [credential, linkState] = [recordOf(1, 1, 1), linkStateOf(2, 1, 2)];
  const state = new OriginState('A', []).with(credential);
  assert.equal(state.with(linkState), state.with(linkState));
});

test('a summary shows what its reader lacks', () => {
  const states = Array.from({ length: 3_000 }, (_, at) => {
    const origin = `router-${String(at).padStart(5, '0')}`;
    const make = (slot: number): SignedRecord =>
      signRecord({ slot, origin, epoch: 1, nonce: new Uint8Array(8), sequence: slot + 1, payload: new Uint8Array(0) }, trust);
    return new OriginState(origin, [make(0), make(1)]);
  });
  const summaries = summarise(states);
  assert.ok(summaries.length > 1);
  assert.equal(summaries[0]?.after, '');
  assert.equal(summaries.at(-1)?.upTo, '');
  for (const [at, { after, entries }] of summaries.entries()) {
    assert.equal(after, summaries[at - 1]?.upTo ?? '');
    assert.ok(entries.length <= 61_440);
  }
  const listed = new Map(summaries.flatMap(({ entries }) => [...(readSummary(entries) ?? [])]));
  assert.equal(listed.size, 3_000);
  for (const state of states) for (const record of state.records()) assert.equal(lacks(listed.get(state.origin), record), false);
  const first = states[0]?.slot(0);
  assert.ok(first !== undefined);
  const { slot, origin, epoch, nonce, payload } = first;
  const newer = signRecord({ slot, origin, epoch, nonce, sequence: 9, payload }, trust);
  assert.equal(lacks(listed.get(origin), newer), true);
  assert.equal(lacks(undefined, first), true);
});

test('records survive as text in a body', () => {
  fc.assert(
    fc.property(fields, (given) => {
      const record = signRecord(given, trust);
      const body = withRecords(new Map<string, ControlValue>([['id', 'A']]), [record]);
      assert.deepEqual(recordsInBody(body)?.[0]?.bytes, record.bytes);
    }),
  );
  assert.deepEqual(recordsInBody(new Map([['caravan-records', ['%', 'AAAA', 'A']]])), []);
  assert.equal(recordsInBody(new Map()), undefined);
});
