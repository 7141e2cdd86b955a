import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import { Load } from './load.ts';
import { runPhase } from './phases.ts';
import type { Expectation, PhaseResult } from './phases.ts';

const half = { minimum: 0.35, maximum: 0.65 };

test('a phase holds only if the shares of 100 responses are in their ranges and nothing failed after settling', async () => {
  let requests = 0;
  const failing = { now: false };
  const server = createServer((_request, response) => {
    requests += 1;
    setTimeout(() => {
      if (failing.now && requests % 10 === 0) response.destroy();
      else response.end(requests % 2 === 0 ? 'laptop' : 'aws');
    }, 5);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { signal } = new AbortController();
  const load = new Load(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const run = async (name: string, expectation: Expectation): Promise<PhaseResult> => {
    const phase = { name, inFlight: 1, expected: { greeting: expectation, 'greeting-http': expectation } };
    const results = await runPhase(phase, new Map([['greeting', load]]), signal);
    assert.equal(results.length, 1);
    return results[0];
  };
  try {
    const both = await run('both', { shares: { laptop: half, aws: half }, errorsAllowedWhileSettling: 0 });
    assert.equal(both.ok, true, JSON.stringify(both));
    assert.deepEqual([both.service, both.windows, both.errors, both.responses >= 100], ['greeting', 1, 0, true]);

    failing.now = true;
    const failed = await run('failing', { shares: {}, errorsAllowedWhileSettling: 1000 });
    assert.equal(failed.ok, false, JSON.stringify(failed));
    failing.now = false;

    const alone = await run('alone', { shares: { laptop: { minimum: 1, maximum: 1 } }, errorsAllowedWhileSettling: 0 });
    assert.deepEqual([alone.ok, alone.windows], [false, 3], JSON.stringify(alone));
  } finally {
    await load.stop();
    server.close();
  }
});
