import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flowDetailRate } from './flow-settings.ts';

test('how many requests are recorded one by one is a number in its range', () => {
  assert.equal(flowDetailRate({}, []), undefined);
  assert.equal(flowDetailRate({ 'flow-detail-rate': '0' }, []), 0);
  assert.equal(flowDetailRate({ 'flow-detail-rate': '10000' }, []), 10_000);
  for (const text of ['10001', '-1', '1.5', 'many', '']) {
    assert.throws(() => flowDetailRate({ 'flow-detail-rate': text }, ['spec', 'settings']), /must be a number from 0 to 10000/);
  }
});
