import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FlowSource } from './flow-source.ts';
import type { TrafficOutcome } from './metering.ts';
import { NetworkModel, type TrafficDelta } from './network-model.ts';
import { ObservedNetwork } from './observed-network.ts';
import type { AttributeValue, RecordUpdate } from './record.ts';
import { Attribute, RecordType } from './record-types.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { TopologyReport } from './topology-report.ts';

const startMs = 1_800_000_000_000;

function record(type: RecordType, identity: string, attributes: Partial<Record<keyof typeof Attribute, AttributeValue>>): RecordUpdate {
  const given = Object.entries(attributes).map(([name, value]): [number, AttributeValue] => [
    Attribute[name as keyof typeof Attribute],
    value,
  ]);
  return new Map<number, AttributeValue>([[Attribute.recordType, type], [Attribute.identity, identity], ...given]);
}

function rounded(rate: number | undefined): number {
  return Math.round((rate ?? -1) * 1e6) / 1e6;
}

/** Two sites with a link: `west` has a listener, `east` a connector. */
function twoSites(options: { readonly onTraffic?: (delta: TrafficDelta) => void } = {}): NetworkModel {
  const model = new NetworkModel({ nowMs: startMs, ownRouterId: 'west-id', ...options });
  for (const [source, name] of [
    ['wwwww', 'west'],
    ['eeeee', 'east'],
  ] as const) {
    model.source(`${source}:0`, 'up', startMs, 0);
    model.record(`${source}:0`, record(RecordType.site, `${name}-id`, { name, platform: 'linux' }), startMs);
    model.record(
      `${source}:0`,
      record(RecordType.router, `${source}:0`, { name: `0/${name}-id`, parent: `${name}-id`, certificateEnds: 5_000 }),
      startMs,
    );
  }
  const listener = { name: 'shop', vanAddress: 'shop', protocol: 'http', destHost: '127.0.0.1', destPort: '8080' };
  model.record('wwwww:0', record(RecordType.listener, 'wwwww:1', listener), startMs);
  const connector = {
    name: 'shop-server',
    vanAddress: 'shop',
    protocol: 'http',
    destHost: '10.0.0.1',
    destPort: '9090',
    destServer: 'srv',
  };
  model.record('eeeee:0', record(RecordType.connector, 'eeeee:1', connector), startMs);
  const access = { name: 'access', role: 'inter-router' };
  model.record('wwwww:0', record(RecordType.routerAccess, 'wwwww:2', access), startMs);
  const link = {
    name: 'to-west',
    role: 'inter-router',
    linkCost: 3,
    operStatus: 'up',
    protocol: 'amqps',
    peer: 'wwwww:2',
    roundTripMicroseconds: 8000,
  };
  model.record('eeeee:0', record(RecordType.link, 'eeeee:2', { ...link, octets: 0, octetsReverse: 0 }), startMs);
  return model;
}

/** Sums as the router of the listener tells them. */
function sums(count: number, attributes: Partial<Record<keyof typeof Attribute, AttributeValue>> = {}): RecordUpdate {
  return record(RecordType.traffic, 'wwwww:3', {
    parent: 'wwwww:1',
    startTime: startMs * 1000,
    vanAddress: 'shop',
    protocol: 'http',
    destRouter: 'east-id',
    destServer: 'srv',
    count,
    successCount: count,
    failureCount: 0,
    open: 0,
    ...attributes,
  });
}

