import type { Fault } from '../../src/sim/fault.ts';
import { Simulation } from '../../src/sim/simulation.ts';
import type { SimulationResult } from '../../src/sim/simulation.ts';

/** One seed to run. */
export interface Job {
  readonly seed: number;
  readonly routers?: number | undefined;
  readonly minutes?: number | undefined;
  readonly faults?: readonly Fault[] | undefined;
  /** Run it twice, and compare. */
  readonly twice: boolean;
}

export interface JobResult extends SimulationResult {
  readonly durationMs: number;
}

/** Runs a seed; a second run that goes another way than the first is a violation like any other. */
export function runJob(job: Job): JobResult {
  const { seed, routers, minutes, faults } = job;
  const options = { seed, routers, minutes, faults };
  const startedMs = performance.now();
  const first = new Simulation(options).run();
  const durationMs = performance.now() - startedMs;
  if (!job.twice) return { ...first, durationMs };
  const second = new Simulation(options).run();
  if (second.traceHash === first.traceHash) return { ...first, durationMs };
  const text = `the second run of the same seed went another way: ${second.traceHash}, not ${first.traceHash}`;
  return { ...first, durationMs, violations: [...first.violations, { checker: 'determinism', atMs: 0, text }] };
}
