import { setImmediate } from 'node:timers/promises';
import { amqpTargets } from '../../fuzz/amqp-targets.ts';
import { fuzz } from '../../fuzz/run-target.ts';
import { routerTargets } from '../../fuzz/router-targets.ts';
import type { FuzzTarget } from '../../fuzz/target.ts';
import type { Measured, Row, RowContext } from '../row.ts';

/** Inputs of all targets together. */
const inputs = { full: 1_000_000, fast: 150_000 };
/** The event loop gets a turn after so many seconds, so that the row can be interrupted. */
const stepSeconds = 1;

/** What a target has seen. */
export interface TargetResult {
  readonly inputs: number;
  readonly defects: readonly string[];
}

/** Feeds one target with so many inputs. A defect ends it: the next inputs would show the same one. */
export async function feedTarget(context: RowContext, target: FuzzTarget, seed: number, count: number): Promise<TargetResult> {
  let done = 0;
  for (let step = 0; done < count; step++) {
    context.signal.throwIfAborted();
    const { executions, defect } = fuzz(target, seed + step, stepSeconds, count - done);
    done += executions;
    if (defect !== undefined) {
      const hex = Buffer.from(defect.input).toString('hex');
      return {
        inputs: done,
        defects: [`${target.name}: ${defect.what.split('\n')[0]} (seed ${seed + step}, input ${hex.slice(0, 2000)})`],
      };
    }
    await setImmediate();
  }
  return { inputs: done, defects: [] };
}

async function run(context: RowContext): Promise<Measured> {
  const targets = [...amqpTargets, ...routerTargets];
  const each = Math.ceil((context.fast ? inputs.fast : inputs.full) / targets.length);
  const seed = Date.now() >>> 0;
  const results: TargetResult[] = [];
  const startMs = performance.now();
  for (const target of targets) results.push(await feedTarget(context, target, seed, each));
  const total = results.reduce((sum, result) => sum + result.inputs, 0);
  const defects = results.flatMap((result) => result.defects);
  return {
    figures: [
      {
        name: 'inputs that crash, take more than 50 ms or keep more than ten times their octets',
        value: defects.length,
        unit: '',
        floor: 0,
      },
      { name: 'inputs', value: total, unit: '', better: 'higher', floor: context.fast ? inputs.fast : inputs.full },
    ],
    detail: { seed, targets: targets.length, inputsPerSecond: Math.round((total * 1000) / (performance.now() - startMs)), defects },
  };
}

export const codecFuzz: Row = {
  id: 'P1',
  title: 'Mutated and random input to every AMQP decoder and to connections in every phase',
  floor: '1,000,000 inputs, none crashes or takes more than 50 ms',
  goal: 'the same, and none keeps more than ten times its octets',
  fast: true,
  shortened: '150,000 inputs',
  limitSeconds: { full: 600, fast: 60 },
  missing: () => undefined,
  run,
};
