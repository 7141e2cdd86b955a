import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorState } from '../management/operational-entities.ts';
import type { HealthCode } from './health-codes.ts';
import type { HealthObservation, LinkProbe, NeighbourProbe, SeenSite } from './health-observation.ts';
import { judgeHealth } from './health-rules.ts';
import { rootCauses } from './health.ts';
import { parseResources } from './resources.ts';
import type { ReportedResource } from './status.ts';

const tcp = { types: ['tcp'], isOwn: true } as const;

const wallMs = Date.UTC(2026, 10, 21);
const hourMs = 3_600_000;

const good: HealthObservation = {
  wallMs,
  timeText: (time) => new Date(time).toISOString(),
  van: 'van -n east',
  site: { name: 'east', routerId: 'east-1', version: '0.2.0' },
  resources: [],
  failure: undefined,
  withheld: new Set(),
  refusals: new Map(),
  connectors: new Map(),
  sites: [],
  oneSided: [],
  services: [],
  trust: {
    networkId: 'n',
    leafExpiresAtMs: wallMs + 20 * hourMs,
    renewalDueAtMs: wallMs + 8 * hourMs,
    membershipEndsAtMs: wallMs + 300 * 24 * hourMs,
    revoked: undefined,
    isFenced: false,
    isSigning: true,
    revokedSites: [],
  },
  clocks: [],
  events: [],
  limits: [],
  lost: [],
  losses: [],
  unexpectedStarts: 0,
  audit: { lost: 0, failure: undefined },
  probes: undefined,
};

function codes(changes: Partial<HealthObservation>): readonly HealthCode[] {
  return judgeHealth({ ...good, ...changes }).map(({ code }) => code);
}

function seenSite(name: string, changes: Partial<SeenSite> = {}): SeenSite {
  return { routerId: `${name}-1`, name, version: '0.2.0', relation: 'direct', signed: true, peers: [], ...changes };
}

function clock(name: string, aheadMs: number, uncertaintyMs = 500): HealthObservation['clocks'][number] {
  return { routerId: `${name}-1`, name, aheadMs, uncertaintyMs };
}

const linkYaml = `
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: { name: to-west }
spec: { endpoints: [{ name: inter-router, host: west.example, port: "55671" }] }
`;

function reported(yaml: string): readonly ReportedResource[] {
  return parseResources(yaml, 'test') as readonly ReportedResource[];
}

function connector(changes: Partial<ConnectorState>): ReadonlyMap<string, ConnectorState> {
  const state = {
    name: 'to-west',
    connectionStatus: 'FAILED',
    connectionMsg: 'west.example:55671 does not answer',
    remoteContainer: null,
  } as const;
  return new Map([['to-west', { ...state, ...changes }]]);
}

function probe(changes: Partial<LinkProbe>): LinkProbe {
  return {
    link: 'to-west',
    place: 'west.example:55671',
    outcome: 'reached',
    evidence: '',
    routerId: undefined,
    clock: undefined,
    ...changes,
  };
}

function neighbour(changes: Partial<NeighbourProbe>): Partial<HealthObservation> {
  const probe: NeighbourProbe = {
    routerId: 'west-1',
    name: 'west',
    outcome: 'answered',
    roundTripMs: 2,
    uptimeMs: 60_000,
    costHere: 1,
    costThere: 1,
    trust: 'signed',
    clock: undefined,
    ...changes,
  };
  return { probes: { links: [], servers: [], neighbours: [probe] } };
}

test('a site with which all is well has no warnings', () => {
  assert.deepEqual(judgeHealth(good), []);
  assert.deepEqual(
    codes({ trust: { ...good.trust, networkId: undefined, leafExpiresAtMs: undefined, membershipEndsAtMs: undefined } }),
    [],
  );
});

