import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SocketBudget } from './socket-budget.ts';

test('sockets of services leave a reserve, whatever the limit', () => {
  for (const [limit, reserved] of [
    [40, 20],
    [256, 64],
    [1024, 256],
    [1_048_576, 1088],
  ] as const) {
    const budget = new SocketBudget(limit);
    assert.equal(budget.reserved, reserved);
    let taken = 0;
    while (taken <= limit && budget.take()) taken++;
    assert.equal(taken, limit - reserved);
    assert.ok(budget.isFull);
    budget.release();
    assert.ok(budget.take());
    assert.ok(!budget.take());
  }
});

test('where nobody knows the limit nothing is refused', () => {
  const budget = new SocketBudget(undefined);
  for (let count = 0; count < 100_000; count++) assert.ok(budget.take());
  assert.equal(budget.open, 100_000);
});

test('refusals are logged once in a while, and counted while they are recent', () => {
  const budget = new SocketBudget(256);
  assert.equal(budget.refusedLately(0), 0);
  assert.deepEqual([budget.refused(1000), budget.refused(1001), budget.refused(10_999)], [true, false, false]);
  assert.equal(budget.refusedLately(20_000), 3);
  assert.ok(budget.refused(11_000));
  assert.equal(budget.refusedLately(400_000), 0);
  assert.ok(budget.refused(400_000));
  assert.equal(budget.refusedLately(400_000), 1);
});
