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

/** A made-up network for looking at the pages: four sites as in the demonstration, or many in regions. */

const windowMs = 60_000;
const startMs = Date.now() - 3 * 3_600_000;
const regions = ['eu-west', 'eu-north', 'us-east', 'us-west', 'ap-south', 'sa-east'];
const paths = ['/hello', '/api/orders', '/api/orders/4711', '/api/cart?id=9', '/healthz', '/static/app.css', '/v1/search?q=lamp'];

/** Always the same numbers between 0 and 1 for the same keys. */
function noise(...keys: readonly (string | number)[]): number {
  let hash = 2_166_136_261;
  for (const character of keys.join('/')) hash = Math.imul(hash ^ character.charCodeAt(0), 16_777_619);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 739_982_445);
  hash ^= hash >>> 12;
  return (hash >>> 0) / 4_294_967_296;
}

/** Changes slowly with time. */
function wave(key: string, atMs: number): number {
  return 1 + 0.25 * Math.sin(atMs / 47_000 + noise(key) * 6) + 0.12 * Math.sin(atMs / 9000 + noise(key, 2) * 6);
}

interface Place {
  readonly id: string;
  readonly name: string;
  readonly location: string;
}

interface Use {
  readonly source: Place;
  readonly dest: Place;
  readonly address: string;
  readonly protocol: string;
  readonly perSecond: number;
  readonly successRatio: number;
  readonly p50Ms: number;
}

