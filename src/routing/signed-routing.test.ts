import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulatedTrust, type SimulatedAuthority, type SimulatedIdentity } from './simulated-trust.ts';
import { TestNetwork } from './test-network.ts';

interface Options extends Partial<SimulatedIdentity> {
  readonly requireSigned?: boolean;
}

function addSigner(network: TestNetwork, authority: SimulatedAuthority, routerId: string, options: Options = {}): void {
  const { requireSigned = false, ...identity } = options;
  network.router(routerId, { trust: authority.router({ routerId, epoch: 1, ...identity }), requireSigned });
}

function line(ids: readonly string[]): { network: TestNetwork; authority: SimulatedAuthority } {
  const network = new TestNetwork();
  const authority = simulatedTrust(1);
  for (const id of ids) addSigner(network, authority, id);
  for (const [at, id] of ids.entries()) {
    const next = ids[at + 1];
    if (next !== undefined) network.connect(id, next);
  }
  return { network, authority };
}

test('routers that sign learn each other and their addresses without any message of a skupper-router but HELLO', () => {
  const { network } = line(['A', 'B', 'C', 'D']);
  network.localAddress('D', 'Mbackend');
  network.runUntil(() => network.cost('A', 'D') === 3 && network.routersOf('A', 'Mbackend').includes('D'), 2_000);
  network.run(40_000);
  assert.equal(network.cost('D', 'A'), 3);
  const opcodes = new Set(network.sent.map(({ message }) => message.opcode));
  assert.deepEqual([...opcodes].sort(), ['HELLO', 'REC', 'SUM']);
  network.localAddressGone('D', 'Mbackend');
  network.runUntil(() => network.routersOf('A', 'Mbackend').length === 0, 2_000);
});
