/**
 * Proves that the simulator notices bugs: `npm run sim:planted [-- --only PART-OF-NAME] [--seeds N] [--jobs N]`.
 *
 * Each planted bug runs in a process of its own, seed after seed, until a checker notices it. The last line is JSON; the exit code is 1 when a bug
 * has not been noticed within the seeds.
 */
import { parseArgs } from 'node:util';
import { findPlantedBug } from './find-planted-bug.ts';
import type { Finding } from './find-planted-bug.ts';
import { plantedBugs } from './planted-bugs.ts';

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, seeds: { type: 'string', default: '1000' }, jobs: { type: 'string', default: '2' } },
});
const { only } = values;
const waiting = plantedBugs.filter(({ name }) => name.includes(only));
const findings: Finding[] = [];
const startedMs = performance.now();

async function search(): Promise<void> {
  for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
    const finding = await findPlantedBug(bug, Number(values.seeds));
    findings.push(finding);
    const { name, seed, checker, seconds } = finding;
    process.stdout.write(seed === null ? `NOT NOTICED: ${name} (${seconds} s)\n` : `seed ${seed}: ${name}: ${checker} (${seconds} s)\n`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, search));
const missed = findings.filter(({ seed }) => seed === null).map(({ name }) => name);
const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
const mostSeeds = Math.max(...findings.map(({ seed }) => seed ?? Infinity));
process.stdout.write(
  `${JSON.stringify({ plantedBugs: findings.length, missed, mostSeeds: Number.isFinite(mostSeeds) ? mostSeeds : null, seconds })}\n`,
);
process.exitCode = missed.length > 0 ? 1 : 0;
