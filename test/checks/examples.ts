import type { HealthCode } from '../../src/site/health-codes.ts';
import type { HealthObservation, NeighbourProbe, SeenEvent, SeenSite } from '../../src/site/health-observation.ts';
import { parseResources } from '../../src/site/resources.ts';
import type { ReportedResource } from '../../src/site/status.ts';

/** A site `east` with which all is well, and what to change about it so that a check fails. */

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const wallMs = Date.UTC(2026, 10, 21, 12);

export const wellSite: HealthObservation = {
  wallMs,
  timeText: (time) => new Date(time).toISOString(),
  van: 'van -n east',
  site: { name: 'east', routerId: 'east-1a2b3c4d', version: '0.2.0' },
  resources: [],
  failure: undefined,
  withheld: new Set(),
  refusals: new Map(),
  connectors: new Map(),
  sites: [],
  oneSided: [],
  services: [],
  trust: {
    networkId: '9763cfcf610184eb',
    leafExpiresAtMs: wallMs + 20 * hourMs,
    renewalDueAtMs: wallMs + 8 * hourMs,
    membershipEndsAtMs: wallMs + 300 * dayMs,
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

const { trust } = wellSite;

function site(name: string, changes: Partial<SeenSite> = {}): SeenSite {
  return { routerId: `${name}-5e6f7a8b`, name, version: '0.2.0', relation: 'direct', signed: true, peers: [], ...changes };
}

function event(kind: SeenEvent['kind'], about: string, evidence: string): Partial<HealthObservation> {
  return { sites: [site('west')], events: [{ kind, about, count: 3, evidence }] };
}

const resources: readonly ReportedResource[] = parseResources(
  `
apiVersion: skupper.io/v2alpha1
kind: Link
metadata: { name: to-west }
spec: { endpoints: [{ name: inter-router, host: west.example, port: "55671" }] }
`,
  'an example',
);

function linkState(connectionMsg: string): Pick<HealthObservation, 'resources' | 'connectors'> {
  return {
    resources,
    connectors: new Map([['to-west', { name: 'to-west', connectionStatus: 'FAILED', connectionMsg, remoteContainer: null }]]),
  };
}

function probed(outcome: 'unreachable' | 'not-proven', evidence: string): Partial<HealthObservation> {
  const link = { link: 'to-west', place: 'west.example:55671', outcome, evidence, routerId: undefined, clock: undefined } as const;
  return { resources, probes: { links: [link], servers: [], neighbours: [] } };
}

function failing(kind: string, name: string, spec: object, message: string): Partial<HealthObservation> {
  const conditions = [{ type: 'Configured', status: 'False', reason: 'Error', message, lastTransitionTime: '' }];
  const resource: unknown = {
    kind,
    apiVersion: 'skupper.io/v2alpha1',
    metadata: { name },
    spec,
    status: { status: 'Error', message, conditions },
  };
  return { resources: [resource as ReportedResource] };
}

function neighbour(changes: Partial<NeighbourProbe>): Partial<HealthObservation> {
  const probe: NeighbourProbe = {
    routerId: 'west-5e6f7a8b',
    name: 'west',
    outcome: 'answered',
    roundTripMs: 2,
    uptimeMs: 640_000,
    costHere: 1,
    costThere: 1,
    trust: 'signed',
    clock: undefined,
    ...changes,
  };
  return { probes: { links: [], servers: [], neighbours: [probe] } };
}

function clock(name: string, aheadMs: number): HealthObservation['clocks'][number] {
  return { routerId: `${name}-5e6f7a8b`, name, aheadMs, uncertaintyMs: 500 };
}

/** What `van check` sees when the check of a code fails, and nothing else does. */
export const examples: Readonly<Record<Exclude<HealthCode, 'site-not-running'>, Partial<HealthObservation>>> = {
  'disk-full': {
    failure: { code: 'disk-full', text: 'cannot write /var/lib/caravan/namespaces/east/runtime/pki/site.crt: no space left on the disk' },
  },
  'router-not-configured': {
    failure: { code: 'port-unavailable', text: 'router-access: 0.0.0.0:55671 is in use by another program' },
  },
  'resource-failed': failing('AccessToken', 'from-west', {}, 'the token has expired'),
  'restarted-often': { unexpectedStarts: 4 },
  'limit-reached': { limits: [{ limit: 'addresses of west', count: 12 }] },
  'audit-incomplete': { audit: { lost: 12, failure: { code: 'not-permitted', text: '/var/log/caravan/audit.log: permission denied' } } },
  'observer-down': { observerFailure: '127.0.0.1:8010 is in use by another program' },
  'clock-differs': { clocks: [clock('west', -2 * hourMs), clock('north', -2 * hourMs)] },
  'peer-clock-differs': { clocks: [clock('west', 95_000), clock('north', 12)] },
  'site-revoked': { trust: { ...trust, revoked: 'revoked by west at 2026-11-21T11:40:00.000Z: laptop lost' } },
  'identity-conflict': event('identity-conflict', 'east-1a2b3c4d', 'from 192.0.2.7'),
  'site-fenced': { trust: { ...trust, isFenced: true } },
  'site-not-signing': { trust: { ...trust, isSigning: false } },
  'site-revoked-elsewhere': {
    trust: {
      ...trust,
      revokedSites: [{ routerId: 'old-9c8d7e6f', name: 'old', text: 'revoked by west at 2026-11-20T09:00:00.000Z: moved' }],
    },
  },
  'router-quarantined': event('router-quarantined', 'west-5e6f7a8b', 'seconds 60, reason wrong signature'),
  'routing-refused': event('routing-refused', 'west-5e6f7a8b', 'reason signature'),
  'grant-violation': event('grant-violation', 'west-5e6f7a8b', 'address payments'),
  'link-refused': event('link-refused', '192.0.2.44', 'reason no certificate'),
  'neighbour-unsigned': { sites: [site('skrouterd', { signed: false, version: null })] },
  'neighbour-doubts': neighbour({ trust: 'certified' }),
  'membership-ended': { trust: { ...trust, membershipEndsAtMs: wallMs - hourMs } },
  'membership-ends-soon': { trust: { ...trust, membershipEndsAtMs: wallMs + 6 * dayMs } },
  'certificate-ended': { trust: { ...trust, leafExpiresAtMs: wallMs - hourMs } },
  'certificate-not-renewing': { trust: { ...trust, leafExpiresAtMs: wallMs + 3 * hourMs, renewalDueAtMs: wallMs - 9 * hourMs } },
  'link-port-closed': failing('RouterAccess', 'router-access', {}, '0.0.0.0:55671 is in use by another program'),
  'link-endpoint-unreachable': probed('unreachable', 'west.example:55671 refused the connection: nothing listens there'),
  'link-peer-not-proven': probed('not-proven', 'its certificate is not of this network'),
  'link-down': linkState('the peer closed the link: routing: wrong signature'),
  'link-unstable': { losses: [{ routerId: 'west-5e6f7a8b', name: 'west', count: 5 }] },
  'link-one-sided': neighbour({ costThere: undefined }),
  'neighbour-silent': neighbour({ outcome: 'silent', roundTripMs: null, costThere: undefined, trust: undefined }),
  'version-differs': { sites: [site('west', { version: '0.1.0' })] },
  'site-unreachable': { lost: [{ routerId: 'west-5e6f7a8b', name: 'west', lastSeenMs: wallMs - 240_000 }] },
  'listener-port-closed': failing('Listener', 'backend', { routingKey: 'backend' }, '127.0.0.1:8080 is in use by another program'),
  'address-without-connector': {
    services: [{ routingKey: 'backend', connectors: 0, localListeners: 1, types: ['tcp'], isOwn: true }],
  },
  'service-type-differs': {
    services: [{ routingKey: 'backend', connectors: 1, localListeners: 1, types: ['http', 'tcp'], isOwn: true }],
  },
  'connector-server-down': {
    probes: {
      links: [],
      servers: [{ connector: 'backend', place: '127.0.0.1:8080', failure: '127.0.0.1:8080 refused the connection: nothing listens there' }],
      neighbours: [],
    },
  },
};
