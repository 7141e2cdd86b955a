import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AddressGrant, addressPatternProblem, addressPatternsCover } from './address-grant.ts';

test('a grant allows exact names, prefixes and everything, and nothing without a pattern', () => {
  const grant = new AddressGrant(['backend', 'db.*']);
  assert.deepEqual(
    ['backend', 'backend2', 'db.', 'db.orders', 'db', ''].map((address) => grant.allows(address)),
    [true, false, true, true, false, false],
  );
  assert.equal(new AddressGrant(['*']).allows('anything'), true);
  assert.equal(new AddressGrant([]).allows('anything'), false);
  // A pattern is never an address by itself.
  assert.equal(new AddressGrant(['db.*']).allows('db.*'), true);
  assert.equal(new AddressGrant(['x']).allows('*'), false);
});

test('patterns are bounded and have their star at the end', () => {
  for (const good of ['*', 'a', 'a.b-c', 'a*']) assert.equal(addressPatternProblem(good), undefined);
  for (const bad of ['', '*a', 'a*b', '**', 'a b', 'a/b', 'a,b', 'x'.repeat(254)])
    assert.notEqual(addressPatternProblem(bad), undefined, bad);
});

test('patterns cover what others stand for', () => {
  const covered = (patterns: readonly string[], pattern: string): boolean => addressPatternsCover(patterns, pattern);
  assert.deepEqual(
    [covered(['*'], '*'), covered(['*'], 'a*'), covered(['db.*'], 'db.x*'), covered(['db.*'], 'db.x')],
    [true, true, true, true],
  );
  assert.deepEqual(
    [covered(['db.*'], 'db*'), covered(['db.*'], '*'), covered(['a', 'b'], 'a*'), covered([], 'a')],
    [false, false, false, false],
  );
});
