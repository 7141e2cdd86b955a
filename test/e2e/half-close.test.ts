import { test } from 'node:test';
import { HalfCloseLine, distances } from './half-close.ts';

test('connections end as their ends ended them', { timeout: 58_000 }, async (context) => {
  await using line = await HalfCloseLine.start();
  for (const distance of distances) {
    for (const { name, run } of line.cases) {
      await context.test(`${distance} links: ${name}`, async () => await run(line.ports[distance]));
    }
  }
});
