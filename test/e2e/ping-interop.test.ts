import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { Router } from '../../src/router/router.ts';
import { PingRounds } from '../../src/services/ping/ping-rounds.ts';
import type { PingResult } from '../../src/services/ping/ping-try.ts';
import { Network, routerId } from './network.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const host = '127.0.0.1';
const skupperSkip =
  process.env['VAN_TEST_SKROUTERD'] !== '1'
    ? 'runs when VAN_TEST_SKROUTERD=1'
    : spawnSync('skrouterd', ['--version']).status !== 0 && 'skrouterd (skupper-router) is not on the PATH';

/** A router in this process that is linked to the one in the middle. */
async function linked(name: string, port: number): Promise<Router> {
  const entities: readonly unknown[] = [
    ['router', { id: routerId(name), mode: 'interior' }],
    ['connector', { name: 'middle', role: 'inter-router', host: 'localhost', port, saslMechanisms: 'ANONYMOUS' }],
  ];
  const router = new Router(parseRouterConfiguration(JSON.stringify(entities), 'test'), {
    clock: processClock,
    random: processRandom(),
    log: silentLogger,
    version: '0.test',
  });
  await router.start();
  return router;
}

async function ping(router: Router, targets: readonly string[], foreign: string): Promise<readonly PingResult[]> {
  const answered = new Map<string, PingResult>();
  const rounds = new PingRounds({
    forwarder: router.forwarder,
    nowMs: () => processClock.nowMs(),
    targets: targets.map((target) => ({ routerId: target, way: [] })),
    count: 100,
    intervalMs: 500,
    timeoutMs: 10_000,
    isForeign: (id) => id === foreign,
    ended: (result) => {
      if (result.outcome === 'answered') answered.set(result.routerId, result);
    },
  });
  // A skupper-router in between learns of the far one a little later than its neighbours.
  await until('all have answered', () => {
    if (rounds.nextDeadlineMs() <= processClock.nowMs()) rounds.handleTimeout(processClock.nowMs());
    router.turns.touch();
    return answered.size === targets.length;
  });
  rounds.stop();
  return [...answered.values()];
}

async function pingThrough(skupper: readonly string[]): Promise<readonly PingResult[]> {
  const port = await freePort();
  await using network = await Network.start({
    links: [],
    skupper,
    entities: {
      middle: [['listener', { name: 'links', role: 'inter-router', host, port, saslMechanisms: 'ANONYMOUS', authenticatePeer: false }]],
    },
  });
  assert.equal(network.routers.length, 1);
  await using near = await linked('near', port);
  await using far = await linked('far', port);
  await until(
    'the far router is known',
    () => near.forwarder.table.routers.has(routerId('far')) && far.forwarder.table.routers.has(routerId('near')),
  );
  return await ping(near, [routerId('far'), routerId('middle')], skupper.length === 0 ? '' : routerId('middle'));
}

function shown({ routerId: id, outcome, hops, wayBack }: PingResult): unknown {
  return [id, outcome, hops.map((hop) => [hop.routerId, hop.outcome]), wayBack];
}

const expected = [
  [
    routerId('far'),
    'answered',
    [
      [routerId('middle'), 'answered'],
      [routerId('far'), 'answered'],
    ],
    [routerId('far'), routerId('middle')],
  ],
  [routerId('middle'), 'answered', [[routerId('middle'), 'answered']], [routerId('middle')]],
];

test('routers in a line are pinged over their links', async () => {
  const results = await pingThrough([]);
  assert.deepEqual(results.map(shown).sort(), expected);
});

test('a skupper-router on the way is measured by its management', { skip: skupperSkip }, async () => {
  const results = await pingThrough(['middle']);
  assert.deepEqual(results.map(shown).sort(), expected);
  assert.match(results.find((result) => result.routerId === routerId('middle'))?.version ?? '', /^skupper-router/);
});
