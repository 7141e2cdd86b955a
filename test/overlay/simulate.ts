/**
 * Runs the simulation of the overlay's control for longer than the tests do.
 *
 *   npm run sim:overlay -- [--seeds 1..100] [--hosts 12] [--subnets 3] [--standing 40] [--requests 300] [--no-faults]
 *
 * One line of JSON for each seed; ends with 1 at the first seed that finds something wrong.
 */
import { parseArgs } from 'node:util';
import { simulate } from '../../src/overlay/simulation/simulation.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1..20' },
    hosts: { type: 'string', default: '12' },
    subnets: { type: 'string', default: '3' },
    standing: { type: 'string', default: '40' },
    requests: { type: 'string', default: '300' },
    'no-faults': { type: 'boolean', default: false },
  },
});
const [first = '1', last = first] = values.seeds.split('..');
const hosts = Number(values.hosts);
for (let seed = Number(first); seed <= Number(last); seed++) {
  const startedMs = performance.now();
  const report = simulate({
    random: new SeededRandom(seed),
    hosts,
    subnets: Number(values.subnets),
    standing: Number(values.standing),
    requests: Number(values.requests),
    faults: !values['no-faults'],
    hasMaps: hosts <= 50,
  });
  console.log(JSON.stringify({ seed, seconds: Math.round(performance.now() - startedMs) / 1000, ...report }));
  if (report.violations.length > 0) {
    process.exitCode = 1;
    break;
  }
}
