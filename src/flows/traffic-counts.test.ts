import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseCounts, parseCounts } from './traffic-counts.ts';

test('statuses are counted one by one, and those beyond the table as one', () => {
  const counts = new ResponseCounts();
  for (let round = 0; round < 3; round++) counts.count('GET', 200);
  counts.count('POST', 404);
  assert.equal(counts.statusText(), '200=3 404=1');
  for (let status = 500; status < 530; status++) counts.count('', status);
  counts.count('GET', 1_000_000);
  counts.count('GET', 0);
  counts.count('', 0);
  const told = parseCounts(counts.statusText());
  assert.equal(told.size, 17);
  assert.equal(told.get('OTHER'), 17);
  assert.equal(
    [...told.values()].reduce((sum, count) => sum + count, 0),
    35,
  );
  assert.equal(counts.methodText(), 'GET-200=3 POST-404=1 GET-OTHER=1 GET=1');
});

test('methods are counted with their statuses, and those that are not known as one', () => {
  const counts = new ResponseCounts();
  for (const method of ['GET', 'GET', 'POST', 'BREW', 'PROPFIND', 'get']) counts.count(method, 200);
  counts.count('GET', 503);
  assert.equal(counts.methodText(), 'GET-200=2 POST-200=1 OTHER-200=3 GET-503=1');
  for (let status = 200; status < 220; status++) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'CONNECT', 'TRACE', 'BREW', ''])
      counts.count(method, status);
  }
  const told = parseCounts(counts.methodText());
  assert.equal(told.size, 161, 'all of them are read');
  assert.equal(
    [...told.values()].reduce((sum, count) => sum + count, 0),
    207,
  );
});

test('what is no count is skipped', () => {
  assert.deepEqual(
    [...parseCounts('200=17 x=1 404 =5 GET=2 1=2=3 OTHER=1 GET-200=3 GET-x=1 -200=1 GET-OTHER=4')],
    [
      ['200', 17],
      ['GET', 2],
      ['OTHER', 1],
      ['GET-200', 3],
      ['GET-OTHER', 4],
    ],
  );
  assert.equal(parseCounts('200=1 '.repeat(2000)).size, 0);
  assert.ok(parseCounts(Array.from({ length: 500 }, (_, at) => `${at}=1`).join(' ')).size <= 256);
});
