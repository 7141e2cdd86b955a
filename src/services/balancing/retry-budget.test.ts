import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryBudget } from './retry-budget.ts';

function withdrawAll(budget: RetryBudget, nowMs: number): number {
  let count = 0;
  while (count < 100_000 && budget.withdraw(nowMs)) count++;
  return count;
}

test('ten a second are allowed without any traffic, and a fifth of the requests besides', () => {
  const budget = new RetryBudget();
  assert.equal(withdrawAll(budget, 0), 100);
  const busy = new RetryBudget();
  for (let request = 0; request < 1000; request++) busy.deposit(request);
  assert.equal(withdrawAll(busy, 1000), 300);
});

test('requests and retries count for ten seconds', () => {
  const budget = new RetryBudget();
  for (let request = 0; request < 1000; request++) budget.deposit(0);
  assert.equal(withdrawAll(budget, 5_000), 300);
  assert.equal(withdrawAll(budget, 9_000), 0);
  // The requests are forgotten, the retries not yet; then both.
  assert.equal(withdrawAll(budget, 12_000), 0);
  assert.equal(withdrawAll(budget, 15_001), 100);
});
