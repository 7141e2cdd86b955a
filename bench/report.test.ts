import assert from 'node:assert/strict';
import { test } from 'node:test';

import { requests } from './loads/requests.ts';
import { idleMemory } from './loads/idle-memory.ts';
import { formatLoad } from './report.ts';
import type { Sample } from './loads/load.ts';

const sample = (rate: number, p50Ms: number, cpuMicroseconds: number): Sample => ({ rate, p50Ms, p99Ms: 9, errors: 0, cpuMicroseconds });

test('the table has medians, ratios round by round, and says which aims are met', () => {
  const report = formatLoad({
    load: requests(16),
    samples: new Map([
      ['direct', [{ rate: 100_000, p50Ms: 0.1, p99Ms: 1, errors: 0 }]],
      ['haproxy', [sample(30_000, 0.5, 40), sample(15_000, 1, 41)]],
      ['skupper-router', [sample(20_000, 1, 80), sample(10_000, 2, 80)]],
      ['caravan', [sample(32_000, 0.5, 44), sample(16_000, 1, 44)]],
    ]),
  });
  const lines = report.split('\n').map((line) => line.replaceAll(/ +/g, ' '));
  assert.ok(lines.includes('| haproxy | 22,500 | 0.75 | 9.00 | 40.5 | – | – | – | – | 0 |'), report);
  assert.ok(lines.includes('| caravan / skupper-router | 1.60× | 0.50× | 1.00× | 0.55× | – | – | – | – | – |'), report);
  assert.ok(lines.includes('- requests/s, caravan / skupper-router: 1.60, aim ≥ 1.5 met'), report);
  assert.ok(lines.includes('- CPU µs/request, caravan / skupper-router: 0.55, aim ≤ 0.5 MISSED'), report);
  assert.ok(lines.includes('- CPU µs/request, caravan / haproxy: 1.09, aim ≤ 1 MISSED'), report);
});

test('an aim on the value itself is judged without a peer, and a failed round leaves a gap', () => {
  const report = formatLoad({ load: idleMemory, samples: new Map([['caravan', [undefined, { kibibytesEach: 39.9 }]]]) });
  assert.match(report, /caravan: 39\.9, aim ≤ 40 met/);
});
