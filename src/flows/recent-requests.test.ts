import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecentRequests } from './recent-requests.ts';
import type { RequestChanges } from './recent-requests.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { Attribute, RecordType } from './record-types.ts';

function told(id: string, isEnded: boolean): RecordUpdate {
  const record = new Map<number, AttributeValue>([
    [Attribute.recordType, RecordType.applicationFlow],
    [Attribute.identity, id],
  ]);
  return isEnded ? record.set(Attribute.endTime, 1) : record;
}

const all = (): boolean => true;

function texts({ requests }: RequestChanges): string[] {
  return requests.map(({ id, ended }) => `${id}${ended ? ' ended' : ''}`);
}

test('who follows is given what begins and ends, once each, in order', () => {
  const recent = new RecentRequests(100, 5_000);
  recent.take('s', told('a', false), 0);
  const start = recent.lastChange;
  assert.deepEqual(recent.changesAfter(start, 10, all), { requests: [], next: start, missed: 0 });
  recent.take('s', told('b', false), 0);
  recent.take('s', told('a', true), 0);
  recent.take('s', told('a', true), 0);
  const first = recent.changesAfter(start, 1, all);
  assert.deepEqual(texts(first), ['b']);
  recent.take('s', told('b', true), 0);
  recent.take('s', told('c', false), 0);
  const second = recent.changesAfter(first.next, 10, ({ id }) => id !== 'c');
  assert.deepEqual(texts(second), ['a ended', 'b ended']);
  recent.endSource('s');
  assert.deepEqual(texts(recent.changesAfter(second.next, 10, all)), ['c ended']);
  // Of an observer before this one: what it knew is not known here.
  assert.equal(recent.changesAfter(17, 10, all).missed, 0);
});

test('however many come, those that are not given are counted', () => {
  const steps = fc.array(fc.record({ count: fc.integer({ min: 0, max: 90 }), limit: fc.integer({ min: 1, max: 30 }) }), { maxLength: 30 });
  fc.assert(
    fc.property(steps, (rounds) => {
      const recent = new RecentRequests(40);
      let number = 0;
      let after = recent.lastChange;
      let seen = 0;
      let missed = 0;
      const ask = (limit: number): void => {
        const changes = recent.changesAfter(after, limit, all);
        after = changes.next;
        seen += changes.requests.length;
        missed += changes.missed;
      };
      for (const { count, limit } of rounds) {
        for (let made = 0; made < count; made++) recent.take('s', told(String(number++), true), 0);
        ask(limit);
      }
      ask(1_000);
      assert.equal(after, recent.lastChange);
      assert.equal(seen + missed, number);
    }),
  );
});

test('who was away for longer than changes are kept is told how many there were', () => {
  const recent = new RecentRequests(100);
  const start = recent.lastChange;
  for (let number = 0; number < 50_000; number++) recent.take('s', told(String(number), true), 0);
  const { requests, missed, next } = recent.changesAfter(start, 1_000, all);
  assert.deepEqual([requests.length, missed, next], [100, 49_900, recent.lastChange]);
});
