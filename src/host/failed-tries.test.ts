import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FailedTries, maxFailuresPerMinute } from './failed-tries.ts';

test('ten failures in a minute block an address, and no other', () => {
  let nowMs = 0;
  const tries = new FailedTries(() => nowMs);
  for (let at = 0; at < maxFailuresPerMinute; at++) {
    assert.ok(!tries.isBlocked('192.0.2.1'));
    tries.add('192.0.2.1');
    nowMs += 1000;
  }
  assert.ok(tries.isBlocked('192.0.2.1'));
  assert.ok(tries.isBlocked('::ffff:192.0.2.1'));
  assert.ok(!tries.isBlocked('192.0.2.2'));
  nowMs = 60_000;
  assert.ok(!tries.isBlocked('192.0.2.1'));
});

test('an IPv6 network of 64 bits counts as one', () => {
  const tries = new FailedTries(() => 0);
  for (let at = 0; at < maxFailuresPerMinute; at++) tries.add(`2001:db8::${at.toString(16)}`);
  assert.ok(tries.isBlocked('2001:db8::ffff'));
  assert.ok(!tries.isBlocked('2001:db8:0:1::1'));
});

test('the table forgets who has been quiet for longest', () => {
  const tries = new FailedTries(() => 0);
  for (let at = 0; at < maxFailuresPerMinute; at++) tries.add('192.0.2.1');
  for (let at = 0; at < 4095; at++) tries.add(`host-${at}`);
  assert.ok(tries.isBlocked('192.0.2.1'));
  tries.add('one-more');
  assert.ok(!tries.isBlocked('192.0.2.1'));
});
