import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressHex, blockOf } from './address.ts';
import type { DirectoryEntry } from './directory.ts';
import { formatMessage, messageLimits, parseMessage, weightOf, type MessageRecord } from './messages.ts';

const address = addressHex('10.0.0.5');
const entry: DirectoryEntry = { vni: 7, address, hostId: 2, generation: 5, identity: 0, flags: 0, mac: '020000000005' };
const { vni, hostId: _, ...placed } = entry;
const { vni: __, hostId: ___, ...named } = entry;
const block = blockOf(address);
const record = { leases: [{ holder: 1, mask: 3, expiresMs: 5 }], token: 1, sequences: [[1, 2] as const], forgetAtMs: 9 };

const records: readonly MessageRecord[] = [
  { type: 'put', id: 1, vni, sequence: 9, epoch: 1, ...placed },
  { type: 'delete', id: 1, vni, address, generation: 5 },
  { type: 'get', id: 1, vni, address },
  { type: 'lease', id: 1, epoch: 1, kind: 'grant', vni, block, mask: 0xffff, token: 0, sequence: 1 },
  { type: 'handover', id: 1, subnetId: 1, slot: 250, epoch: 1, newEpoch: 2 },
  { type: 'list', id: 1, vni, epoch: 1, from: address, to: '', sequence: 3, entries: [named] },
  { type: 'moved', id: 1, vni, address, generation: 5 },
  { type: 'digest', vni, epoch: 1, count: 1, high: 2, low: 0xffffffff },
  { type: 'ask', vni, isList: true },
  { type: 'located', ...entry },
  { type: 'putAnswer', id: 1, isAccepted: false, generation: 6 },
  { type: 'getAnswer', id: 1, entries: [entry] },
  { type: 'leaseAnswer', id: 1, outcome: 'agreed', mask: 3, token: 2 },
  { type: 'handoverAnswer', id: 1, outcome: 'informed', blocks: [{ vni, block, record }] },
  { type: 'done', id: 1 },
];

test('every record is read as it was written', () => {
  assert.deepEqual(parseMessage(formatMessage(records)), records);
});

test('a record with a member too few, too many or of another type is refused, and with it the message', () => {
  for (const whole of records) {
    for (const name of Object.keys(whole)) {
      const without: Record<string, unknown> = { ...whole };
      delete without[name];
      assert.equal(parseMessage(JSON.stringify([without])), undefined, `${whole.type} without ${name}`);
      for (const value of [null, -1, 1.5, 2 ** 60, 'x', {}, [1]]) {
        assert.equal(
          parseMessage(JSON.stringify([{ ...whole, [name]: value }])),
          undefined,
          `${whole.type} with ${name} ${JSON.stringify(value)}`,
        );
      }
    }
    assert.equal(parseMessage(JSON.stringify([{ ...whole, more: 1 }])), undefined, `${whole.type} with more`);
  }
});

test('limits: records of a message, entries of a list', () => {
  const done = { type: 'done', id: 1 } as const;
  assert.ok(parseMessage(formatMessage(Array.from({ length: messageLimits.records }, () => done))) !== undefined);
  assert.equal(parseMessage(formatMessage(Array.from({ length: messageLimits.records + 1 }, () => done))), undefined);
  const list = (entries: number): string =>
    formatMessage([
      { type: 'list', id: 1, vni, epoch: 1, from: address, to: '', sequence: 3, entries: Array.from({ length: entries }, () => named) },
    ]);
  assert.ok(parseMessage(list(messageLimits.entries)) !== undefined);
  assert.equal(parseMessage(list(messageLimits.entries + 1)), undefined);
});

test('records weigh at least what they are as text', () => {
  const entries = Array.from({ length: messageLimits.entries }, () => ({
    ...named,
    generation: 0xffffffff,
    identity: 0xffffffff,
    flags: 0xffff,
  }));
  const most = 0xffffffff;
  const list: MessageRecord = {
    type: 'list',
    id: most,
    vni: 0xffffff,
    epoch: most,
    from: address,
    to: address,
    sequence: 2 ** 53 - 1,
    entries,
  };
  const full = {
    leases: Array.from({ length: 16 }, () => ({ holder: most, mask: 0xffff, expiresMs: 2 ** 53 - 1 })),
    token: most,
    sequences: Array.from({ length: 64 }, () => [most, 2 ** 53 - 1] as const),
    forgetAtMs: 2 ** 53 - 1,
  };
  const blocks = Array.from({ length: messageLimits.blocks }, () => ({ vni: 0xffffff, block, record: full }));
  const handover: MessageRecord = { type: 'handoverAnswer', id: most, outcome: 'uninformed', blocks };
  for (const heavy of [...records, list, handover]) {
    assert.ok(formatMessage([heavy]).length <= weightOf(heavy), heavy.type);
    assert.ok(weightOf(heavy) <= messageLimits.bytes, heavy.type);
  }
});

test('whatever text comes, it is refused or it is records', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc
          .array(fc.dictionary(fc.constantFrom('type', 'id', 'vni', 'entries', '__proto__'), fc.jsonValue()))
          .map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const parsed = parseMessage(text);
        assert.ok(parsed === undefined || Array.isArray(parsed));
      },
    ),
  );
  assert.equal(parseMessage('[{"type":"constructor"}]'), undefined);
  assert.equal(parseMessage('{'), undefined);
  assert.deepEqual(parseMessage('[]'), []);
});
