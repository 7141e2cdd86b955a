import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MethodCounts, StatusCounts, parseCounts } from './traffic-counts.ts';

test('statuses are counted one by one, and those beyond the table as one', () => {
  const counts = new StatusCounts();
  for (let round = 0; round < 3; round++) counts.count(200);
  counts.count(404);
  assert.equal(counts.toText(), '200=3 404=1');
  for (let status = 500; status < 530; status++) counts.count(status);
  counts.count(1_000_000);
  const told = parseCounts(counts.toText());
  assert.equal(told.size, 17);
  assert.equal(told.get('OTHER'), 17);
  assert.equal(
    [...told.values()].reduce((sum, count) => sum + count, 0),
    35,
  );
});

test('methods that are not known are counted as one', () => {
  const counts = new MethodCounts();
  for (const method of ['GET', 'GET', 'POST', 'BREW', 'PROPFIND', 'get']) counts.count(method);
  assert.equal(counts.toText(), 'GET=2 POST=1 OTHER=3');
  for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE']) counts.count(method);
  assert.equal(parseCounts(counts.toText()).size, 10);
});

test('what is no count is skipped', () => {
  assert.deepEqual(
    [...parseCounts('200=17 x=1 404 =5 GET=2 1=2=3 OTHER=1')],
    [
      ['200', 17],
      ['GET', 2],
      ['OTHER', 1],
    ],
  );
  assert.equal(parseCounts('200=1 '.repeat(2000)).size, 0);
  assert.ok(parseCounts(Array.from({ length: 200 }, (_, at) => `${at}=1`).join(' ')).size <= 64);
});