for (const [what, changes, expected] of [
  ['a router that cannot follow', { failure: { code: 'port-unavailable', text: 'port in use' } }, ['router-not-configured']],
  ['a full disk under the state', { failure: { code: 'disk-full', text: 'cannot write x' } }, ['disk-full']],
  [
    'a full disk under the audit log',
    { audit: { lost: 3, failure: { code: 'disk-full', text: 'no space' } } },
    ['disk-full', 'audit-incomplete'],
  ],
  ['lost events', { audit: { lost: 1, failure: undefined } }, ['audit-incomplete']],
  ['two unexpected ends', { unexpectedStarts: 2 }, []],
  ['three unexpected ends', { unexpectedStarts: 3 }, ['restarted-often']],
  ['a full table', { limits: [{ limit: 'routers', count: 4 }] }, ['limit-reached']],
  ['one neighbour with another time', { clocks: [clock('west', 31_000)] }, ['peer-clock-differs']],
  ['a difference within the tolerance', { clocks: [clock('west', 29_000)] }, []],
  ['a difference within what is not known', { clocks: [clock('west', -32_000, 2500)] }, []],
  ['all neighbours with another time', { clocks: [clock('west', -hourMs), clock('north', -hourMs)] }, ['clock-differs']],
  ['one neighbour of three with another time', { clocks: [clock('a', 0), clock('b', hourMs), clock('c', 10)] }, ['peer-clock-differs']],
  ['a revoked site', { trust: { ...good.trust, revoked: 'by west at noon' } }, ['site-revoked']],
  ['a fenced site', { trust: { ...good.trust, isFenced: true } }, ['site-fenced']],
  ['a site whose key nobody has certified', { trust: { ...good.trust, isSigning: false } }, ['site-not-signing']],
  [
    'another site that is revoked',
    { trust: { ...good.trust, revokedSites: [{ routerId: 'x-1', name: 'x', text: 'by west' }] } },
    ['site-revoked-elsewhere'],
  ],
  ['a neighbour that cannot prove itself', { sites: [seenSite('qdr', { signed: false, version: null })] }, ['neighbour-unsigned']],
  ['a distant router that cannot', { sites: [seenSite('qdr', { signed: false, version: null, relation: 'indirect' })] }, []],
  ['a certificate that has ended', { trust: { ...good.trust, leafExpiresAtMs: wallMs } }, ['certificate-ended']],
  [
    'a certificate past three quarters',
    { trust: { ...good.trust, leafExpiresAtMs: wallMs + 5 * hourMs, renewalDueAtMs: wallMs - 7 * hourMs } },
    ['certificate-not-renewing'],
  ],
  ['a certificate just due', { trust: { ...good.trust, leafExpiresAtMs: wallMs + 11 * hourMs, renewalDueAtMs: wallMs - hourMs } }, []],
  ['a membership that ends', { trust: { ...good.trust, membershipEndsAtMs: wallMs + 13 * 24 * hourMs } }, ['membership-ends-soon']],
  ['a membership that has ended', { trust: { ...good.trust, membershipEndsAtMs: wallMs } }, ['membership-ended']],
  ['two losses', { losses: [{ routerId: 'west-1', name: 'west', count: 2 }] }, []],
  ['three losses', { losses: [{ routerId: 'west-1', name: 'west', count: 3 }] }, ['link-unstable']],
  ['a link that one end reports', { oneSided: [{ from: 'a-1', to: 'b-1', sinceMs: 5000 }] }, ['link-one-sided']],
  ['a link that one end was the first to report', { oneSided: [{ from: 'a-1', to: 'b-1', sinceMs: 4999 }] }, []],
  [
    'another version',
    { sites: [seenSite('west', { version: '0.1.0' }), seenSite('self', { version: '9', relation: 'self' })] },
    ['version-differs'],
  ],
  ['a site that is gone', { lost: [{ routerId: 'west-1', name: 'west', lastSeenMs: wallMs - 1000 }] }, ['site-unreachable']],
  [
    'a site that was gone for a while',
    { sites: [seenSite('west')], lost: [{ routerId: 'west-1', name: 'west', lastSeenMs: wallMs - 1000 }] },
    [],
  ],
  [
    'an address nobody offers',
    { services: [{ routingKey: 'db', connectors: 0, localListeners: 1, ...tcp }] },
    ['address-without-connector'],
  ],
  ['an address somebody offers', { services: [{ routingKey: 'db', connectors: 1, localListeners: 1, ...tcp }] }, []],
  ['an address of AMQP clients', { services: [{ routingKey: 'db', connectors: 0, localListeners: 1, types: ['amqp'], isOwn: true }] }, []],
  ['an address nobody here listens for', { services: [{ routingKey: 'db', connectors: 0, localListeners: 0, ...tcp }] }, []],
  [
    'types that do not go together',
    { services: [{ routingKey: 'db', connectors: 1, localListeners: 1, types: ['http', 'tcp'], isOwn: true }] },
    ['service-type-differs'],
  ],
  ['types that do', { services: [{ routingKey: 'db', connectors: 1, localListeners: 1, types: ['http', 'http2'], isOwn: true }] }, []],
  [
    'types that are no concern of this site',
    { services: [{ routingKey: 'db', connectors: 1, localListeners: 0, types: ['http', 'tcp'], isOwn: false }] },
    [],
  ],
  ['a link that is down', { resources: reported(linkYaml), connectors: connector({}) }, ['link-down']],
  ['a link that is up', { resources: reported(linkYaml), connectors: connector({ connectionStatus: 'SUCCESS' }) }, []],
  ['a link that was not tried yet', { resources: reported(linkYaml), connectors: connector({ connectionStatus: 'CONNECTING' }) }, []],
  [
    'servers that were tried',
    {
      probes: {
        links: [],
        servers: [
          { connector: 'a', place: '127.0.0.1:1', failure: 'refused' },
          { connector: 'b', place: '127.0.0.1:2', failure: '' },
        ],
        neighbours: [],
      },
    },
    ['connector-server-down'],
  ],
  [
    'an endpoint of a link that is up by another',
    {
      resources: reported(linkYaml),
      connectors: connector({ connectionStatus: 'SUCCESS' }),
      probes: { links: [probe({ outcome: 'unreachable' })], servers: [], neighbours: [] },
    },
    [],
  ],
  ['a neighbour that sees the link as this site does', neighbour({}), []],
  ['a neighbour that does not answer', neighbour({ outcome: 'silent', costThere: undefined, trust: undefined }), ['neighbour-silent']],
  ['a neighbour that cannot tell', neighbour({ outcome: 'unable', costThere: undefined, trust: undefined }), []],
  ['a neighbour that does not use the link', neighbour({ costThere: undefined }), ['link-one-sided']],
  ['a neighbour that does not use it yet', neighbour({ costThere: undefined, uptimeMs: 4999 }), []],
  ['a neighbour that does not believe this site', neighbour({ trust: 'certified' }), ['neighbour-doubts']],
  [
    'a neighbour of a site that does not sign',
    { ...neighbour({ trust: 'certified' }), trust: { ...good.trust, isSigning: undefined } },
    [],
  ],
  ['a neighbour that tells another time just now', neighbour({ clock: clock('west', hourMs, 2) }), ['peer-clock-differs']],
  ['a clock that was set right since', { clocks: [clock('west', hourMs)], ...neighbour({ clock: clock('west', 10, 2) }) }, []],
] as const satisfies readonly (readonly [string, Partial<HealthObservation>, readonly HealthCode[]])[]) {
  test(`${what}: ${expected.length === 0 ? 'nothing to warn of' : expected.join(', ')}`, () => {
    assert.deepEqual(codes(changes), expected);
  });
}