test('sums that only grow give success, rate and latency of the window, by service, site, server and edge', () => {
  const model = twoSites();
  const latencies = new LatencyHistogram();
  for (let index = 0; index < 100; index++) latencies.record(index < 95 ? 10_000 : 200_000);
  const told = {
    count: 100,
    successCount: 90,
    failureCount: 10,
    latencyCounts: latencies.toText(),
    octets: 5000,
    octetsReverse: 70_000,
    open: 2,
  };
  model.record('wwwww:0', sums(0, told), startMs + 1000);
  const snapshot = model.snapshot(60_000, startMs + 10_000);
  const [service] = snapshot.services;
  assert.equal(service?.address, 'shop');
  assert.deepEqual(service.protocols, ['http']);
  const { golden } = service;
  assert.equal(golden.successRatio, 0.9);
  assert.equal(golden.perSecond, 10);
  assert.equal(golden.open, 2);
  assert.equal(golden.bytesToClientPerSecond, 7000);
  assert.ok(Math.abs((golden.p50Ms ?? 0) - 10) < 1, String(golden.p50Ms));
  assert.ok(Math.abs((golden.p99Ms ?? 0) - 200) < 20, String(golden.p99Ms));
  const [server] = service.servers;
  assert.deepEqual(
    [server?.siteName, server?.connector, server?.host, server?.port, server?.share],
    ['east', 'shop-server', '10.0.0.1', '9090', 1],
  );
  assert.deepEqual(server?.golden, golden);
  assert.deepEqual(
    service.listeners.map(({ siteName, name, port }) => [siteName, name, port]),
    [['west', 'shop', '8080']],
  );
  assert.deepEqual(service.listeners[0]?.golden, golden);
  const [east, west] = snapshot.sites;
  assert.deepEqual([east?.name, east?.inbound.perSecond, east?.outbound.perSecond, east?.relation], ['east', 10, 0, 'direct']);
  assert.deepEqual([west?.name, west?.outbound.perSecond, west?.relation, west?.certificateEndsMs], ['west', 10, 'self', 5]);
  const [edge] = snapshot.edges;
  assert.deepEqual([edge?.sourceName, edge?.destName, edge?.secured, edge?.golden.perSecond], ['west', 'east', 'mutual-tls', 10]);
  assert.deepEqual(
    snapshot.links.map(({ fromName, toName, roundTripMs, cost, state }) => [fromName, toName, roundTripMs, cost, state]),
    [['east', 'west', 8, 3, 'up']],
  );
});

test('only what came in the window counts, and sums that begin anew count as new', () => {
  const model = twoSites();
  model.record('wwwww:0', sums(50), startMs + 1000);
  model.record('wwwww:0', sums(80), startMs + 31_000);
  const perService = (windowMs: number, nowMs: number): number =>
    rounded(model.stat({ kind: 'service', windowMs }, nowMs).rows[0]?.golden.perSecond);
  assert.equal(perService(60_000, startMs + 40_000), 2);
  assert.equal(perService(20_000, startMs + 40_000), 1.5);
  assert.equal(perService(20_000, startMs + 80_000), 0);
  // The router forgot its sums: nobody had listened.
  model.record('wwwww:0', sums(7, { startTime: (startMs + 90_000) * 1000 }), startMs + 91_000);
  assert.equal(perService(10_000, startMs + 96_000), 0.7);
  assert.equal(perService(600_000, startMs + 100_000), 0.87);
});

test('sums from before anybody looked here are no traffic of now', () => {
  const model = twoSites();
  model.record('wwwww:0', sums(1000, { startTime: (startMs - 60_000) * 1000 }), startMs + 1000);
  model.record('wwwww:0', sums(1010, { startTime: (startMs - 60_000) * 1000 }), startMs + 2000);
  assert.equal(model.stat({ kind: 'service', windowMs: 10_000 }, startMs + 10_000).rows[0]?.golden.perSecond, 1);
});

test('another source cannot change sums, records or requests', () => {
  const model = twoSites();
  model.record('wwwww:0', sums(10), startMs + 1000);
  model.source('mmmmm:0', 'up', startMs, 0);
  model.record('mmmmm:0', sums(99_999), startMs + 1000);
  model.record('mmmmm:0', record(RecordType.connector, 'eeeee:1', { name: 'forged', vanAddress: 'shop' }), startMs + 1000);
  const row = model.stat({ kind: 'server', windowMs: 10_000 }, startMs + 10_000).rows[0];
  assert.deepEqual([row?.name, row?.of, row?.golden.perSecond], ['east/shop-server', 'shop', 1]);
});

test('stat goes by the sites of clients and servers', () => {
  const model = twoSites();
  model.record('wwwww:0', sums(10), startMs + 1000);
  const names = (query: { from?: string; to?: string }): (readonly [string, number])[] =>
    model
      .stat({ kind: 'site', windowMs: 10_000, ...query }, startMs + 10_000)
      .rows.map(({ name, golden }) => [name, golden.perSecond] as const);
  assert.deepEqual(names({}), [
    ['east', 1],
    ['west', 0],
  ]);
  assert.deepEqual(names({ to: 'east' }), [
    ['east', 0],
    ['west', 1],
  ]);
  assert.deepEqual(names({ from: 'west-id' }), [
    ['east', 1],
    ['west', 0],
  ]);
  assert.deepEqual(names({ from: 'east' }), [
    ['east', 0],
    ['west', 0],
  ]);
});

