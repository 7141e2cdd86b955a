import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMachineUsage } from './machine-usage.ts';

test('idle, waiting and stolen time is not work', () => {
  const stat = 'cpu  100 20 300 4000 50 6 70 800 9 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n';
  assert.deepEqual(parseMachineUsage(stat), { busySeconds: 4.96, idleSeconds: 40.5, stolenSeconds: 8 });
});
