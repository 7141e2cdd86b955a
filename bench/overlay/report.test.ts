import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLoad } from './report.ts';
import { bulk } from './loads/bulk.ts';
import type { Sample } from './loads/load.ts';

const sample = (gigabitsPerSecond: number): Sample => ({ gigabitsPerSecond, cpuSecondsPerGigabyte: 1.5, retransmits: 7 });

test('ratios are made within a round, and a round that failed on one side is left out', () => {
  const samples = new Map([
    ['vxlan', [sample(10), sample(2), sample(4)]],
    ['caravan-tcx', [sample(5), undefined, sample(3)]],
  ]);
  const lines = formatLoad({ load: bulk(1, false), samples }).split('\n');
  const cells = (name: string): string[] =>
    (lines.find((line) => line.startsWith(`| ${name}`)) ?? '').split('|').map((cell) => cell.trim());
  assert.deepEqual(cells('vxlan').slice(2, 7), ['4.00', '2.00 – 10.00', '1.50', '7', '1.00']);
  assert.deepEqual(cells('caravan-tcx').slice(2, 7), ['4.00', '3.00 – 5.00', '1.50', '7', '0.63']);
});