test('a site that is gone takes its records with it; one that routing knows stays, silent', () => {
  const model = twoSites();
  const facts = {
    namespace: null,
    platform: null,
    version: null,
    location: null,
    nextHop: null,
    trust: 'signed',
    advertise: ['*'],
    consume: ['*'],
  };
  const report: TopologyReport = {
    networkId: 'net',
    routerId: 'west-id',
    sites: [
      { ...facts, routerId: 'west-id', name: 'west', relation: 'self', cost: 0 },
      { ...facts, routerId: 'east-id', name: 'east', relation: 'direct', cost: 3 },
    ],
    links: [
      { from: { routerId: 'west-id', name: 'west' }, to: { routerId: 'east-id', name: 'east' }, cost: 3, direction: 'in', owner: 'access' },
    ],
    services: [
      { routingKey: 'shop', distribution: 'balanced', types: ['http'], connectors: [{ routerId: 'east-id', name: 'east' }], listeners: [] },
    ],
    warnings: [{ warning: { code: 'x', severity: 'info', title: 'title', text: 'text', remedy: '' } }],
  };
  model.topology(report);
  model.source('eeeee:0', 'silent', startMs + 10_000);
  model.source('eeeee:0', 'gone', startMs + 60_000);
  const { sites, links, services, warnings } = model.snapshot(60_000, startMs + 61_000);
  assert.deepEqual(
    sites.map(({ name, state }) => [name, state]),
    [
      ['east', 'silent'],
      ['west', 'up'],
    ],
  );
  assert.deepEqual(
    links.map(({ fromName, toName, state, directionKnown }) => [fromName, toName, state, directionKnown]),
    [['east', 'west', 'up', true]],
  );
  assert.deepEqual(
    services[0]?.servers.map(({ siteName, connector }) => [siteName, connector]),
    [['east', '']],
  );
  assert.deepEqual(
    warnings.map(({ code, severity, remedy, siteName }) => [code, severity, remedy, siteName]),
    [['x', 'warning', null, 'west']],
  );
});

test('the waterfall of a request adds up to its duration, without comparing clocks', () => {
  const model = twoSites();
  // The clock of the listener's router is minutes away from ours.
  const start = (startMs - 300_000) * 1000;
  const request = record(RecordType.applicationFlow, 'wwwww:9', {
    parent: 'wwwww:1',
    startTime: start,
    endTime: start + 50_000,
    method: 'GET',
    path: '/cart',
    result: '200',
    sourceHost: '127.0.0.1',
    sourcePort: '50000',
    firstByteMicroseconds: 40_000,
    choiceMicroseconds: 1000,
    serverFirstByteMicroseconds: 29_000,
    connectMicroseconds: 4000,
    destRouter: 'east-id',
    destServer: 'srv',
    trace: '0/west-id|0/east-id',
  });
  model.record('wwwww:0', request, startMs);
  const trace = model.trace('wwwww:9');
  assert.ok(trace !== undefined);
  const { networkMs, durationMs, destSite, server, connector, trace: sites } = trace.request;
  assert.deepEqual(
    [networkMs, durationMs, destSite, server, connector, sites],
    [10, 50, 'east', '10.0.0.1:9090', 'shop-server', ['west', 'east']],
  );
  assert.deepEqual(
    trace.spans.map(({ site, what, startMs: at, durationMs: length, basis }) => [site, what, at, length, basis]),
    [
      ['west', 'choice of a server', 0, 1, 'measured'],
      ['west', 'link west → east', 1, 5, 'estimated'],
      ['east', 'connection to the server', 6, 4, 'measured'],
      ['east', 'server', 10, 25, 'measured'],
      ['east', 'link east → west', 35, 5, 'estimated'],
      ['west', 'rest of the answer', 40, 10, 'measured'],
    ],
  );
  assert.equal(model.requests({ service: 'shop', method: 'get', path: '/c', status: '2xx', from: 'west', to: 'east' }, 10).length, 1);
  assert.equal(model.requests({ status: '404' }, 10).length, 0);
});

