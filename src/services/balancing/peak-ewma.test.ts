import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PeakEwma } from './peak-ewma.ts';

test('jumps up at once, sinks slowly, and decays while nothing is sent', () => {
  const latency = new PeakEwma();
  assert.equal(latency.read(0), 30);
  latency.observe(10, 0);
  assert.equal(latency.read(0), 10);
  latency.observe(500, 10);
  assert.equal(latency.read(10), 500);
  latency.observe(10, 110);
  const after = latency.read(110);
  assert(after > 450 && after < 500, `${after} ms`);
  assert(latency.read(60_000) < 2);
});
