import type {
  EdgeRow,
  Golden,
  LinkRow,
  NetworkSnapshot,
  RequestRow,
  RequestTrace,
  ServiceRow,
  SiteRow,
} from '../../src/flows/network-snapshot.ts';

/** Snapshots of networks that are not there, for pages. */

const quiet: Golden = {
  successRatio: null,
  perSecond: 0,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  open: 0,
  bytesFromClientPerSecond: 0,
  bytesToClientPerSecond: 0,
  retriesPerSecond: 0,
};

function traffic(perSecond: number, p50Ms: number, successRatio = 1): Golden {
  return {
    ...quiet,
    successRatio,
    perSecond,
    p50Ms,
    p95Ms: p50Ms * 2,
    p99Ms: p50Ms * 3,
    open: Math.round((perSecond * p50Ms) / 1000),
    bytesFromClientPerSecond: perSecond * 120,
    bytesToClientPerSecond: perSecond * 900,
  };
}

function site(name: string, relation: SiteRow['relation'], more: Partial<SiteRow> = {}): SiteRow {
  return {
    id: `${name}-x7k2p`,
    name,
    platform: 'linux',
    version: '0.1.0',
    location: null,
    namespace: name,
    relation,
    nextHop: relation === 'self' ? null : 'azure-x7k2p',
    cost: relation === 'self' ? 0 : 1,
    trust: 'signed',
    advertise: ['*'],
    consume: ['*'],
    state: 'up',
    certificateEndsMs: Date.now() + 20 * 3_600_000,
    membershipEndsMs: Date.now() + 300 * 86_400_000,
    outbound: quiet,
    inbound: quiet,
    ...more,
  };
}

function link(from: string, to: string, cost: number, more: Partial<LinkRow> = {}): LinkRow {
  return {
    id: `${from}-${to}`,
    name: `${from}-to-${to}`,
    from: `${from}-x7k2p`,
    to: `${to}-x7k2p`,
    fromName: from,
    toName: to,
    directionKnown: true,
    cost,
    state: 'up',
    roundTripMs: 0.8 * cost,
    lossRatio: 0,
    upSinceMs: Date.now() - 3_600_000,
    downCount: 0,
    bytesPerSecond: 3000,
    bytesReversePerSecond: 20_000,
    ...more,
  };
}

function service(
  address: string,
  protocols: readonly string[],
  listenerSite: string,
  servers: Readonly<Record<string, number>>,
): ServiceRow {
  const total = Object.values(servers).reduce((sum, rate) => sum + rate, 0);
  return {
    address,
    protocols,
    distribution: 'balanced',
    golden: total === 0 ? quiet : traffic(total, 104),
    listeners: [
      {
        siteId: `${listenerSite}-x7k2p`,
        siteName: listenerSite,
        name: address,
        host: '127.0.0.1',
        port: '8080',
        golden: total === 0 ? quiet : traffic(total, 104),
      },
    ],
    servers: Object.entries(servers).map(([name, rate]) => ({
      siteId: `${name}-x7k2p`,
      siteName: name,
      connector: address,
      host: '127.0.0.1',
      port: '9090',
      share: total === 0 ? null : rate / total,
      golden: rate === 0 ? quiet : traffic(rate, 104),
    })),
  };
}

function edge(sourceName: string, destName: string, address: string, protocol: string, perSecond: number): EdgeRow {
  return {
    sourceId: `${sourceName}-x7k2p`,
    sourceName,
    destId: `${destName}-x7k2p`,
    destName,
    address,
    protocol,
    secured: 'mutual-tls',
    golden: traffic(perSecond, 104),
  };
}

function snapshot(parts: Partial<NetworkSnapshot>): NetworkSnapshot {
  return {
    atMs: Date.now(),
    networkId: 'k3v5n-9ad1',
    windowMs: 60_000,
    sites: [],
    links: [],
    services: [],
    edges: [],
    warnings: [],
    droppedFlows: 0,
    ...parts,
  };
}