export class SyntheticNetwork {
  readonly #sites: readonly Place[];
  readonly #links: readonly {
    readonly from: Place;
    readonly to: Place;
    readonly cost: number;
    readonly roundTripMs: number;
    readonly isDown: boolean;
  }[];
  readonly #uses: readonly Use[];
  #count = 0;

  constructor(siteCount: number) {
    const { sites, links } = siteCount <= 8 ? smallNetwork() : largeNetwork(siteCount);
    this.#sites = sites;
    this.#links = links;
    this.#uses = siteCount <= 8 ? smallUses(sites) : largeUses(sites);
  }

  snapshot(atMs: number): NetworkSnapshot {
    const edges = this.#uses.map((use): EdgeRow => ({
      sourceId: use.source.id,
      sourceName: use.source.name,
      destId: use.dest.id,
      destName: use.dest.name,
      address: use.address,
      protocol: use.protocol,
      secured: use.source === use.dest ? 'local' : noise(use.source.id, use.dest.id) < 0.06 ? 'partly' : 'mutual-tls',
      golden: golden(use, atMs),
    }));
    return {
      atMs,
      networkId: 'e47ab0430af829cb',
      windowMs,
      sites: this.#sites.map((site, index) => this.#siteRow(site, index, edges)),
      links: this.#linkRows(atMs),
      services: this.#services(edges),
      edges,
      warnings: this.#warnings(),
      droppedFlows: this.#sites.length > 8 ? 1834 : 0,
    };
  }

  request(atMs: number): RequestRow {
    this.#count += 1;
    const key = this.#count;
    const total = this.#uses.reduce((sum, { perSecond }) => sum + perSecond, 0);
    let left = noise('use', key) * total;
    const use = this.#uses.find(({ perSecond }) => (left -= perSecond) <= 0) ?? this.#uses[0];
    if (use === undefined) throw new Error('there is no traffic');
    const isConnection = use.protocol === 'tcp';
    const failed = noise('fail', key) > use.successRatio;
    const serverMs = use.p50Ms * (0.6 + 2.4 * noise('server', key) ** 3);
    const networkMs = use.source === use.dest ? 0.2 : 4 + 30 * noise(use.source.id, use.dest.id, 'net');
    const connectMs = noise('connect', key) > 0.9 ? 3.2 : 0.05;
    const firstByteMs = 0.12 + networkMs + connectMs + serverMs;
    return {
      id: `x7k2p:${key}`,
      kind: isConnection ? 'connection' : 'request',
      startMs: atMs - firstByteMs,
      ended: !isConnection || noise('ended', key) > 0.3,
      address: use.address,
      protocol: use.protocol,
      method: isConnection ? null : (['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'][Math.floor(noise('method', key) * 6)] ?? 'GET'),
      path: isConnection ? null : (paths[Math.floor(noise('path', key) * paths.length)] ?? '/'),
      authority: isConnection ? null : `${use.address}.internal`,
      requestId: isConnection ? null : `8c1f-${key.toString(16).padStart(6, '0')}`,
      status: isConnection ? null : failed ? 503 : noise('missing', key) > 0.97 ? 404 : 200,
      grpcStatus: null,
      error: failed ? 'no-ready-server' : null,
      sourceSite: use.source.name,
      client: `10.0.${Math.floor(noise('host', key) * 4)}.17:${40_000 + (key % 9000)}`,
      destSite: failed ? null : use.dest.name,
      connector: failed ? null : `${use.address}-server`,
      server: failed ? null : '127.0.0.1:18080',
      trace: failed
        ? [use.source.name]
        : use.source === use.dest
          ? [use.source.name]
          : [use.source.name, ...(noise(use.source.id, use.dest.id, 'via') > 0.5 ? ['azure'] : []), use.dest.name],
      tries: noise('tries', key) > 0.95 ? 2 : 1,
      bytesFromClient: Math.round(180 + 900 * noise('in', key)),
      bytesToClient: Math.round(400 + 60_000 * noise('out', key) ** 3),
      durationMs: isConnection ? 12_000 * noise('long', key) : firstByteMs + 2.5 * noise('body', key),
      firstByteMs,
      choiceMs: 0.12,
      networkMs,
      connectMs,
      serverMs,
    };
  }

  trace(request: RequestRow): RequestTrace {
    const { networkMs, choiceMs, connectMs, serverMs, firstByteMs } = request;
    const half = (networkMs ?? 0) / 2;
    const dest = request.destSite ?? request.sourceSite;
    const spans = [
      { site: request.sourceSite, what: 'choice of a server', startMs: 0, durationMs: choiceMs ?? 0, basis: 'measured' as const },
      {
        site: request.sourceSite,
        what: `link to ${request.trace[1] ?? dest}`,
        startMs: choiceMs ?? 0,
        durationMs: half * 0.6,
        basis: 'estimated' as const,
      },
      {
        site: request.trace[1] ?? dest,
        what: `link to ${dest}`,
        startMs: (choiceMs ?? 0) + half * 0.6,
        durationMs: half * 0.4,
        basis: 'estimated' as const,
      },
      {
        site: dest,
        what: 'connection to the server',
        startMs: (choiceMs ?? 0) + half,
        durationMs: connectMs ?? 0,
        basis: 'measured' as const,
      },
      {
        site: dest,
        what: 'server',
        startMs: (choiceMs ?? 0) + half + (connectMs ?? 0),
        durationMs: serverMs ?? 0,
        basis: 'measured' as const,
      },
      { site: dest, what: 'the way back', startMs: (firstByteMs ?? 0) - half, durationMs: half, basis: 'estimated' as const },
    ];
    return { request, spans: request.destSite === null ? spans.slice(0, 1) : spans };
  }

  history(
    service: string | null,
    fromMs: number,
    toMs: number,
    stepSeconds: number,
  ): { readonly points: readonly { readonly atMs: number; readonly golden: Golden }[] } {
    const uses = this.#uses.filter(({ address }) => service === null || address === service);
    const points = [];
    for (let atMs = fromMs; atMs < toMs; atMs += stepSeconds * 1000)
      points.push({ atMs, golden: merged(uses.map((use) => golden(use, atMs))) });
    return { points };
  }

  site(atMs: number): unknown {
    const self = this.#sites[0];
    const inHours = (hours: number): string => new Date(atMs + hours * 3_600_000).toISOString();
    const resource = (kind: string, name: string, spec: object, status: object): object => ({
      apiVersion: 'skupper.io/v2alpha1',
      kind,
      metadata: { name },
      spec,
      status,
    });
    return {
      status: {
        site: { name: self?.name, namespace: 'default', routerId: self?.id, openConnections: 12 },
        pid: 4711,
        version: '0.1.0',
        resources: [
          resource(
            'AccessGrant',
            'for-remote',
            { redemptionsAllowed: 1 },
            { status: 'Ready', redemptions: 1, url: 'https://203.0.113.7:55671', expirationTime: inHours(-2) },
          ),
          resource(
            'AccessGrant',
            'for-branch-offices',
            { redemptionsAllowed: 10 },
            { status: 'Ready', redemptions: 3, url: 'https://203.0.113.7:55671', expirationTime: inHours(0.2) },
          ),
          resource('AccessToken', 'azure-0xxh', { url: 'https://azure.example.com:55671' }, { status: 'Ready', redeemed: true }),
          resource(
            'AccessToken',
            'aws-91kd',
            { url: 'https://aws.example.com:55671' },
            { status: 'Error', redeemed: false, message: 'the token was used before' },
          ),
        ],
        trust: {
          state: 'member',
          networkId: 'e47ab0430af829cb',
          routerId: self?.id,
          leafExpires: inHours(19.4),
          membershipEnds: inHours(24 * 83),
          mayIssue: true,
          signs: true,
          advertise: ['*'],
          consume: ['*'],
          revoked: null,
          revokedSites: [{ routerId: 'old-laptop-1a2b', name: 'old-laptop', revokedAt: inHours(-50), reason: 'stolen', by: 'aws' }],
        },
        warnings: [],
      },
      check: {
        success: true,
        categories: [
          {
            name: 'site',
            checks: [
              { code: 'site-not-running', description: 'The site runs', result: 'ok', problems: [] },
              { code: 'disk-full', description: 'The disk takes what the site has to keep', result: 'ok', problems: [] },
            ],
          },
          {
            name: 'links',
            checks: [
              { code: 'link-down', description: 'Every link is up', result: 'ok', problems: [] },
              {
                code: 'link-unstable',
                description: 'Links stay up',
                result: 'warning',
                problems: [{ text: 'Link "aws" went down 4 times within an hour.', evidence: '4', remedy: 'van link status aws' }],
              },
            ],
          },
        ],
      },
      observer: {
        version: '0.1.0',
        startedMs: startMs,
        connected: true,
        sources: this.#sites.length,
        history: { state: 'ok', message: null, lost: 0, bytes: 48_000_000 },
      },
    };
  }

  #siteRow(site: Place, index: number, edges: readonly EdgeRow[]): SiteRow {
    const self = this.#sites[0];
    const isDirect = this.#links.some(
      ({ from, to, isDown }) => !isDown && ((from === site && to === self) || (to === site && from === self)),
    );
    const own = (side: 'sourceId' | 'destId'): Golden => merged(edges.filter((edge) => edge[side] === site.id).map(({ golden }) => golden));
    const isLimited = noise(site.id, 'policy') > 0.8;
    return {
      id: site.id,
      name: site.name,
      platform: noise(site.id, 'platform') > 0.4 ? 'linux' : 'kubernetes',
      version: noise(site.id, 'version') > 0.05 ? '0.1.0' : '0.0.9',
      location: site.location,
      namespace: 'default',
      relation: index === 0 ? 'self' : isDirect ? 'direct' : 'indirect',
      nextHop: index === 0 || isDirect ? null : (this.#sites[1]?.name ?? null),
      cost: index === 0 ? 0 : isDirect ? 1 : 2,
      trust: noise(site.id, 'trust') > 0.03 ? 'signed' : 'unsigned',
      advertise: isLimited ? ['shop.*', 'metrics'] : ['*'],
      consume: isLimited ? ['shop.*'] : ['*'],
      state: this.#sites.length > 8 && noise(site.id, 'silent') > 0.985 ? 'silent' : 'up',
      certificateEndsMs: startMs + (4 + 20 * noise(site.id, 'certificate')) * 3_600_000,
      membershipEndsMs: startMs + (3 + 80 * noise(site.id, 'membership')) * 86_400_000,
      outbound: own('sourceId'),
      inbound: own('destId'),
    };
  }

  #linkRows(atMs: number): readonly LinkRow[] {
    return this.#links.map(({ from, to, cost, roundTripMs, isDown }, index) => {
      const between = this.#uses.filter(({ source, dest }) => [source, dest].includes(from) && [source, dest].includes(to));
      const bytes = between.reduce((sum, use) => sum + use.perSecond * 2400, 900) * wave(from.id, atMs);
      return {
        id: `${from.id}:${index}`,
        name: to.name,
        from: from.id,
        to: to.id,
        fromName: from.name,
        toName: to.name,
        directionKnown: noise(from.id, to.id, 'direction') > 0.05,
        cost,
        state: isDown ? 'down' : 'up',
        roundTripMs: isDown ? null : roundTripMs * (0.95 + 0.1 * wave(to.id, atMs)),
        lossRatio: isDown ? null : noise(from.id, to.id, 'loss') > 0.96 ? 0.021 : 0,
        upSinceMs: isDown ? null : startMs + noise(from.id, to.id, 'up') * 3_600_000,
        downCount: isDown ? 4 : noise(from.id, to.id, 'downs') > 0.8 ? 1 : 0,
        bytesPerSecond: isDown ? 0 : bytes,
        bytesReversePerSecond: isDown ? 0 : bytes * (0.3 + 6 * noise(from.id, to.id, 'reverse')),
      };
    });
  }

  #services(edges: readonly EdgeRow[]): readonly ServiceRow[] {
    const addresses = [...new Set(edges.map(({ address }) => address))];
    const rows = addresses.map((address): ServiceRow => {
      const own = edges.filter((edge) => edge.address === address);
      const total = merged(own.map(({ golden }) => golden));
      const servers = [...new Map(own.map(({ destId, destName }) => [destId, destName]))];
      const clients = [...new Map(own.map(({ sourceId, sourceName }) => [sourceId, sourceName]))];
      return {
        address,
        protocols: [...new Set(own.map(({ protocol }) => protocol))],
        distribution: 'balanced',
        golden: total,
        listeners: clients.map(([siteId, siteName], index) => ({
          siteId,
          siteName,
          name: `${address}-port`,
          host: '127.0.0.1',
          port: String(8080 + index),
          golden: merged(own.filter(({ sourceId }) => sourceId === siteId).map(({ golden }) => golden)),
        })),
        servers: servers.map(([siteId, siteName]) => {
          const part = merged(own.filter(({ destId }) => destId === siteId).map(({ golden }) => golden));
          return {
            siteId,
            siteName,
            connector: `${address}-server`,
            host: '127.0.0.1',
            port: '18080',
            share: total.perSecond === 0 ? null : part.perSecond / total.perSecond,
            golden: part,
          };
        }),
      };
    });
    return [
      ...rows,
      { address: 'invoices', protocols: ['http'], distribution: 'balanced', golden: merged([]), listeners: [], servers: [] },
    ];
  }

  #warnings(): NetworkSnapshot['warnings'] {
    const site = this.#sites[1]?.name ?? '';
    const down = this.#links.filter(({ isDown }) => isDown);
    return [
      ...down.map(({ from, to }) => ({
        code: 'link-down',
        severity: 'error' as const,
        title: 'A link is down',
        text: `The link from ${from.name} to ${to.name} has been down for 12 min: connection refused.`,
        remedy: `van check -n ${from.name}`,
        siteName: from.name,
      })),
      {
        code: 'address-without-connector',
        severity: 'warning' as const,
        title: 'A service has no server',
        text: 'Routing key "invoices" has listeners and no connector anywhere in the network.',
        remedy: 'van connector create invoices 8080',
        siteName: site,
      },
    ];
  }
}

