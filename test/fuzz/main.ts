/**
 * Feeds decoders with mutated and random input: `npm run fuzz -- [--seconds 10] [--seed N] [--target NAME] [--input HEX]`.
 *
 * Seconds are per target. A defect is an exception that the decoder may not throw, an input that takes more than 50 ms, or one that keeps
 * more than ten times its bytes in memory. The input is printed in hexadecimal; `--target NAME --input HEX` runs it again.
 */
import { parseArgs } from 'node:util';
import { retainedBytes, shortestMs } from './memory.ts';
import { SeededRandom } from './seeded-random.ts';
import { maxInputMs, maxRetainedPerByte, retainedBaseBytes } from './target.ts';
import type { FuzzTarget } from './target.ts';
import { targets } from './targets.ts';

/** Measuring memory takes a full collection: one input in so many is measured. */
const measuredEvery = 5000;

interface Defect {
  readonly what: string;
  readonly input: Uint8Array;
}

/** What is wrong with this input, judged carefully: several tries, so that a busy machine is not taken for a slow decoder. */
function judge(target: FuzzTarget, input: Uint8Array): string | undefined {
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

function fuzz(target: FuzzTarget, seconds: number, seed: number): { readonly executions: number; readonly defect: Defect | undefined } {
  const random = new SeededRandom(seed);
  const end = performance.now() + seconds * 1000;
  let executions = 0;
  for (let now = performance.now(); now < end; executions++) {
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

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 0x1_0000_0000)}` },
    target: { type: 'string' },
    input: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
const chosen = targets.filter((target) => values.target === undefined || target.name === values.target);
if (!(seconds > 0) || !Number.isInteger(seed) || chosen.length === 0) {
  console.error(
    `fuzz: --seconds is a number above 0, --seed an integer, --target one of:\n  ${targets.map(({ name }) => name).join('\n  ')}`,
  );
  process.exit(2);
}
console.log(`seed ${seed}, ${seconds} s for each of ${chosen.length} targets`);
let defects = 0;
for (const target of chosen) {
  const input = values.input === undefined ? undefined : new Uint8Array(Buffer.from(values.input, 'hex'));
  const what = input === undefined ? undefined : judge(target, input);
  const result =
    input === undefined ? fuzz(target, seconds, seed) : { executions: 1, defect: what === undefined ? undefined : { what, input } };
  console.log(`${target.name}: ${result.executions} inputs, ${Math.round(result.executions / seconds)} per second`);
  if (result.defect === undefined) continue;
  defects++;
  console.log(
    `  ${result.defect.what}\n  npm run fuzz -- --target '${target.name}' --input ${Buffer.from(result.defect.input).toString('hex')}`,
  );
}
process.exitCode = defects > 0 ? 1 : 0;