test('connections of a router that tells no sums are counted one by one', () => {
  const model = new NetworkModel({ nowMs: startMs });
  model.source('sssss:0', 'up', startMs, 0);
  model.record('sssss:0', record(RecordType.router, 'sssss:0', { name: '0/skupper', parent: 'site' }), startMs);
  model.record('sssss:0', record(RecordType.listener, 'sssss:1', { name: 'db', vanAddress: 'db', protocol: 'tcp' }), startMs);
  model.record('sssss:0', record(RecordType.connector, 'sssss:2', { name: 'db', vanAddress: 'db', protocol: 'tcp' }), startMs);
  const flow = (end: Partial<Record<keyof typeof Attribute, AttributeValue>>): RecordUpdate =>
    record(RecordType.transportFlow, 'sssss:3', {
      parent: 'sssss:1',
      connector: 'sssss:2',
      startTime: (startMs + 500) * 1000,
      latency: 3000,
      ...end,
    });
  model.record('sssss:0', flow({ octets: 10, octetsReverse: 100 }), startMs + 1000);
  model.record('sssss:0', flow({ octets: 30, octetsReverse: 300 }), startMs + 2000);
  const open = model.stat({ kind: 'server', windowMs: 10_000 }, startMs + 5000).rows[0]?.golden;
  assert.deepEqual([open?.perSecond, open?.open, open?.bytesFromClientPerSecond], [0.2, 1, 6]);
  model.record('sssss:0', flow({ octets: 30, octetsReverse: 300, endTime: (startMs + 9000) * 1000 }), startMs + 9000);
  model.record('sssss:0', flow({ octets: 30, octetsReverse: 300, endTime: (startMs + 9000) * 1000 }), startMs + 9500);
  const ended = model.stat({ kind: 'service', windowMs: 10_000 }, startMs + 10_000).rows[0]?.golden;
  assert.deepEqual([ended?.perSecond, ended?.open, ended?.successRatio], [0.1, 0, 1]);
});

test('a flood keeps to its limits, and what is not shown is said', () => {
  const model = twoSites();
  for (let index = 0; index < 9000; index++) {
    model.record(
      'wwwww:0',
      record(RecordType.traffic, `wwwww:t${index}`, { parent: 'wwwww:1', startTime: startMs * 1000, vanAddress: `a${index}`, count: 1 }),
      startMs + 1000,
    );
  }
  for (let index = 0; index < 12_000; index++) {
    const path = 'x'.repeat(5000);
    model.record(
      'wwwww:0',
      record(RecordType.applicationFlow, `wwwww:r${index}`, { startTime: startMs * 1000 + index, endTime: startMs * 1000 + index, path }),
      startMs + 1000,
    );
  }
  model.record('wwwww:0', record(RecordType.loss, 'wwwww:l', { droppedFlows: 77 }), startMs + 1000);
  const { warnings, droppedFlows } = model.snapshot(60_000, startMs + 5000);
  assert.equal([...model.series()].length, 8192);
  assert.equal([...model.records(RecordType.applicationFlow)].length, 10_000);
  assert.equal(model.requests({}, 1)[0]?.path?.length, 1024);
  assert.deepEqual([warnings[0]?.code, droppedFlows, model.droppedFlows], ['observer-limit', 77, 77]);
  assert.equal(model.snapshot(2000, startMs + 10_000).droppedFlows, 0);
});