function golden(use: Use, atMs: number): Golden {
  const perSecond = use.perSecond * wave(`${use.source.id}${use.dest.id}${use.address}`, atMs);
  const slow = wave(`${use.address}/latency`, atMs);
  return {
    successRatio: use.protocol === 'tcp' ? null : Math.min(1, use.successRatio),
    perSecond,
    p50Ms: use.p50Ms * slow,
    p95Ms: use.p50Ms * 2.6 * slow,
    p99Ms: use.p50Ms * 4.9 * slow,
    open: Math.round((perSecond * use.p50Ms) / 1000) + (use.protocol === 'tcp' ? 6 : 0),
    bytesFromClientPerSecond: perSecond * 420,
    bytesToClientPerSecond: perSecond * 9200,
    retriesPerSecond: perSecond * (1 - use.successRatio) * 2,
  };
}

function merged(parts: readonly Golden[]): Golden {
  const sum = (value: (part: Golden) => number): number => parts.reduce((total, part) => total + value(part), 0);
  const perSecond = sum((part) => part.perSecond);
  const weighted = (value: (part: Golden) => number | null): number | null => {
    const known = parts.filter((part) => value(part) !== null);
    const weight = known.reduce((total, part) => total + part.perSecond, 0);
    return weight === 0 ? null : known.reduce((total, part) => total + (value(part) ?? 0) * part.perSecond, 0) / weight;
  };
  return {
    successRatio: weighted((part) => part.successRatio),
    perSecond,
    p50Ms: weighted((part) => part.p50Ms),
    p95Ms: weighted((part) => part.p95Ms),
    p99Ms: weighted((part) => part.p99Ms),
    open: sum((part) => part.open),
    bytesFromClientPerSecond: sum((part) => part.bytesFromClientPerSecond),
    bytesToClientPerSecond: sum((part) => part.bytesToClientPerSecond),
    retriesPerSecond: sum((part) => part.retriesPerSecond),
  };
}