test('every event of the audit log that matters has a warning of its kind', () => {
  for (const kind of ['identity-conflict', 'router-quarantined', 'routing-refused', 'grant-violation', 'link-refused'] as const) {
    const [warning] = judgeHealth({
      ...good,
      sites: [seenSite('west')],
      events: [{ kind, about: 'west-1', count: 2, evidence: 'address db' }],
    });
    assert.equal(warning?.code, kind);
    assert.match(warning.text, /'west'/);
    assert.equal(warning.evidence, '2 times in the last minutes; address db');
  }
});

test('an endpoint that van check cannot reach explains the link and what is missing behind it', () => {
  const roots = rootCauses(
    judgeHealth({
      ...good,
      resources: reported(linkYaml),
      connectors: connector({}),
      services: [{ routingKey: 'db', connectors: 0, localListeners: 1, ...tcp }],
      probes: { links: [probe({ outcome: 'unreachable', evidence: 'refused' })], servers: [], neighbours: [] },
    }),
  );
  assert.deepEqual(
    roots.map(({ warning, follows }) => [warning.code, warning.evidence, follows.map(({ code }) => code)]),
    [['link-endpoint-unreachable', 'refused', ['link-down', 'address-without-connector']]],
  );
});

test('the clock that the peer of a link tells explains why the link is down', () => {
  const peer = { routerId: 'west-1', clock: clock('west', 2 * hourMs), outcome: 'not-proven', evidence: 'not valid yet' } as const;
  const roots = rootCauses(
    judgeHealth({
      ...good,
      resources: reported(linkYaml),
      connectors: connector({}),
      probes: { links: [probe(peer)], servers: [], neighbours: [] },
    }),
  );
  assert.deepEqual(
    roots.map(({ warning, follows }) => [warning.code, warning.text, follows.map(({ code }) => code)]),
    [['peer-clock-differs', "the clock of 'west' is 2 h ahead of that of this site", ['link-peer-not-proven', 'link-down']]],
  );
});

test('resources that failed are told by what they are', () => {
  const failing = (kind: string, spec: object): ReportedResource =>
    ({
      kind,
      apiVersion: 'skupper.io/v2alpha1',
      metadata: { name: 'x' },
      spec,
      status: {
        status: 'Error',
        message: 'port in use',
        conditions: [{ type: 'Configured', status: 'False', reason: 'Error', message: 'port in use', lastTransitionTime: '' }],
      },
    }) as unknown as ReportedResource;
  const resources = [failing('Listener', { routingKey: 'db' }), failing('RouterAccess', {}), failing('AccessToken', {})];
  const refusals = new Map([
    ['tcpListener/x', 'port in use'],
    ['sslProfile/y', 'cannot be read'],
  ]);
  assert.deepEqual(
    judgeHealth({ ...good, resources, refusals }).map(({ code, text }) => [code, text]),
    [
      ['listener-port-closed', "Listener 'x': port in use"],
      ['link-port-closed', "RouterAccess 'x': port in use"],
      ['resource-failed', "AccessToken 'x': port in use"],
      ['resource-failed', 'sslProfile/y: cannot be read'],
    ],
  );
  // A listener that is not granted has no port that could be open.
  assert.deepEqual(
    judgeHealth({ ...good, resources: resources.slice(0, 1), withheld: new Set(['Listener/x']) }).map(({ code }) => code),
    ['resource-failed'],
  );
});
