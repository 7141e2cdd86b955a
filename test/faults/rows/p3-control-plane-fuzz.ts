import { controlPlaneTarget, messageCount } from '../../fuzz/control-plane-target.ts';
import { SeededRandom } from '../../../src/sim/seeded-random.ts';
import type { Measured, Row, RowContext } from '../row.ts';
import { feedTarget } from './p1-codec-fuzz.ts';

/** Inputs; each carries one to eight messages that build on each other. */
const inputs = { full: 250_000, fast: 20_000 };

/** Messages that so many inputs of a seed carry, by a sample. */
function messagesPerInput(seed: number): number {
  const random = new SeededRandom(seed);
  const samples = 1000;
  let messages = 0;
  for (let sample = 0; sample < samples; sample++) messages += messageCount(controlPlaneTarget.input(random));
  return messages / samples;
}

async function run(context: RowContext): Promise<Measured> {
  const seed = Date.now() >>> 0;
  const result = await feedTarget(context, controlPlaneTarget, seed, context.fast ? inputs.fast : inputs.full);
  const messages = Math.floor(result.inputs * messagesPerInput(seed));
  return {
    figures: [
      { name: 'inputs that crash, hang, or change state although refused', value: result.defects.length, unit: '', floor: 0 },
      { name: 'messages', value: messages, unit: '', better: 'higher', ...(context.fast ? {} : { floor: 1_000_000 }) },
    ],
    detail: { seed, inputs: result.inputs, defects: result.defects },
  };
}

export const controlPlaneFuzz: Row = {
  id: 'P3',
  title: 'Forged and mutated routing messages into a router with neighbours and routes',
  floor: '1,000,000 messages, 0 crashes',
  goal: 'the same, and a refused message leaves the state as it was',
  fast: true,
  limitSeconds: { full: 600, fast: 60 },
  missing: () => undefined,
  run,
};
