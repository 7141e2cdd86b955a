/** Runs seeds from 1 on, until one fails: `node seeds-until-failure.ts NUMBER`. Prints one line of JSON. */
import { runJob } from './job.ts';

const seeds = Number(process.argv[2]);
let found: { seed: number | null; checker: string; text: string } = { seed: null, checker: '', text: '' };
for (let seed = 1; seed <= seeds && found.seed === null; seed++) {
  const [violation] = runJob({ seed, twice: false }).violations;
  if (violation !== undefined) found = { seed, checker: violation.checker, text: violation.text };
}
process.stdout.write(`${JSON.stringify(found)}\n`);
