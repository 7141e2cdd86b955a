import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouterNodeRow } from '../management/operational-entities.ts';
import { networkView } from './network-view.ts';

function node(id: string, changes: Partial<RouterNodeRow>): RouterNodeRow {
  return {
    id,
    nextHop: null,
    cost: 0,
    instance: 1,
    linkState: {},
    signed: true,
    trust: 'signed',
    advertise: null,
    consume: null,
    site: { name: id.slice(0, -2) },
    ...changes,
  };
}

/** remote - azure - laptop, and a skupper-router behind azure. */
const sources = {
  networkId: 'n',
  nodes: [
    node('remote-1', { linkState: { 'azure-1': 1 }, site: { name: 'remote', listeners: ['greeting'], version: '1', location: 'Bonn' } }),
    node('azure-1', { cost: 1, linkState: { 'remote-1': 4, 'laptop-1': 2, qdr: 1 } }),
    node('laptop-1', { cost: 3, nextHop: 'azure-1', linkState: { 'azure-1': 2 }, site: { name: 'laptop', listeners: 'not a list' } }),
    node('qdr', { cost: 2, nextHop: 'azure-1', linkState: { 'azure-1': 1 }, signed: false, trust: 'unsigned', site: {} }),
  ],
  addresses: [
    {
      key: 'Mgreeting',
      name: 'greeting',
      distribution: 'balanced',
      subscriberCount: 1,
      remoteRouters: ['qdr', 'laptop-1'],
      outstanding: 0,
    },
    // Where a skupper-router sends its flow records: not a service.
    { key: 'Msfe.bbWua:0', name: 'sfe.bbWua:0', distribution: 'balanced', subscriberCount: 0, remoteRouters: ['qdr'], outstanding: 0 },
  ],
  connections: [
    {
      identity: '1',
      container: 'azure-1',
      role: 'inter-router',
      direction: 'out',
      host: 'h:1',
      owner: 'to-azure',
      tlsVersion: 'TLSv1.3',
      user: null,
      uptimeSeconds: 1,
    },
  ],
  ports: [],
  types: new Map(),
  listenerKeys: new Map(),
} as const;

test('sites say whether they are direct, by whom they are reached and whether they are signed', () => {
  const { sites, routerId } = networkView(sources);
  assert.equal(routerId, 'remote-1');
  assert.deepEqual(
    sites.map(({ name, relation, nextHop, cost, signed, location }) => [name, relation, nextHop?.name ?? null, cost, signed, location]),
    [
      ['remote', 'self', null, 0, true, 'Bonn'],
      ['azure', 'direct', null, 1, true, null],
      ['laptop', 'indirect', 'azure', 3, true, null],
      ['qdr', 'indirect', 'azure', 2, false, null],
    ],
  );
  assert.deepEqual(
    sites[1]?.peers.map(({ name, cost }) => [name, cost]),
    [
      ['laptop', 2],
      ['qdr', 1],
      ['remote', 4],
    ],
  );
});

test('each link stands once, with the higher of two costs, and the own ones say what they belong to', () => {
  assert.deepEqual(
    networkView(sources).links.map(({ from, to, cost, owner, direction }) => [from.name, to.name, cost, owner, direction]),
    [
      ['azure', 'laptop', 2, null, null],
      ['azure', 'qdr', 1, null, null],
      ['remote', 'azure', 4, 'to-azure', 'out'],
    ],
  );
});

test('services list who offers and who listens', () => {
  const [greeting, ...others] = networkView(sources).services;
  assert.deepEqual(
    greeting?.connectors.map(({ name }) => name),
    ['remote', 'qdr', 'laptop'],
  );
  assert.deepEqual(
    greeting?.listeners.map(({ name }) => name),
    ['remote'],
  );
  assert.deepEqual(others, []);
});
