import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestRecord } from './programs/load.ts';
import { rows } from './registry.ts';
import { formatTable } from './results.ts';
import { LoadRecords } from './rig/load-records.ts';
import { percentile } from './rig/percentile.ts';
import { judge } from './row.ts';
import type { RowResult } from './row.ts';

/** A request each 10 ms that is answered after 2 ms, but for those that `change` speaks of. */
function requests(count: number, change: Readonly<Record<number, Partial<{ endMs: number; outcome: string }>>> = {}): RequestRecord[] {
  return Array.from({ length: count }, (_, id) => {
    const startMs = id * 10;
    return [id, startMs, change[id]?.endMs ?? startMs + 2, change[id]?.outcome ?? 'ok'];
  });
}

test('a gap counts from the fault and is the longest of silence, failures and the slowest answer', () => {
  assert.equal(new LoadRecords(requests(100), new Map()).gap(500, 900).ms, 10);
  const failing = Object.fromEntries([51, 52, 53, 60].map((id) => [id, { outcome: 'ECONNRESET' }]));
  const gap = new LoadRecords(requests(100, failing), new Map()).gap(500, 900);
  assert.deepEqual([gap.failed, gap.lastFailedMs, gap.silenceMs, gap.ms], [4, 100, 40, 100]);
  assert.equal(new LoadRecords(requests(100, { 52: { endMs: 770 } }), new Map()).gap(500, 900).ms, 250);
  // No answer at all until the end of the time that is looked at.
  const silent = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [50 + index, { endMs: 20_000 }]));
  assert.equal(new LoadRecords(requests(100, silent), new Map()).gap(500, 900).silenceMs, 400);
});

test('a summary tells failures by kind, and which of them had not reached a server', () => {
  const records = new LoadRecords(
    requests(10, { 3: { outcome: 'timeout' }, 4: { outcome: 'empty' }, 5: { outcome: 'empty' } }),
    new Map([
      [3, 1],
      [7, 2],
    ]),
  );
  const { sent, ok, failed, failedBeforeServer, repeatedAtServer, kinds, p50Ms } = records.summary();
  assert.deepEqual([sent, ok, failed, failedBeforeServer, repeatedAtServer, p50Ms], [10, 7, 3, 2, 1, 2]);
  assert.deepEqual(kinds, { timeout: 1, empty: 2 });
  assert.equal(records.between(30, 60).summary().failed, 3);
});

test('percentiles are by nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual(
    [1, 50, 99, 100].map((percent) => percentile(values, percent)),
    [1, 50, 99, 100],
  );
  assert.equal(percentile([], 99), 0);
});

test('every figure counts: one that misses its floor is a miss, and what misses a floor misses the goal', () => {
  const good = { name: 'gap', value: 90, unit: 'ms', floor: 1000, goal: 100 };
  assert.deepEqual(judge({ figures: [good] }).met, { floor: true, goal: true });
  assert.deepEqual(judge({ figures: [{ ...good, value: 100 }] }).met, { floor: true, goal: true }, 'the limit itself is met');
  assert.deepEqual(judge({ figures: [{ ...good, value: 101 }] }).met, { floor: true, goal: false });
  const rate = { name: 'rate', value: 80, unit: '%', floor: 90, better: 'higher' as const };
  const judged = judge({ figures: [good, rate] });
  assert.deepEqual(judged.met, { floor: false, goal: false });
  assert.deepEqual(judged.missed, ['floor: rate 80 %, limit 90']);
  // A figure that could not be worked out holds nothing.
  assert.deepEqual(judge({ figures: [{ ...good, value: Number.NaN }] }).met, { floor: false, goal: false });
});

test('what a run was too short to judge is no value of the row, meets nothing and misses nothing, and the table says so', () => {
  const growth = { name: 'growth', value: 175, unit: 'MiB/min', floor: 1, judged: false };
  const failed = { name: 'failed', value: 0, unit: '', floor: 0 };
  const judged = judge({ figures: [growth, failed] });
  assert.deepEqual([judged.value, judged.unit, judged.met, judged.missed], [0, '', { floor: true, goal: true }, undefined]);
  assert.deepEqual(judge({ figures: [{ ...growth, judged: true }, failed] }).met, { floor: false, goal: false });
  const [first] = rows;
  const result: RowResult = {
    row: first.id,
    title: first.title,
    floor: first.floor,
    goal: first.goal,
    ...judged,
    figures: [growth, failed],
    fast: true,
    shortened: '15 s',
    seconds: 1,
    at: '2026-01-01T00:00:00.000Z',
    machine: 'one',
    commit: 'abc',
  };
  const line = formatTable(rows, new Map([[first.id, result]])).split('\n')[2];
  assert.match(line, /growth: not judged in a shortened run; failed 0/);
  assert.match(line, /goal \(shortened run: 15 s\) \|$/);
  assert.doesNotMatch(line, /175/);
});

test('the table has a line for each row, measured or not, and rows have different ids', () => {
  assert.equal(new Set(rows.map(({ id }) => id)).size, rows.length);
  const [first] = rows;
  const result: RowResult = {
    row: first.id,
    title: first.title,
    floor: first.floor,
    goal: first.goal,
    ...judge({ figures: [{ name: 'a|b', value: 1234.5678, unit: 'ms' }] }),
    figures: [{ name: 'a|b', value: 1234.5678, unit: 'ms' }],
    peer: { 'skupper-router': { failed: 7 } },
    fast: true,
    seconds: 1,
    at: '2026-01-01T00:00:00.000Z',
    machine: 'one',
    commit: 'abc',
  };
  const lines = formatTable(rows, new Map([[first.id, result]])).split('\n');
  assert.equal(lines.length, rows.length + 2);
  assert.match(lines[2], /a\\\|b 1,234\.568 ms \| skupper-router: failed 7 \|.*goal \(shortened run: /);
  assert.match(lines[3], /not measured/);
});
