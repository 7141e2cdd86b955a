import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorState, ListenerState } from '../management/operational-entities.ts';
import type { Condition } from './conditions.ts';
import { formatResources, parseResources } from './resources.ts';
import { resourceKey, type Kind, type Resource, type ResourceOf, type Specs } from './resource-types.ts';
import { reportStatus, type ObservedSite, type Reported, type SiteRecord, type Statuses } from './status.ts';

const now = '2030-01-02T00:00:00Z';

const idle: ObservedSite = {
  routerRunning: true,
  routerError: '',
  withheld: new Map(),
  refusals: new Map(),
  listeners: new Map(),
  connectors: new Map(),
  serviceListeners: new Map(),
  serviceConnectors: new Set(),
  reachableKeys: new Set(),
  listenedKeys: new Set(),
  sitesInNetwork: 0,
  upSince: new Map(),
  network: undefined,
  sitesByRouter: new Map(),
  endpoints: new Map(),
  grants: new Map(),
  tokens: new Map(),
};

function resource<K extends Kind>(kind: K, spec: Specs[K], name = 'a'): ResourceOf<K> {
  return { kind, metadata: { name }, spec };
}

function statusOf<K extends Kind>(of: ResourceOf<K>, observed: Partial<ObservedSite>): NonNullable<Statuses[K]> {
  const [reported] = reportStatus([of as unknown as Resource], { ...idle, ...observed }, now) as readonly Reported<K>[];
  return reported?.status ?? assert.fail('has no status');
}

/** `Configured=True/Ready/OK`, one per condition. */
function brief(conditions: readonly Condition[]): readonly string[] {
  return conditions.map(({ type, status, reason, message }) => `${type}=${status}/${reason}/${message}`);
}

function up(name: string): ReadonlyMap<string, ListenerState> {
  return new Map([[name, { name, operStatus: 'up', boundPort: 1, connectionMsg: '' }]]);
}

function down(name: string, connectionMsg: string): ReadonlyMap<string, ListenerState> {
  return new Map([[name, { name, operStatus: 'down', boundPort: 0, connectionMsg }]]);
}

function connected(name: string, remoteContainer = 'east-1'): readonly [string, ConnectorState] {
  return [name, { name, connectionStatus: 'SUCCESS', connectionMsg: '', remoteContainer }];
}

function unconnected(name: string, connectionMsg: string): readonly [string, ConnectorState] {
  return [name, { name, connectionStatus: 'FAILED', connectionMsg, remoteContainer: null }];
}

const place = { name: 'inter-router', host: 'west.example', port: '55671', group: 'g' };
const noNetwork = { reason: 'Pending', message: 'no network yet' } as const;

const site = resource('Site', { linkAccess: 'default' });
const privateSite = resource('Site', {});
const listener = resource('Listener', { routingKey: 'k', host: '127.0.0.1', port: 1 });
const connector = resource('Connector', { routingKey: 'k', host: 'localhost', port: 1 });
const link = resource('Link', {
  endpoints: [
    { name: 'inter-router', host: 'h', port: '1', group: 'x' },
    { name: 'inter-router', host: 'h', port: '2', group: 'y' },
  ],
});
const access = resource('RouterAccess', { roles: [{ name: 'inter-router' }], tlsCredentials: 'x' });
const grant = resource('AccessGrant', {});
const token = resource('AccessToken', { url: 'https://a/b', code: 'c', ca: 'x' });
const byPriority = resource('MultiKeyListener', { host: '::1', port: 1, strategy: { priority: { routingKeys: ['k1', 'k2', 'k3'] } } });
const byWeight = resource('MultiKeyListener', { host: '::1', port: 1, strategy: { weighted: { routingKeys: { k1: 1, k2: 5, k3: 0 } } } });

function siteWith(services: SiteRecord['services']): SiteRecord {
  return { id: 'east-1', name: 'east', links: [], services };
}

const ok = ['Configured=True/Ready/OK', 'Ready=True/Ready/OK'] as const;

type Case = readonly [string, ResourceOf<Kind>, Partial<ObservedSite>, 'Ready' | 'Pending' | 'Error', string, readonly string[]];