/** The network of the demonstration under its higher load, seen from remote. */
export function fourSites(): NetworkSnapshot {
  return snapshot({
    sites: [
      site('remote', 'self', { outbound: traffic(38.4, 104) }),
      site('azure', 'direct'),
      site('aws', 'direct', { cost: 7, nextHop: 'aws-x7k2p', inbound: traffic(18.2, 104, 0.992), location: 'eu-west-1' }),
      site('laptop', 'indirect', { cost: 2, inbound: traffic(20.2, 104) }),
    ],
    links: [
      link('azure', 'aws', 7),
      link('laptop', 'aws', 7),
      link('laptop', 'azure', 1),
      link('remote', 'aws', 7),
      link('remote', 'azure', 1, { downCount: 1, lossRatio: 0.002 }),
    ],
    services: [
      service('greeting', ['tcp'], 'remote', { laptop: 10.1, aws: 9.1 }),
      service('greeting-http', ['http1'], 'remote', { laptop: 10.1, aws: 9.1 }),
      service('ledger', ['http2'], 'aws', { azure: 0 }),
    ],
    edges: [
      edge('remote', 'laptop', 'greeting', 'tcp', 10.1),
      edge('remote', 'aws', 'greeting', 'tcp', 9.1),
      edge('remote', 'laptop', 'greeting-http', 'http1', 10.1),
      edge('remote', 'aws', 'greeting-http', 'http1', 9.1),
    ],
    warnings: [
      {
        code: 'certificate-ends-soon',
        severity: 'warning',
        title: 'A certificate ends soon',
        text: 'The certificate of aws ends in 2 hours and was not renewed.',
        remedy: 'van -n aws check',
        siteName: 'aws',
      },
    ],
  });
}

/** Many sites: hubs that are linked with each other, and spokes with two links each. */
export function manySites(count: number): NetworkSnapshot {
  const name = (index: number): string => (index < 8 ? `hub-${index}` : `edge-${String(index).padStart(3, '0')}`);
  const indexes = Array.from({ length: count }, (_, index) => index);
  const hubs = indexes.slice(0, 8);
  const spokes = indexes.slice(8);
  const services = Array.from({ length: 40 }, (_, index) => {
    const servers = [8 + ((index * 3) % (count - 8)), 8 + ((index * 7 + 1) % (count - 8))];
    return service(`service-${String(index).padStart(2, '0')}`, ['http1'], name(8 + ((index * 5) % (count - 8))), {
      [name(servers[0] ?? 8)]: 3 + index,
      [name(servers[1] ?? 9)]: 1 + (index % 5),
    });
  });
  return snapshot({
    sites: indexes.map((index) => site(name(index), index === 0 ? 'self' : index < 8 ? 'direct' : 'indirect', { cost: index < 8 ? 1 : 2 })),
    links: [
      ...hubs.flatMap((from) => hubs.filter((to) => to > from).map((to) => link(name(from), name(to), 1))),
      ...spokes.flatMap((index) => [link(name(index), name(index % 8), 1), link(name(index), name((index + 3) % 8), 5)]),
    ],
    services,
    edges: services.flatMap(({ address, listeners, servers }) =>
      servers.map(({ siteName, golden }) => edge(listeners[0]?.siteName ?? '', siteName, address, 'http1', golden.perSecond)),
    ),
  });
}

/** Text that would do harm as markup, script, address, style or terminal control. */
export const hostileNames: readonly string[] = [
  '<img src=x onerror="globalThis.harmed=1">',
  '"><script>globalThis.harmed=2</script>',
  'javascript:globalThis.harmed=3//\'"`',
  '\u001b[31mred\u0007\u202Egnp.exe\u0000\u2028',
  '{{constructor.constructor("globalThis.harmed=4")()}}',
  `long-${'x'.repeat(10_000)}`,
  '__proto__',
  'constructor',
];

/** Every name that comes from elsewhere is one of the hostile ones. */
export function hostileNetwork(): NetworkSnapshot {
  const sites = hostileNames.map((name, index) => ({
    ...site(`h${index}`, index === 0 ? ('self' as const) : ('direct' as const)),
    name,
    platform: name,
    version: name,
    location: name,
    namespace: name,
    trust: name,
    advertise: [name],
    consume: [name],
  }));
  const places = sites.map(({ id, name }) => ({ id, name }));
  return snapshot({
    networkId: hostileNames[0] ?? null,
    sites,
    links: places.slice(1).map(({ id, name }, index) => ({
      ...link('h0', `h${index + 1}`, 1),
      id: `link-${index}${name.slice(0, 20)}`,
      name,
      from: places[0]?.id ?? '',
      fromName: places[0]?.name ?? '',
      to: id,
      toName: name,
    })),
    services: places.map(({ id, name }) => ({
      address: name,
      protocols: [name],
      distribution: name,
      golden: traffic(5, 10),
      listeners: [{ siteId: id, siteName: name, name, host: name, port: name, golden: traffic(5, 10) }],
      servers: [{ siteId: id, siteName: name, connector: name, host: name, port: name, share: 1, golden: traffic(5, 10) }],
    })),
    edges: places.map(({ id, name }) => ({
      ...edge('h0', 'h1', name, name, 5),
      sourceId: places[0]?.id ?? '',
      sourceName: places[0]?.name ?? '',
      destId: id,
      destName: name,
    })),
    warnings: places.map(({ name }) => ({ code: name, severity: 'error', title: name, text: name, remedy: name, siteName: name })),
  });
}

