import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectAtRandom, ScaleNetwork } from './scale-network.ts';
import { wrongRoutes } from './scale-truth.ts';
import { runScale } from './scale.ts';
import { SeededRandom } from './seeded-random.ts';

const resources = { cpuSeconds: (): number => 0, memory: (): { residentMiB: number; heapMiB: number } => ({ residentMiB: 0, heapMiB: 0 }) };

test('a network of 60 routers agrees after a start, a cut, a crash and a new address, at the price of one flood each', () => {
  const lines: string[] = [];
  const report = runScale({ routers: 60, seed: 3, resources }, (line) => lines.push(line));
  assert.deepEqual(
    report.phases.map(({ wrong }) => wrong),
    [[], [], [], []],
  );
  assert.equal(report.agreed, true);
  assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), JSON.parse(JSON.stringify(report)));
  const [start, cut, crash, address] = report.phases;
  for (const { convergedMs } of report.phases) assert.ok(convergedMs > 0 && convergedMs <= 5_000);
  assert.ok(start.records > 0);
  // A new record passes each link at most twice; a cut makes two, a crash one for each neighbour, an address two.
  assert.ok(cut.records <= 2 * 2 * report.links, `${cut.records} records`);
  assert.ok(crash.records <= 4 * 2 * report.links, `${crash.records} records`);
  assert.ok(address.records <= 2 * 2 * report.links, `${address.records} records`);
  assert.equal(address.pathRuns, 0, 'an address changes no path');
});

test('a network of 60 routers that starts warm has nothing to tell, and converges after changes', () => {
  const report = runScale({ routers: 60, seed: 3, start: 'warm', resources }, () => {});
  assert.equal(report.agreed, true);
  assert.equal(report.start, 'warm');
  const [start, ...changes] = report.phases;
  assert.equal(start.records, 0);
  assert.equal(start.convergedMs, 0);
  assert.equal(start.pathRuns, 60);
  for (const { convergedMs, records } of changes) {
    assert.ok(convergedMs > 0 && convergedMs <= 5_000);
    assert.ok(records > 0);
  }
});

test('the same seed gives the same run', () => {
  const run = (): string => JSON.stringify(runScale({ routers: 25, seed: 7, resources }, () => {}));
  assert.equal(run(), run());
});

test('routes over a link that is gone are found to be wrong', () => {
  const network = new ScaleNetwork(20);
  connectAtRandom(network, 4, new SeededRandom(1));
  network.run(3_000);
  assert.deepEqual(wrongRoutes(network, new SeededRandom(2)), []);
  for (const cable of network.cables.slice(0, 3)) cable.up = false;
  assert.notDeepEqual(wrongRoutes(network, new SeededRandom(2)), []);
});