const cases: readonly Case[] = [
  [
    'Site that accepts no links',
    privateSite,
    {},
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Running=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Site whose router is not there yet',
    privateSite,
    { routerRunning: false },
    'Pending',
    'Pending',
    ['Configured=True/Ready/OK', 'Running=False/Pending/Pending', 'Ready=False/Pending/Pending'],
  ],
  [
    'Site whose router cannot run',
    privateSite,
    { routerRunning: false, routerError: 'no disk' },
    'Error',
    'no disk',
    ['Configured=True/Ready/OK', 'Running=False/Error/no disk', 'Ready=False/Error/no disk'],
  ],
  [
    'Site with link access',
    site,
    { listeners: up('link-access'), endpoints: new Map([['link-access', [place]]]) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Running=True/Ready/OK', 'Resolved=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Site with link access by RouterAccess',
    site,
    { endpoints: new Map([['access/a', [place]]]) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Running=True/Ready/OK', 'Resolved=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Site with link access that nobody listens for yet',
    site,
    {},
    'Pending',
    'Pending',
    ['Configured=True/Ready/OK', 'Running=True/Ready/OK', 'Resolved=False/Pending/Pending', 'Ready=False/Pending/Pending'],
  ],
  [
    'Site with link access before it has a network',
    site,
    { withheld: new Map([['Site/a', noNetwork]]) },
    'Pending',
    'no network yet',
    ['Configured=True/Ready/OK', 'Running=True/Ready/OK', 'Resolved=False/Pending/no network yet', 'Ready=False/Pending/no network yet'],
  ],
  [
    'Site with link access whose port is taken',
    site,
    { listeners: down('link-access', 'port 55671 is in use') },
    'Error',
    'port 55671 is in use',
    [
      'Configured=True/Ready/OK',
      'Running=True/Ready/OK',
      'Resolved=False/Error/port 55671 is in use',
      'Ready=False/Error/port 55671 is in use',
    ],
  ],
  [
    'Listener with a connector somewhere',
    listener,
    { serviceListeners: up('tcpListener/a'), reachableKeys: new Set(['k']) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Matched=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Listener without connector',
    listener,
    { serviceListeners: up('tcpListener/a'), reachableKeys: new Set(['other']) },
    'Pending',
    'No matching connectors',
    ['Configured=True/Ready/OK', 'Matched=False/Pending/No matching connectors', 'Ready=False/Pending/No matching connectors'],
  ],
  [
    'Listener that the router does not have yet',
    listener,
    {},
    'Pending',
    'Pending',
    ['Configured=False/Pending/Pending', 'Matched=False/Pending/No matching connectors', 'Ready=False/Pending/Pending'],
  ],
  [
    'Listener whose port is taken',
    listener,
    { serviceListeners: down('tcpListener/a', 'port 1 is in use'), reachableKeys: new Set(['k']) },
    'Error',
    'port 1 is in use',
    ['Configured=False/Error/port 1 is in use', 'Matched=True/Ready/OK', 'Ready=False/Error/port 1 is in use'],
  ],
  [
    'Listener that the router refuses',
    listener,
    { refusals: new Map([['tcpListener/a', 'too many']]) },
    'Error',
    'too many',
    ['Configured=False/Error/too many', 'Matched=False/Pending/No matching connectors', 'Ready=False/Error/too many'],
  ],
  [
    'Connector with a listener at another site',
    connector,
    { serviceConnectors: new Set(['tcpConnector/a']), listenedKeys: new Set(['k']) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Matched=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Connector of whose key there are only connectors',
    connector,
    { serviceConnectors: new Set(['tcpConnector/a']), listenedKeys: new Set(['x']) },
    'Pending',
    'No matching listeners',
    ['Configured=True/Ready/OK', 'Matched=False/Pending/No matching listeners', 'Ready=False/Pending/No matching listeners'],
  ],
  [
    'Link that is connected to one of two routers',
    link,
    { connectors: new Map([unconnected('a', 'refused'), connected('a/2')]) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Operational=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'Link that cannot connect',
    link,
    { connectors: new Map([unconnected('a', 'connection refused'), unconnected('a/2', '')]) },
    'Pending',
    'Not operational: connection refused',
    [
      'Configured=True/Ready/OK',
      'Operational=False/Pending/Not operational: connection refused',
      'Ready=False/Pending/Not operational: connection refused',
    ],
  ],
  [
    'Link of which the router has only one connector',
    link,
    { connectors: new Map([unconnected('a', '')]) },
    'Pending',
    'Pending',
    ['Configured=False/Pending/Pending', 'Operational=False/Pending/Not operational', 'Ready=False/Pending/Pending'],
  ],
  [
    'Link without its certificates',
    link,
    { withheld: new Map([['Link/a', { reason: 'Error', message: 'no Secret' }]]) },
    'Error',
    'no Secret',
    ['Configured=False/Error/no Secret', 'Operational=False/Pending/Not operational', 'Ready=False/Error/no Secret'],
  ],
  [
    'RouterAccess that is there',
    access,
    { listeners: up('access/a'), endpoints: new Map([['access/a', [place]]]) },
    'Ready',
    'OK',
    ['Configured=True/Ready/OK', 'Resolved=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'RouterAccess before there is a network',
    access,
    { withheld: new Map([['RouterAccess/a', noNetwork]]), endpoints: new Map([['access/b', [place]]]) },
    'Pending',
    'no network yet',
    ['Configured=False/Pending/no network yet', 'Resolved=False/Pending/no network yet', 'Ready=False/Pending/no network yet'],
  ],
  [
    'RouterAccess whose port is taken',
    access,
    { listeners: down('access/a', 'in use') },
    'Error',
    'in use',
    ['Configured=True/Ready/OK', 'Resolved=False/Error/in use', 'Ready=False/Error/in use'],
  ],
  [
    'RouterAccess that the router refuses',
    access,
    { refusals: new Map([['listener/access/a', 'no']]) },
    'Error',
    'no',
    ['Configured=False/Error/no', 'Resolved=False/Error/no', 'Ready=False/Error/no'],
  ],
  [
    'AccessGrant that can be redeemed',
    grant,
    { grants: new Map([['a', { url: 'https://w/1', ca: 'pem', redemptions: 1, expirationTime: now }]]) },
    'Ready',
    'OK',
    ['Processed=True/Ready/OK', 'Resolved=True/Ready/OK', 'Ready=True/Ready/OK'],
  ],
  [
    'AccessGrant of a site that nobody can reach',
    grant,
    { grants: new Map([['a', { url: '', ca: 'pem', redemptions: 0, expirationTime: now }]]) },
    'Pending',
    'Pending',
    ['Processed=True/Ready/OK', 'Resolved=False/Pending/Pending', 'Ready=False/Pending/Pending'],
  ],
  [
    'AccessGrant that cannot be',
    grant,
    { withheld: new Map([['AccessGrant/a', { reason: 'Error', message: 'not an issuer' }]]) },
    'Error',
    'not an issuer',
    ['Processed=False/Error/not an issuer', 'Resolved=False/Pending/Pending', 'Ready=False/Error/not an issuer'],
  ],
  ['AccessToken not tried yet', token, {}, 'Pending', 'Pending', ['Redeemed=False/Pending/Pending']],
  ['AccessToken redeemed', token, { tokens: new Map([['a', { redeemed: true, error: '' }]]) }, 'Ready', 'OK', ['Redeemed=True/Ready/OK']],
  [
    'AccessToken refused',
    token,
    { tokens: new Map([['a', { redeemed: false, error: 'the token has expired' }]]) },
    'Error',
    'the token has expired',
    ['Redeemed=False/Error/the token has expired'],
  ],
  [
    'MultiKeyListener with a key that is reachable',
    byPriority,
    { serviceListeners: up('tcpListener/multi-key/a'), reachableKeys: new Set(['k2']) },
    'Ready',
    'OK',
    [ok[0], 'Operational=True/Ready/OK', ok[1]],
  ],
  [
    'MultiKeyListener without',
    byPriority,
    { serviceListeners: up('tcpListener/multi-key/a') },
    'Pending',
    'No matching connectors',
    ['Configured=True/Ready/OK', 'Operational=False/Pending/No matching connectors', 'Ready=False/Pending/No matching connectors'],
  ],
  [
    'MultiKeyListener whose port is taken',
    byPriority,
    { serviceListeners: down('tcpListener/multi-key/a', 'in use'), reachableKeys: new Set(['k1']) },
    'Error',
    'in use',
    ['Configured=False/Error/in use', 'Operational=True/Ready/OK', 'Ready=False/Error/in use'],
  ],
];

for (const [name, of, observed, status, message, conditions] of cases) {
  test(`status of a ${name}`, () => {
    const reported = statusOf(of, observed);
    assert.deepEqual([reported.status, reported.message], [status, message]);
    assert.deepEqual(brief(reported.conditions), conditions);
  });
}

test('a Secret has no status', () => {
  const secret = resource('Secret', { type: 'Opaque', data: {} });
  assert.deepEqual(reportStatus([secret], idle, now), [secret]);
});

test('a Site shows where it is reached and its network', () => {
  const network = [siteWith([])];
  const reported = statusOf(site, { network, sitesInNetwork: 1, endpoints: new Map([['link-access', [place]]]) });
  assert.deepEqual(reported.endpoints, [place]);
  assert.deepEqual([reported.network, reported.sitesInNetwork], [network, 1]);
});

test('Listener, Connector and RouterAccess show what they found', () => {
  assert.equal(statusOf(listener, {}).hasMatchingConnector, false);
  assert.equal(statusOf(listener, { reachableKeys: new Set(['k']) }).hasMatchingConnector, true);
  assert.equal(statusOf(connector, {}).hasMatchingListener, false);
  assert.equal(statusOf(connector, { listenedKeys: new Set(['k']) }).hasMatchingListener, true);
  const endpoints = new Map([
    ['access/a', [place]],
    ['access/b', []],
  ]);
  assert.deepEqual(statusOf(access, { endpoints }).endpoints, [place]);
});

test('a Link shows the remote site, or the router when its site is not known', () => {
  const connectors = new Map([connected('a'), connected('a/2')]);
  const sitesByRouter = new Map([['east-1', { id: 'id-of-east', name: 'east', trust: 'signed' }]]);
  const upSince = new Map([['a', '2026-11-21T12:00:00Z']]);
  const known = statusOf(link, { connectors, sitesByRouter, upSince });
  assert.deepEqual([known.remoteSiteId, known.remoteSiteName, known.remoteTrust], ['id-of-east', 'east', 'signed']);
  assert.equal(known.upSince, '2026-11-21T12:00:00Z');
  const unknown = statusOf(link, { connectors });
  assert.deepEqual([unknown.remoteSiteId, unknown.remoteSiteName], ['', 'east-1']);
  const lost = statusOf(link, { sitesByRouter, upSince });
  assert.deepEqual([lost.remoteSiteId, lost.remoteSiteName, lost.remoteTrust, lost.upSince], ['', '', '', '']);
});

test('a grant shows how it is redeemed, a token whether it is', () => {
  const state = { url: 'https://w/1', ca: 'pem', redemptions: 2, expirationTime: now };
  const { conditions: _conditions, ...shown } = statusOf(grant, { grants: new Map([['a', state]]) });
  assert.deepEqual(shown, { status: 'Ready', message: 'OK', ...state });
  assert.equal(statusOf(token, {}).redeemed, false);
  assert.equal(statusOf(token, { tokens: new Map([['a', { redeemed: true, error: '' }]]) }).redeemed, true);
});

test('a MultiKeyListener lists the keys that are reachable: in order of preference, or with their weights', () => {
  const reachableKeys = new Set(['k3', 'other', 'k1']);
  assert.deepEqual(statusOf(byPriority, { reachableKeys }).strategy, { priority: { routingKeysReachable: ['k1', 'k3'] } });
  assert.deepEqual(statusOf(byWeight, { reachableKeys }).strategy, { weighted: { routingKeysReachable: { k1: 1, k3: 0 } } });
  assert.deepEqual(statusOf(byPriority, {}).strategy, { priority: { routingKeysReachable: [] } });
  assert.deepEqual(statusOf(byWeight, {}).strategy, { weighted: { routingKeysReachable: {} } });
  assert.deepEqual([statusOf(byWeight, { reachableKeys }).hasDestination, statusOf(byWeight, {}).hasDestination], [true, false]);
});

test('conditions keep their time from report to report, each resource its own', () => {
  const both = [listener, { ...connector, metadata: { name: 'a' } }];
  const observed = { ...idle, serviceListeners: up('tcpListener/a') };
  const first = reportStatus(both, observed, now);
  const later = '2030-01-03T00:00:00Z';
  const second = reportStatus(both, { ...observed, reachableKeys: new Set(['k']) }, later, first);
  const times = second.map((reported) => [
    resourceKey(reported),
    ...(reported.status?.conditions ?? []).map(({ lastTransitionTime }) => (lastTransitionTime === later ? 'later' : 'before')),
  ]);
  assert.deepEqual(times, [
    ['Listener/a', 'before', 'later', 'later'],
    ['Connector/a', 'before', 'before', 'before'],
  ]);
});

test('resources with their status are written and read again, without it', () => {
  const reported = reportStatus([site, listener, byWeight], idle, now);
  const text = formatResources(reported);
  assert.match(text, /message: No matching connectors/);
  assert.deepEqual(parseResources(text, 'f'), [site, listener, byWeight]);
});
