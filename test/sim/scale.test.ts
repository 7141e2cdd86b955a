import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathRoutes } from '../../src/routing/route-table-lookups.ts';
import { ScaleNetwork } from '../../src/sim/scale-network.ts';
import { startNetwork, type ScaleStart } from '../../src/sim/scale.ts';
import { SeededRandom } from '../../src/sim/seeded-random.ts';

const size = 1_000;
/** After this a network that has started is at rest, and its pauses between computations of paths begin anew. */
const restMs = 12_000;
/** The same after one change. */
const restAfterChangeMs = 5_000;

interface Change {
  readonly convergedMs: number;
  readonly messages: number;
}

function started(start: ScaleStart): ScaleNetwork {
  const network = new ScaleNetwork(size);
  startNetwork(network, start, new SeededRandom(11));
  network.run(restMs);
  return network;
}

/** The whole tree that the routes of a router follow. */
function pathsOf(network: ScaleNetwork, router: number): { readonly cost: Float64Array; readonly previous: Int32Array } {
  const routers = network.engine(router)?.table.routers;
  assert.ok(routers instanceof PathRoutes);
  return routers.tree;
}

function observe(network: ScaleNetwork, changedMs: Float64Array, act: () => void): Change {
  const { nowMs } = network;
  const { messages } = network.counts;
  act();
  network.run(restAfterChangeMs);
  return { convergedMs: Math.max(...changedMs) - nowMs, messages: network.counts.messages - messages };
}

test('1,000 routers that start warm hold and do what they do after a cold start', () => {
  const cold = started('cold');
  const warm = started('warm');
  const digest = cold.engine(0)?.recordDigest;
  for (let router = 0; router < size; router++) {
    assert.equal(cold.engine(router)?.recordDigest, digest, `records of router ${router} after a cold start`);
    assert.equal(warm.engine(router)?.recordDigest, digest, `records of router ${router} after a warm start`);
    const { cost, previous } = pathsOf(cold, router);
    assert.equal(cold.engine(router)?.table.routers.size, size - 1);
    assert.deepEqual(pathsOf(warm, router).cost, cost);
    assert.deepEqual(pathsOf(warm, router).previous, previous);
    const peer = cold.index.idOf((router + size / 2) % size);
    const { validOrigins: _, ...route } = cold.engine(router)?.table.routers.get(peer) ?? assert.fail();
    assert.partialDeepStrictEqual(warm.engine(router)?.table.routers.get(peer), route);
  }
  const changes = (network: ScaleNetwork): Change[] => [
    observe(network, network.routesChangedMs, () => network.cut(network.cables[17])),
    observe(network, network.routesChangedMs, () => network.crash(5)),
    observe(network, network.tableChangedMs, () => network.announce(7, 'Mbackend')),
  ];
  const afterCold = changes(cold);
  for (const [at, { convergedMs, messages }] of changes(warm).entries()) {
    const expected = afterCold[at];
    assert.ok(convergedMs > 0 && convergedMs <= 5_000, `${convergedMs} ms`);
    assert.ok(Math.abs(convergedMs - expected.convergedMs) <= 50, `${convergedMs} ms, after a cold start ${expected.convergedMs} ms`);
    assert.ok(
      Math.abs(messages - expected.messages) <= expected.messages / 100,
      `${messages} messages, after a cold start ${expected.messages}`,
    );
  }
});
