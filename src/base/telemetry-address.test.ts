import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOwnTelemetry, isToldTelemetry } from './telemetry-address.ts';

test('what every member may send to and offer for its records', () => {
  for (const address of ['mc/sfe.all', 'mc/sfe.abcde:0', 'mc/sfe.abcde:0.flows', 'vfcr.abcde:0'])
    assert.ok(isToldTelemetry(address), address);
  for (const address of ['sfe.abcde:0', 'vfcr.abcde:0']) assert.ok(isOwnTelemetry(address), address);
  for (const address of ['mc/sfe', 'mc/sfex', 'mc.sfe.all', 'sfe', 'backend', 'xsfe.a', 'vfcr', 'mc/other']) {
    assert.ok(!isToldTelemetry(address), address);
    assert.ok(!isOwnTelemetry(address), address);
  }
  assert.ok(!isOwnTelemetry('mc/sfe.all'));
  assert.ok(!isToldTelemetry('sfe.abcde:0'));
});