test('what two routers tell comes out as one request with its sums', () => {
  const deltas: TrafficDelta[] = [];
  const phases: string[] = [];
  const observed = new ObservedNetwork({
    nowMs: startMs,
    onTraffic: (delta) => deltas.push(delta),
    onRequest: (id, phase) => phases.push(`${id} ${phase}`),
  });
  const make = (sourceId: string): FlowSource => {
    let number = 0;
    return new FlowSource({ sourceId, nextIdentity: () => `${sourceId}:${++number}` });
  };
  const west = make('wwwww');
  const east = make('eeeee');
  const sources = [west, east];
  let nowMs = 0;
  const wall = (): number => (startMs + nowMs) * 1000;
  const interest = { all: true, records: true, flows: true, logs: true, caravan: true };
  const run = (untilMs: number): void => {
    for (; nowMs < untilMs; nowMs += 100) {
      for (const source of sources) {
        source.handleTimeout(nowMs, wall());
        for (let message = source.nextMessage(); message !== undefined; message = source.nextMessage()) {
          const { to, octets } = message;
          if (to === west.addresses.supplements) west.receive(octets, nowMs);
          else observed.receive({ to, payload: octets }, nowMs, startMs + nowMs);
        }
      }
      observed.handleTimeout(nowMs, startMs + nowMs);
    }
  };
  for (const [source, name] of [
    [west, 'west'],
    [east, 'east'],
  ] as const) {
    source.start(nowMs);
    source.begin(RecordType.site, [[Attribute.name, name]], wall(), `${name}-id`);
    const router: [number, string][] = [
      [Attribute.name, `0/${name}-id`],
      [Attribute.parent, `${name}-id`],
    ];
    source.begin(RecordType.router, router, wall(), source.addresses.id);
    source.setInterest(interest, nowMs, wall());
  }
  const listener = west.begin(
    RecordType.listener,
    [
      [Attribute.name, 'shop'],
      [Attribute.vanAddress, 'shop'],
      [Attribute.protocol, 'http'],
    ],
    wall(),
  );
  const connector = east.begin(
    RecordType.connector,
    [
      [Attribute.name, 'server'],
      [Attribute.vanAddress, 'shop'],
      [Attribute.destServer, 'srv'],
    ],
    wall(),
  );
  run(3000);
  const meter = west.meterFor(listener.identity, 'http', 'requests');
  const series = meter.series({ address: 'shop', routerId: 'east-id', server: 'srv' });
  const outcome: TrafficOutcome = {
    success: true,
    status: 200,
    method: 'GET',
    firstByteMicroseconds: 20_000,
    fromClient: 10,
    toClient: 100,
  };
  for (let index = 0; index < 5; index++) {
    series.opened();
    series.ended({ ...outcome, success: index > 0, status: index > 0 ? 200 : 500 });
  }
  const detail = meter.begin({ kind: 'request', startWallMicroseconds: wall() });
  assert.ok(detail !== undefined);
  detail.set(Attribute.method, 'GET');
  detail.set(Attribute.path, '/cart');
  detail.set(Attribute.result, '200');
  detail.set(Attribute.firstByteMicroseconds, 20_000);
  detail.set(Attribute.choiceMicroseconds, 500);
  detail.end(wall() + 25_000);
  assert.ok(east.supplement.wants(detail.identity));
  const added: [number, number | string][] = [
    [Attribute.connector, connector.identity],
    [Attribute.destRouter, 'east-id'],
    [Attribute.serverFirstByteMicroseconds, 15_000],
    [Attribute.trace, '0/west-id'],
    [Attribute.endTime, wall() + 25_000],
  ];
  east.supplement.add(detail.identity, new Map(added));
  run(9000);
  const { model } = observed;
  const rows = model.requests({}, 10);
  assert.equal(rows.length, 1);
  assert.deepEqual([rows[0]?.sourceSite, rows[0]?.destSite, rows[0]?.connector, rows[0]?.status], ['west', 'east', 'server', 200]);
  assert.deepEqual([rows[0]?.networkMs, rows[0]?.durationMs, rows[0]?.address], [4.5, 25, 'shop']);
  assert.deepEqual(rows[0]?.trace, ['west', 'east']);
  assert.deepEqual(phases, [`${detail.identity} ended`]);
  const report = model.stat({ kind: 'server', windowMs: 8000 }, startMs + nowMs);
  assert.deepEqual(
    report.rows.map(({ name, golden }) => [name, golden.successRatio, Math.round(golden.perSecond * (report.coveredMs / 1000))]),
    [['east/server', 0.8, 5]],
  );
  const statuses = new Map<string, number>();
  for (const delta of deltas) for (const [status, count] of delta.statuses) statuses.set(status, (statuses.get(status) ?? 0) + count);
  assert.deepEqual([...statuses].sort(), [
    ['200', 4],
    ['500', 1],
  ]);
  assert.equal(deltas.at(-1)?.labels.destSite, 'east');
});

