import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkSite, NetworkView } from '../supervisor/network-view.ts';
import { formatNetwork } from './network-status.ts';

function site(name: string, given: Partial<NetworkSite>): NetworkSite {
  const unknown = { namespace: null, platform: null, version: null, location: null };
  return {
    routerId: `${name}-id`,
    name,
    ...unknown,
    relation: 'direct',
    nextHop: null,
    cost: 1,
    signed: true,
    trust: 'signed',
    advertise: null,
    consume: null,
    peers: [],
    ...given,
  };
}

function place(name: string): { routerId: string; name: string } {
  return { routerId: `${name}-id`, name };
}

test('the tree says what is direct, indirect and unsigned, and where services are', () => {
  const view: NetworkView = {
    networkId: 'abcd',
    routerId: 'remote-id',
    sites: [
      site('laptop', { relation: 'indirect', nextHop: place('azure'), cost: 2 }),
      site('remote', { relation: 'self', cost: 0, platform: 'linux', version: '1.0', peers: [{ ...place('azure'), cost: 1 }] }),
      site('old', { cost: 9, signed: false, trust: 'unsigned' }),
      site('azure', {}),
    ],
    links: [{ from: place('azure'), to: place('remote'), cost: 1, owner: 'to-azure', direction: 'out' }],
    services: [
      {
        routingKey: 'greeting',
        distribution: 'balanced',
        types: ['tcp'],
        connectors: [place('laptop')],
        listeners: [place('remote')],
        localListeners: [{ name: 'greeting', host: '127.0.0.1', port: 8080, open: false }],
      },
    ],
  };
  assert.equal(
    formatNetwork(view),
    `Network abcd
├─ Sites
│  ├─ remote  [this site]
│  │  ├─ router remote-id, linux 1.0
│  │  ╰─ link to azure, cost 1 (made here)
│  ├─ azure  [direct, cost 1]
│  │  ╰─ router azure-id
│  ├─ old  [direct, cost 9, unsigned]
│  │  ╰─ router old-id
│  ╰─ laptop  [indirect by azure, cost 2]
│     ╰─ router laptop-id
╰─ Services
   ╰─ greeting  [balanced]
      ├─ offered by laptop (cost 2)
      ├─ listened for at remote
      ╰─ here at 127.0.0.1:8080 (closed)
`,
  );
});

test('names of other sites cannot forge lines or steer the terminal', () => {
  const sites = [site('x\n╰─ forged\u001b[2J', {})];
  const text = formatNetwork({ networkId: null, routerId: '', sites, links: [], services: [] });
  assert.ok(text.includes('x\\n╰─ forged\\x1b[2J'));
  assert.equal(text.split('\n').filter((line) => line.includes('forged')).length, 2);
});