function place(name: string, location: string): Place {
  return { id: `${name}-${Math.floor(noise(name) * 1e9).toString(36)}`, name, location };
}

type Links = readonly {
  readonly from: Place;
  readonly to: Place;
  readonly cost: number;
  readonly roundTripMs: number;
  readonly isDown: boolean;
}[];

function smallNetwork(): { readonly sites: readonly Place[]; readonly links: Links } {
  const [laptop, azure, remote, aws] = [
    place('laptop', 'Zürich'),
    place('azure', 'westeurope'),
    place('remote', 'Oslo'),
    place('aws', 'eu-central-1'),
  ];
  const link = (from: Place, to: Place, cost: number, roundTripMs: number): Links[number] => ({
    from,
    to,
    cost,
    roundTripMs,
    isDown: false,
  });
  return {
    sites: [laptop, azure, remote, aws],
    links: [
      link(laptop, azure, 1, 11.4),
      link(remote, azure, 1, 18.2),
      link(laptop, aws, 7, 24.8),
      link(remote, aws, 7, 31.5),
      link(azure, aws, 7, 9.1),
    ],
  };
}

function smallUses([laptop, azure, remote, aws]: readonly Place[]): readonly Use[] {
  if (laptop === undefined || azure === undefined || remote === undefined || aws === undefined) return [];
  const use = (
    source: Place,
    dest: Place,
    address: string,
    protocol: string,
    perSecond: number,
    successRatio: number,
    p50Ms: number,
  ): Use => ({ source, dest, address, protocol, perSecond, successRatio, p50Ms });
  return [
    use(remote, laptop, 'greeting', 'http', 64, 0.9996, 38),
    use(remote, aws, 'greeting', 'http', 31, 1, 41),
    use(azure, laptop, 'greeting', 'http', 8.4, 0.9988, 29),
    use(azure, azure, 'orders', 'http2', 12.2, 0.967, 84),
    use(laptop, azure, 'orders', 'http2', 3.1, 0.91, 120),
    use(remote, aws, 'postgres', 'tcp', 0.42, 1, 2.4),
    use(azure, aws, 'postgres', 'tcp', 1.3, 1, 1.9),
  ];
}