test('whatever records say, the model stays whole and plain', () => {
  const types = Object.values(RecordType);
  const attributes = Object.values(Attribute).filter((attribute) => attribute > 1);
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('wwwww:0', 'wwwww:1', 'up', '0/a|b', '1=2 x=y =3 9999=1 5=-1', '0/', 'Local', '200'),
  );
  const numbers = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 53 - 1, startMs * 1000));
  const update = fc.record({
    source: fc.constantFrom('wwwww:0', 'eeeee:0'),
    type: fc.constantFrom(...types),
    identity: fc.constantFrom('wwwww:0', 'wwwww:1', 'wwwww:2', 'eeeee:0', 'eeeee:1', ''),
    told: fc.array(fc.tuple(fc.constantFrom(...attributes), fc.oneof(texts, numbers)), { maxLength: 12 }),
    state: fc.option(fc.constantFrom('up' as const, 'silent' as const, 'gone' as const), { nil: undefined, freq: 10 }),
  });
  fc.assert(
    fc.property(fc.array(update, { maxLength: 40 }), (updates) => {
      const model = new NetworkModel({ nowMs: startMs, ownRouterId: 'a', onTraffic: () => {}, onRequest: (id) => void model.request(id) });
      let nowMs = startMs;
      for (const { source, type, identity, told, state } of updates) {
        nowMs += 500;
        if (state !== undefined) model.source(source, state, nowMs, 3);
        model.record(
          source,
          new Map<number, AttributeValue>([[Attribute.recordType, type], [Attribute.identity, identity], ...told]),
          nowMs,
        );
      }
      const snapshot = model.snapshot(10_000, nowMs);
      assert.ok(JSON.stringify(snapshot).length > 0);
      for (const { golden } of snapshot.services) {
        assert.ok(golden.open >= 0 && golden.perSecond >= 0 && golden.bytesFromClientPerSecond >= 0, JSON.stringify(golden));
        assert.ok(golden.successRatio === null || (golden.successRatio >= 0 && golden.successRatio <= 1), JSON.stringify(golden));
      }
      for (const kind of ['service', 'site', 'server'] as const) model.stat({ kind, windowMs: 10_000 }, nowMs);
      for (const { id } of model.requests({}, 100)) {
        for (const { durationMs, startMs: at } of model.trace(id)?.spans ?? []) assert.ok(durationMs >= 0 && at >= 0);
      }
    }),
    { numRuns: 100 },
  );
});

test('a router that is started again has each listener, server and link once, and what it had before is over', () => {
  const model = twoSites();
  model.record('wwwww:0', sums(0), startMs);
  model.record('wwwww:0', sums(60), startMs + 10_000);
  const flow = { parent: 'wwwww:1', startTime: startMs * 1000 };
  model.record('wwwww:0', record(RecordType.transportFlow, 'wwwww:9', flow), startMs + 10_000);
  const later = (startMs + 20_000) * 1000;
  // East first, which has the server: sums that are told go to the server as it is now.
  for (const [source, name] of [
    ['fffff', 'east'],
    ['xxxxx', 'west'],
  ] as const) {
    model.source(`${source}:0`, 'up', startMs + 20_000, 0);
    model.record(`${source}:0`, record(RecordType.site, `${name}-id`, { name: `new ${name}`, startTime: later }), startMs + 20_000);
    const router = { name: `0/${name}-id`, parent: `${name}-id`, startTime: later };
    model.record(`${source}:0`, record(RecordType.router, `${source}:0`, router), startMs + 20_000);
  }
  const server = { name: 'shop-server', vanAddress: 'shop', protocol: 'http', destHost: '10.0.0.1', destPort: '9090', destServer: 'other' };
  model.record('fffff:0', record(RecordType.connector, 'fffff:1', server), startMs + 20_000);
  const listener = { name: 'shop', vanAddress: 'shop', protocol: 'http', destHost: '127.0.0.1', destPort: '8081' };
  model.record('xxxxx:0', record(RecordType.listener, 'xxxxx:1', listener), startMs + 20_000);
  const check = (nowMs: number): void => {
    const { services, sites, edges } = model.snapshot(60_000, nowMs);
    const [shop] = services;
    assert.deepEqual(
      shop?.listeners.map(({ siteName, name, port, golden }) => [siteName, name, port, golden.perSecond > 0]),
      [['new west', 'shop', '8081', true]],
    );
    assert.deepEqual(
      shop?.servers.map(({ siteName, connector, share }) => [siteName, connector, share]),
      [['new east', 'shop-server', 1]],
    );
    assert.deepEqual(
      sites.map(({ name }) => name),
      ['new east', 'new west'],
    );
    assert.deepEqual(
      edges.map(({ sourceName, destName }) => [sourceName, destName]),
      [['new west', 'new east']],
    );
    assert.deepEqual(
      [...model.records(RecordType.connector)].map(({ attributes }) => attributes.get(Attribute.identity)),
      ['fffff:1'],
    );
    assert.deepEqual([...model.records(RecordType.link)], []);
  };
  check(startMs + 50_000);
  assert.equal(model.request('wwwww:9')?.ended, true);
  // What comes late of the life before changes nothing.
  model.record('eeeee:0', record(RecordType.router, 'eeeee:0', { name: '0/east-id', parent: 'east-id', startTime: 1 }), startMs + 50_000);
  check(startMs + 50_000);
  for (const source of ['wwwww:0', 'eeeee:0']) model.source(source, 'gone', startMs + 55_000);
  check(startMs + 55_000);
});