/** Requests of the last seconds, the newest first. */
export function someRequests(count: number, name?: string): readonly RequestRow[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `abcde:${1000 - index}`,
    kind: 'request' as const,
    startMs: Date.now() - index * 700,
    ended: true,
    address: name ?? 'greeting-http',
    protocol: name ?? 'http1',
    method: name ?? 'GET',
    path: name ?? `/hello/${index}`,
    authority: name ?? '127.0.0.1:8080',
    requestId: name ?? `req-${index}`,
    status: index % 13 === 12 ? 503 : 200,
    grpcStatus: null,
    error: name ?? (index % 13 === 12 ? 'no-server' : null),
    sourceSite: name ?? 'remote',
    client: name ?? '127.0.0.1:50122',
    destSite: name ?? (index % 2 === 0 ? 'laptop' : 'aws'),
    connector: name ?? 'greeting-http',
    server: name ?? '127.0.0.1:9090',
    trace: name === undefined ? ['remote-x7k2p', 'azure-x7k2p', 'laptop-x7k2p'] : [name],
    tries: 1,
    bytesFromClient: 120,
    bytesToClient: 900,
    durationMs: 104.2 + index,
    firstByteMs: 103.7 + index,
    choiceMs: 0.2,
    networkMs: 2.1,
    connectMs: 0.3,
    serverMs: 101.1 + index,
  }));
}

/** A curve of the last minutes. */
export function someHistory(): { readonly points: readonly { readonly atMs: number; readonly golden: Golden }[] } {
  const count = 90;
  return {
    points: Array.from({ length: count }, (_, index) => ({
      atMs: Date.now() - (count - index) * 10_000,
      golden: traffic(15 + 5 * Math.sin(index / 6) + (index % 7) / 2, 80 + 25 * Math.sin(index / 9), index === 40 ? 0.93 : 1),
    })),
  };
}

/** The ways of the first of `someRequests`. */
export function someTrace(): RequestTrace {
  const [request] = someRequests(1);
  if (request === undefined) throw new Error('there is a request');
  return {
    request,
    spans: [
      { site: 'remote', what: 'choice of a server', startMs: 0, durationMs: 0.2, basis: 'measured' },
      { site: 'remote', what: 'to azure', startMs: 0.2, durationMs: 0.5, basis: 'estimated' },
      { site: 'azure', what: 'to laptop', startMs: 0.7, durationMs: 0.6, basis: 'estimated' },
      { site: 'laptop', what: 'connection', startMs: 1.3, durationMs: 0.3, basis: 'measured' },
      { site: 'laptop', what: 'server', startMs: 1.6, durationMs: 101.1, basis: 'measured' },
      { site: 'laptop', what: 'back to remote', startMs: 102.7, durationMs: 1, basis: 'estimated' },
    ],
  };
}

/** What the observer's own site says of itself. */
export function someSite(): unknown {
  return {
    status: {
      site: { name: 'remote', namespace: 'remote', routerId: 'remote-x7k2p', openConnections: 2 },
      pid: 4711,
      version: '0.1.0',
      trust: {
        state: 'member',
        networkId: 'k3v5n-9ad1',
        routerId: 'remote-x7k2p',
        leafExpires: new Date(Date.now() + 20 * 3_600_000).toISOString(),
        membershipEnds: new Date(Date.now() + 300 * 86_400_000).toISOString(),
        mayIssue: true,
        signs: true,
        advertise: ['*'],
        consume: ['*'],
        revokedSites: [
          { routerId: 'old-laptop-q2k8d', name: 'old-laptop', revokedAt: '2026-11-02T09:30:00Z', reason: 'stolen', by: 'aws-x7k2p' },
        ],
      },
      resources: [
        {
          kind: 'AccessGrant',
          metadata: { name: 'remote-7f3k' },
          spec: { redemptionsAllowed: 20, expirationWindow: '8h' },
          status: {
            status: 'Ready',
            message: 'OK',
            redemptions: 3,
            url: '127.0.0.1:55671',
            expirationTime: new Date(Date.now() + 7 * 3_600_000).toISOString(),
          },
        },
        {
          kind: 'AccessToken',
          metadata: { name: 'azure-q8d2' },
          spec: { url: 'https://127.0.0.1:55671' },
          status: { status: 'Ready', message: 'OK', redeemed: true },
        },
      ],
    },
    observer: {
      version: '0.1.0',
      startedMs: Date.now() - 3_600_000,
      connected: true,
      sources: 4,
      history: { state: 'ok', message: null, lost: 0, bytes: 1_234_567 },
    },
  };
}
