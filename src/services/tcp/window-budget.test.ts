import assert from 'node:assert/strict';
import { test } from 'node:test';
import { windowBytes } from './tcp-stream.ts';
import { WindowBudget, provenBytes, provenWindowBytes, sharedWindowBytes } from './window-budget.ts';

const stepBytes = 16_384;

/** Streams that send as long as they may and are never acknowledged more than they were; what each has under way then. */
function stall(budget: WindowBudget, count: number, acknowledgedBytes: number): number[] {
  const held = Array.from({ length: count }, () => 0);
  for (let round = 0; round < 200; round++) {
    for (const [index, bytes] of held.entries()) {
      if (bytes >= budget.windowOf(acknowledgedBytes)) continue;
      held[index] += stepBytes;
      budget.sent(stepBytes);
    }
  }
  return held;
}

const total = (held: readonly number[]): number => held.reduce((sum, bytes) => sum + bytes);

test('a few streams get full windows; a hundred that stall share what there is, whoever came first', () => {
  const alone = new WindowBudget();
  assert.equal(alone.windowOf(0), windowBytes);
  const budget = new WindowBudget();
  const held = stall(budget, 100, 0);
  assert.ok(total(held) <= sharedWindowBytes);
  assert.ok(Math.max(...held) <= 2 * Math.min(...held), 'no stream has much more than another');
  for (const bytes of held) budget.acknowledged(bytes);
  assert.equal(budget.windowOf(0), windowBytes, 'everything has been given back');
});

test('beside streams that stall, one whose receiver has proven to read keeps a full window', () => {
  const budget = new WindowBudget();
  // One after the other: the first take the most, and nothing is left for the last.
  for (let stream = 0; stream < 100; stream++) stall(budget, 1, 0);
  assert.ok(budget.windowOf(provenBytes - 1) < stepBytes);
  assert.equal(budget.windowOf(provenBytes), windowBytes);
});

test('streams that stall after they have proven to read are bounded together, too', () => {
  const budget = new WindowBudget();
  let held = 0;
  for (let stream = 0; stream < 500; stream++) held += total(stall(budget, 1, provenBytes));
  assert.ok(held <= provenWindowBytes + stepBytes, `${held} octets`);
});
