import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProbeLoss } from './probe-loss.ts';

test('probes that come late count as lost, for one to two minutes', () => {
  const loss = new ProbeLoss();
  assert.equal(loss.ratio, 0);
  let nowMs = 0;
  for (let at = 0; at < 90; at++) loss.heard(210, 200, (nowMs += 200));
  assert.equal(loss.ratio, 0);
  for (let at = 0; at < 5; at++) loss.heard(600, 200, (nowMs += 600));
  assert.equal(loss.ratio, 10 / 105);
  for (const _ of [1, 2]) loss.heard(200, 200, (nowMs += 60_000));
  assert.equal(loss.ratio, 0);
});
