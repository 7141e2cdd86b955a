import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressHex, blockOf, wholeBlock } from './address.ts';
import { usualDurations } from './durations.ts';
import { LeaseBook, type LeaseRequest } from './lease-book.ts';

const block = blockOf(addressHex('10.0.0.16'));
const { leaseMs, firstLeaseMs, graveMs } = usualDurations;
const nobodyGone = (): boolean => false;

function ask(kind: LeaseRequest['kind'], sequence: number, mask: number = wholeBlock, token = 0): LeaseRequest {
  return { kind, vni: 7, block, mask, token, sequence };
}

test('a block has one holder; whoever gets it later has a higher token', () => {
  const book = new LeaseBook(usualDurations);
  assert.deepEqual(book.ask(1, ask('grant', 1), 0, nobodyGone), { mask: wholeBlock, token: 1 });
  assert.equal(book.ask(2, ask('grant', 1), 1, nobodyGone).mask, 0);
  assert.equal(book.ask(1, ask('renew', 2, wholeBlock, 1), 2, nobodyGone).mask, wholeBlock);
  assert.equal(book.ask(2, ask('grant', 2), leaseMs + 1, nobodyGone).mask, 0);
  assert.deepEqual(book.ask(2, ask('grant', 3), leaseMs + 2, nobodyGone), { mask: wholeBlock, token: 2 });
  assert.equal(book.ask(1, ask('renew', 3, wholeBlock, 1), leaseMs + 3, nobodyGone).mask, 0);
});

test('a lease that was not confirmed ends soon', () => {
  const book = new LeaseBook(usualDurations);
  book.ask(1, ask('grant', 1), 0, nobodyGone);
  assert.equal(book.ask(2, ask('grant', 1), firstLeaseMs - 1, nobodyGone).mask, 0);
  assert.equal(book.ask(2, ask('grant', 2), firstLeaseMs, nobodyGone).mask, wholeBlock);
});

test('a request that comes late, after a newer one of the same host, changes nothing', () => {
  const book = new LeaseBook(usualDurations);
  book.ask(1, ask('grant', 5), 0, nobodyGone);
  book.ask(1, ask('release', 4), 1, nobodyGone);
  assert.equal(book.ask(2, ask('grant', 1), 2, nobodyGone).mask, 0);
  book.ask(1, ask('release', 6), 3, nobodyGone);
  assert.equal(book.ask(1, ask('renew', 5, wholeBlock, 1), 4, nobodyGone).mask, 0);
  assert.equal(book.ask(2, ask('grant', 2), 5, nobodyGone).mask, wholeBlock);
});

test('a repeated request gets the same answer', () => {
  const book = new LeaseBook(usualDurations);
  const first = book.ask(1, ask('grant', 5), 0, nobodyGone);
  assert.deepEqual(book.ask(1, ask('grant', 5), 1, nobodyGone), first);
});

test('one address goes to another host: the rest of the block stays, and nobody else gets the rest', () => {
  const book = new LeaseBook(usualDurations);
  const one = 0x10;
  book.ask(1, ask('grant', 1), 0, nobodyGone);
  assert.equal(book.ask(2, ask('grant', 1, one), 1, nobodyGone).mask, 0);
  assert.equal(book.ask(1, ask('release', 2, one), 2, nobodyGone).mask, wholeBlock & ~one);
  assert.equal(book.ask(3, ask('grant', 1), 3, nobodyGone).mask, 0);
  assert.deepEqual(book.ask(2, ask('grant', 2, one), 4, nobodyGone), { mask: one, token: 2 });
  assert.equal(book.ask(1, ask('renew', 3, wholeBlock, 1), 5, nobodyGone).mask, wholeBlock & ~one);
});

test('the leases of a host that is off for good are void', () => {
  const book = new LeaseBook(usualDurations);
  book.ask(1, ask('grant', 1), 0, nobodyGone);
  assert.equal(book.ask(2, ask('grant', 1), 1, (host) => host === 1).mask, wholeBlock);
});

test('what has ended is forgotten, not earlier than calls live', () => {
  const book = new LeaseBook(usualDurations);
  book.ask(1, ask('grant', 1), 0, nobodyGone);
  book.ask(1, ask('release', 2), 10, nobodyGone);
  assert.deepEqual(book.sweep(9 + graveMs), []);
  assert.deepEqual(book.sweep(10 + graveMs), [`7/${block}`]);
  assert.equal(book.size, 0);
});

test('a record that is handed over adds what is newer', () => {
  const [from, to] = [new LeaseBook(usualDurations), new LeaseBook(usualDurations)];
  from.ask(1, ask('grant', 1), 0, nobodyGone);
  const record = from.get(7, block);
  assert.ok(record !== undefined);
  to.ask(2, ask('grant', 1, 1), 0, nobodyGone);
  to.merge(`7/${block}`, record);
  assert.equal(to.ask(3, ask('grant', 1), 1, nobodyGone).mask, 0);
  assert.equal(to.get(7, block)?.leases.length, 2);
});
