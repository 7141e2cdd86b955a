import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowBytes } from './tcp-stream.ts';
import { WindowBudget, sharedWindowBytes } from './window-budget.ts';

test('a few streams get full windows; a hundred that stall share what there is, whoever came first', () => {
  const alone = new WindowBudget();
  assert.equal(alone.bytes, windowBytes);
  const budget = new WindowBudget();
  const held = Array.from({ length: 100 }, () => 0);
  const stepBytes = 16_384;
  for (let round = 0; round < 200; round++) {
    for (const [index, bytes] of held.entries()) {
      if (bytes >= budget.bytes) continue;
      held[index] += stepBytes;
      budget.sent(stepBytes);
    }
  }
  assert.ok(held.reduce((sum, bytes) => sum + bytes) <= sharedWindowBytes);
  assert.ok(Math.max(...held) <= 2 * Math.min(...held), 'no stream has much more than another');
  for (const bytes of held) budget.acknowledged(bytes);
  assert.equal(budget.bytes, windowBytes, 'everything has been given back');
});
