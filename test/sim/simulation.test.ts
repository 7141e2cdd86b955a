import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Fault } from '../../src/sim/fault.ts';
import { planOf } from '../../src/sim/plan.ts';
import { runJob } from './job.ts';
import { plantedBugs } from './planted-bugs.ts';

const folder = import.meta.dirname;
const run = promisify(execFile);

for (const seed of [3, 8, 11]) {
  test(`seed ${seed} goes the same way twice, and finds nothing`, () => {
    const result = runJob({ seed, twice: true });
    assert.deepEqual(result.violations, []);
    assert.ok(result.events > 1000);
    assert.ok(result.convergenceMs.length > 0);
  });
}

test('another seed goes another way, and so does another schedule', () => {
  const whole = runJob({ seed: 8, twice: false });
  assert.notEqual(runJob({ seed: 9, twice: false }).traceHash, whole.traceHash);
  assert.notEqual(runJob({ seed: 8, twice: false, faults: [] }).traceHash, whole.traceHash);
  // The drawn schedule given by hand is the same run.
  assert.equal(runJob({ seed: 8, twice: false, faults: planOf({ seed: 8 }).faults }).traceHash, whole.traceHash);
});

test('the options of a run can be given', () => {
  const plan = planOf({ seed: 5, routers: 3, minutes: 0.1 });
  assert.deepEqual([plan.routers, plan.safetyMs], [3, 6000]);
  assert.ok(plan.faults.every(({ atMs }) => atMs < 6000));
  assert.deepEqual(runJob({ seed: 5, routers: 3, minutes: 0.1, twice: false }).violations, []);
});

/** Here all routers sign, and there is no hostile one. */
const signedSeed = 17;

test('a router that is revoked while others are away belongs to no core, and gets into none', () => {
  const faults: readonly Fault[] = [
    { atMs: 2000, kind: 'partition', mask: 3, direction: 2, forMs: 20_000 },
    { atMs: 3000, kind: 'revoke', router: 1, by: 0 },
    { atMs: 4000, kind: 'crash', router: 0, silent: true, forMs: 500 },
  ];
  const options = { seed: signedSeed, minutes: 0.1, faults };
  const plan = planOf(options);
  assert.ok(plan.isStrict && plan.core.includes(0) && !plan.core.includes(1));
  assert.deepEqual(runJob({ ...options, twice: true }).violations, []);
});

test('of a router and its copy one is left in the core', () => {
  for (const wins of [false, true]) {
    const faults: readonly Fault[] = [
      { atMs: 3000, kind: 'clone', router: 0, to: 2, delayMs: 5, wins },
      { atMs: 4000, kind: 'crash', router: 0, silent: false, forMs: 500 },
    ];
    const options = { seed: signedSeed, minutes: 0.1, faults };
    assert.ok([0, 2].every((member) => planOf(options).core.includes(member)));
    assert.deepEqual(runJob({ ...options, twice: true }).violations, []);
  }
});

test('a failing schedule shrinks to the faults that matter', { timeout: 120_000 }, async () => {
  const bug = plantedBugs.find(({ name }) => name.includes('wall clock'));
  assert.ok(bug !== undefined);
  const seed = 6;
  const all = planOf({ seed }).faults;
  assert.ok(all.length > 5 && all.some(({ kind }) => kind === 'clock'));
  const args = ['--import', join(folder, 'plant.ts'), join(folder, 'main.ts'), '--seed', `${seed}`, '--shrink'];
  const error: unknown = await run(process.execPath, args, { env: { ...process.env, PLANTED_BUG: bug.name } }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const { code, stdout } = error as { code: number; stdout: string };
  assert.equal(code, 1);
  const faults = JSON.parse(stdout.slice(0, stdout.indexOf('\n]') + 2)) as Fault[];
  assert.deepEqual(
    faults.map(({ kind }) => kind),
    ['clock'],
  );
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as { seed: number; traceHash: string; violations: unknown[] };
  assert.equal(last.seed, seed);
  assert.match(last.traceHash, /^[0-9a-f]{16}$/);
  assert.ok(last.violations.length > 0);
});
