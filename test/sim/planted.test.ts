import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectFolder } from '../source-files.ts';
import { findPlantedBug } from './find-planted-bug.ts';
import { plant } from './plant.ts';
import { plantedBugs } from './planted-bugs.ts';

/** Seeds that a fast test may take: what needs more is found by `npm run sim:planted`. */
const fewSeeds = 12;

test('every planted bug has its one place in the product, and changes it', () => {
  assert.ok(plantedBugs.length >= 12);
  assert.equal(new Set(plantedBugs.map(({ name }) => name)).size, plantedBugs.length);
  for (const bug of plantedBugs) {
    const source = readFileSync(join(projectFolder, bug.file), 'utf8');
    assert.notEqual(plant(bug, source), source, bug.name);
  }
  assert.throws(() => plant({ name: 'x', file: 'y', find: 'a', replace: 'b' }, 'a a'), /2 times/);
});

for (const bug of plantedBugs.filter(({ isSlow }) => isSlow !== true)) {
  test(`noticed: ${bug.name}`, { timeout: 60_000 }, async () => {
    const { seed } = await findPlantedBug(bug, fewSeeds);
    assert.notEqual(seed, null, `not within ${fewSeeds} seeds; if it takes more now, say so by isSlow`);
  });
}
