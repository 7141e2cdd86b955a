/**
 * Feeds decoders with mutated and random input: `npm run fuzz -- [--seconds 10] [--seed N] [--target NAME] [--input HEX]`.
 *
 * Seconds are per target. A defect is an exception that the decoder may not throw, an input that takes more than 50 ms, or one that keeps
 * more than ten times its bytes in memory. The input is printed in hexadecimal; `--target NAME --input HEX` runs it again.
 */
import { parseArgs } from 'node:util';
import { fuzz, judge } from './run-target.ts';
import { targets } from './targets.ts';

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
    input === undefined ? fuzz(target, seed, seconds) : { executions: 1, defect: what === undefined ? undefined : { what, input } };
  console.log(`${target.name}: ${result.executions} inputs, ${Math.round(result.executions / seconds)} per second`);
  if (result.defect === undefined) continue;
  defects++;
  console.log(
    `  ${result.defect.what}\n  npm run fuzz -- --target '${target.name}' --input ${Buffer.from(result.defect.input).toString('hex')}`,
  );
}
process.exitCode = defects > 0 ? 1 : 0;