/** Regions with a few hubs that are linked to each other, and branches that dial the hubs of their region. */
function largeNetwork(count: number): { readonly sites: readonly Place[]; readonly links: Links } {
  const sites: Place[] = [];
  const links: { from: Place; to: Place; cost: number; roundTripMs: number; isDown: boolean }[] = [];
  const hubs: Place[][] = regions.map((region) => [1, 2].map((number) => place(`${region}-hub-${number}`, region)));
  for (const pair of hubs) sites.push(...pair);
  const link = (from: Place, to: Place, cost: number): void => {
    const roundTripMs = (from.location === to.location ? 4 : 60) * (0.6 + noise(from.id, to.id));
    links.push({ from, to, cost, roundTripMs, isDown: noise(from.id, to.id, 'down') > 0.985 });
  };
  for (const [index, [first, second]] of hubs.entries()) {
    const next = hubs[(index + 1) % hubs.length];
    if (first === undefined || second === undefined || next === undefined) continue;
    link(first, second, 1);
    if (next[0] !== undefined) link(first, next[0], 5);
    if (next[1] !== undefined && index % 2 === 0) link(second, next[1], 5);
  }
  for (let number = sites.length; number < count; number += 1) {
    const region = Math.floor(noise('region', number) * regions.length);
    const branch = place(`branch-${regions[region] ?? ''}-${String(number).padStart(3, '0')}`, regions[region] ?? '');
    sites.push(branch);
    const [first, second] = hubs[region] ?? [];
    if (first !== undefined) link(branch, first, 1);
    if (second !== undefined && noise('double', number) > 0.6) link(branch, second, 3);
  }
  return { sites, links };
}

function largeUses(sites: readonly Place[]): readonly Use[] {
  const services = [
    'shop.cart',
    'shop.orders',
    'shop.search',
    'metrics',
    'auth',
    'printing',
    'postgres',
    'inventory',
    'pricing',
    'a-service-with-a-very-long-name-that-somebody-thought-was-a-good-idea-for-everyone',
  ];
  return sites.flatMap((source, index) =>
    services.flatMap((address, service): Use[] => {
      if (noise(source.id, address) > 0.22) return [];
      const servers = sites.slice(0, 12).filter((site) => noise(site.id, address, 'server') > 0.6);
      const dest = servers[Math.floor(noise(source.id, address, 'dest') * servers.length)];
      if (dest === undefined) return [];
      const protocol = address === 'postgres' ? 'tcp' : service % 3 === 0 ? 'http2' : 'http';
      return [
        {
          source,
          dest,
          address,
          protocol,
          perSecond: 0.2 + 20 * noise(index, address, 'rate') ** 4,
          successRatio: 1 - 0.08 * noise(source.id, address, 'success') ** 8,
          p50Ms: 3 + 120 * noise(address, 'p50') ** 2,
        },
      ];
    }),
  );
}
