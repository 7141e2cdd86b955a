import fc from 'fast-check';
import type { Fault } from '../../src/sim/fault.ts';
import { planOf } from '../../src/sim/plan.ts';
import { runJob } from './job.ts';
import type { Job, JobResult } from './job.ts';

/** Runs of one shrinking at most: each takes about a tenth of a second. */
const maxShrinkRuns = 600;

/**
 * The smallest part of a failing schedule that still makes the same checker fail. fast-check leaves out faults one by one, and again until none
 * can be left out. Undefined when the schedule does not fail.
 */
export function shrink(job: Job): { readonly faults: readonly Fault[]; readonly result: JobResult } | undefined {
  const all = job.faults ?? planOf(job).faults;
  const whole = runJob(job);
  const checker = whole.violations[0]?.checker;
  if (checker === undefined) return undefined;
  let runs = 0;
  const chosen = (kept: readonly boolean[]): Fault[] => all.filter((_, index) => kept[index]);
  const passes = (kept: readonly boolean[]): boolean => {
    if (++runs > maxShrinkRuns) return true;
    return runJob({ ...job, twice: false, faults: chosen(kept) }).violations[0]?.checker !== checker;
  };
  const kept = fc.array(fc.boolean(), { minLength: all.length, maxLength: all.length });
  const outcome = fc.check(fc.property(kept, passes), { numRuns: 1, examples: [[all.map(() => true)]] });
  const faults = chosen(outcome.counterexample?.[0] ?? all.map(() => true));
  return { faults, result: runJob({ ...job, faults }) };
}
