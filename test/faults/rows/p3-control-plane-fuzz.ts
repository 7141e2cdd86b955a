import { controlPlaneTarget, messageCount } from '../../fuzz/control-plane-target.ts';
import { signedRecordsTarget } from '../../fuzz/signed-records-target.ts';
import type { FuzzTarget } from '../../fuzz/target.ts';
import { SeededRandom } from '../../../src/sim/seeded-random.ts';
import type { Measured, Row, RowContext } from '../row.ts';
import { feedTarget } from './p1-codec-fuzz.ts';

/** Inputs of each target; each carries several messages that build on each other. */
const inputs = { full: 170_000, fast: 10_000 };

/** Messages that so many inputs of a seed carry, by a sample. */
function messagesPerInput(target: FuzzTarget, seed: number): number {
  const random = new SeededRandom(seed);
  const samples = 1000;
  let messages = 0;
  for (let sample = 0; sample < samples; sample++) messages += messageCount(target.input(random));
  return messages / samples;
}

async function run(context: RowContext): Promise<Measured> {
  const seed = Date.now() >>> 0;
  const defects: string[] = [];
  const messages: Record<string, number> = {};
  for (const target of [controlPlaneTarget, signedRecordsTarget]) {
    const result = await feedTarget(context, target, seed, context.fast ? inputs.fast : inputs.full);
    messages[target.name] = Math.floor(result.inputs * messagesPerInput(target, seed));
    defects.push(...result.defects);
  }
  const total = Object.values(messages).reduce((sum, count) => sum + count, 0);
  return {
    figures: [
      { name: 'inputs that crash, hang, or change state although refused', value: defects.length, unit: '', floor: 0 },
      { name: 'messages', value: total, unit: '', better: 'higher', floor: 1_000_000, judged: !context.fast },
    ],
    detail: { seed, messages, defects },
  };
}

export const controlPlaneFuzz: Row = {
  id: 'P3',
  title: 'Forged and mutated routing messages and signed records into a router with neighbours and routes',
  floor: '1,000,000 messages, 0 crashes',
  goal: 'the same, and a refused message leaves the state as it was',
  fast: true,
  shortened: '10,000 inputs for each kind of message',
  limitSeconds: { full: 600, fast: 60 },
  missing: () => undefined,
  run,
};
