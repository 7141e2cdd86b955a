import { retainedBytes, shortestMs } from './memory.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';
import { maxInputMs, maxRetainedPerByte, retainedBaseBytes } from './target.ts';
import type { FuzzTarget } from './target.ts';

/** Measuring memory takes a full collection: one input in so many is measured. */
const measuredEvery = 5000;

/** An input that a target does not survive, or that costs too much. */
export interface Defect {
  readonly what: string;
  readonly input: Uint8Array;
}

export interface FuzzResult {
  readonly executions: number;
  readonly defect: Defect | undefined;
}

/** What is wrong with this input, judged carefully: several tries, so that a busy machine is not taken for a slow decoder. */
export function judge(target: FuzzTarget, input: Uint8Array): string | undefined {
  try {
    target.run(input);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const durationMs = shortestMs(() => void target.run(input));
  if (durationMs > maxInputMs) return `takes ${durationMs.toFixed(1)} ms; at most ${maxInputMs} ms are allowed`;
  const retained = retainedBytes(() => target.run(input));
  const allowed = maxRetainedPerByte * input.length + retainedBaseBytes;
  if (retained > allowed) return `keeps ${retained} bytes for ${input.length}; at most ${allowed} are allowed`;
  return undefined;
}

/** Feeds inputs until `maxSeconds` have passed, `maxExecutions` are done or there is a defect. */
export function fuzz(target: FuzzTarget, seed: number, maxSeconds: number, maxExecutions = Infinity): FuzzResult {
  const random = new SeededRandom(seed);
  const end = performance.now() + maxSeconds * 1000;
  let executions = 0;
  for (let now = performance.now(); now < end && executions < maxExecutions; executions++) {
    const input = target.input(random);
    let suspicious = executions % measuredEvery === measuredEvery - 1;
    try {
      target.run(input);
    } catch {
      suspicious = true;
    }
    const after = performance.now();
    if (after - now > maxInputMs) suspicious = true;
    const what = suspicious ? judge(target, input) : undefined;
    if (what !== undefined) return { executions, defect: { what, input } };
    now = performance.now();
  }
  return { executions, defect: undefined };
}
