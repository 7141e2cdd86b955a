import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBudget, maxConnectionBacklogBytes, maxLinks, maxUnsettled } from './connection-budget.ts';

test('every bound is reached exactly, refused beyond, and free again when given back', () => {
  const budget = new ConnectionBudget();
  assert.ok(budget.reserveBacklog(maxConnectionBacklogBytes - 1));
  assert.equal(budget.reserveBacklog(2), false);
  assert.ok(budget.reserveBacklog(1));
  assert.equal(budget.reserveBacklog(1), false);
  for (let count = 0; count < maxLinks; count++) assert.ok(budget.reserveLink());
  assert.equal(budget.reserveLink(), false);
  for (let count = 0; count < maxUnsettled; count++) assert.ok(budget.reserveUnsettled());
  assert.equal(budget.reserveUnsettled(), false);
  assert.equal(budget.empty, false);
  budget.releaseBacklog(maxConnectionBacklogBytes);
  budget.releaseLinks(maxLinks);
  assert.equal(budget.empty, false);
  for (let count = 0; count < maxUnsettled; count++) budget.releaseUnsettled();
  assert.ok(budget.empty);
});
