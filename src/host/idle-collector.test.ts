import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { IdleCollector } from './idle-collector.ts';

const mebibyte = 1_048_576;

test('the heap is collected once, when the process rests after it has grown', () => {
  let [heap, busy, collections] = [20 * mebibyte, 0, 0];
  using collector = new IdleCollector(
    () => {
      collections++;
      heap = 22 * mebibyte;
    },
    () => heap,
    () => busy,
  );
  collector.look();
  assert.equal(collections, 0, 'nothing to gain');
  heap = 100 * mebibyte;
  busy += 1_000_000;
  collector.look();
  assert.equal(collections, 0, 'busy');
  busy += 10_000;
  collector.look();
  assert.equal(collections, 1);
  collector.look();
  assert.equal(collections, 1, 'nothing more to gain');
});

test('the collection of this process gives the memory of garbage back', () => {
  using collector = new IdleCollector(undefined, undefined, () => 0);
  const held: object[] = [];
  for (let index = 0; index < 600_000; index++) held.push({ index, text: [index] });
  const full = getHeapStatistics().total_heap_size;
  held.length = 0;
  collector.look();
  assert.ok(getHeapStatistics().total_heap_size < full - 20 * mebibyte);
});
