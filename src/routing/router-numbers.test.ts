import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LinkStateContent, writeLinkState } from './record-content.ts';
import { RouterIndex } from './router-index.ts';
import { credentialSlot, linkStateSlot, signRecord, type SignedRecord } from './signed-record.ts';
import { simulatedTrust } from './simulated-trust.ts';
import { TestNetwork } from './test-network.ts';

test('numbers are given to others only when they were unused twice, and ranks follow', () => {
  const index = new RouterIndex();
  for (const id of ['d', 'b', 'c']) index.indexOf(id);
  assert.deepEqual([...index.ranks()], [2, 0, 1]);
  const keepsFirst = (router: number): boolean => router === 0;
  index.release(keepsFirst);
  assert.deepEqual([index.find('b'), index.count, index.generation], [1, 3, 0]);
  // One that is spoken of again in time keeps its number.
  index.release((router) => router !== 1);
  assert.deepEqual([index.find('b'), index.find('c'), index.count, index.generation], [-1, 2, 2, 1]);
  assert.throws(() => index.idOf(1), /bug/);
  assert.equal(index.indexOf('a'), 1);
  assert.equal(index.indexOf('e'), 3);
  assert.deepEqual([...index.ranks()], [2, 0, 1, 3]);
  assert.equal(index.size, 4);
  assert.throws(() => new RouterIndex(true).release(keepsFirst), /bug/);
});

test('100,000 routers that come and go leave nothing behind', () => {
  const total = 100_000;
  const atATime = 2_500;
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  const routerIndex = new RouterIndex();
  network.router('A', { trust: authority.router({ routerId: 'A', epoch: 1 }), routerIndex });
  network.router('B', { trust: authority.router({ routerId: 'B', epoch: 1 }) });
  const cable = network.connect('A', 'B');
  network.run(1_000);
  const engine = network.engine('A');
  let sequence = 1_000_000;
  const sign = (routerId: string, neighbours: readonly string[]): SignedRecord[] => {
    const trust = authority.router({ routerId, epoch: 1 });
    const peers = neighbours.map((peer) => ({ routerId: peer, cost: 1, isUnsigned: false }));
    const content = new LinkStateContent({ slots: 2, instance: 1_700_000_000, linkStateSequence: 1, peers, site: undefined });
    const fields = { origin: routerId, epoch: 1, nonce: trust.nonce };
    return [
      signRecord({ ...fields, slot: credentialSlot, sequence: ++sequence, payload: trust.credential }, trust),
      signRecord({ ...fields, slot: linkStateSlot, sequence: ++sequence, payload: writeLinkState(content, 60_000).payload }, trust),
    ];
  };
  const say = (records: readonly SignedRecord[]): void => {
    const body = new Map([['id', 'B']]);
    engine.receive(cable, { to: 'amqp:/_local/caravan', opcode: 'REC', body, ingress: '0/B', trace: ['0/B'], records }, network.nowMs);
  };
  for (let first = 0; first < total; first += atATime) {
    const ids = Array.from({ length: atATime }, (_, at) => `ephemeral-${first + at}`);
    // The first of each batch can be reached, and is where it must be under whatever number it has got.
    const [reached = ''] = ids;
    say([...sign('B', ['A', reached]), ...ids.flatMap((id) => sign(id, ['B']))]);
    network.run(1_000);
    assert.equal(engine.table.routers.get(reached)?.nextHop, 'B');
    assert.deepEqual([...engine.table.routers.keys()].sort(), ['B', reached]);
    network.run(64_000);
  }
  assert.ok(routerIndex.size <= 6 * atATime, `${routerIndex.size} numbers`);
  assert.equal(network.cost('A', 'B'), 1);
});
