import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../src/base/log.ts';
import { Attribute, RecordType } from '../../src/flows/record-types.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { Router } from '../../src/router/router.ts';
import { FlowWatch } from './flow-watch.ts';
import { until } from './until.ts';

const everything = { detail: true, logs: true };

async function started(id: string, detailRate: number, entities: readonly unknown[]): Promise<Router> {
  const configuration = parseRouterConfiguration(JSON.stringify([['router', { id, mode: 'interior' }], ...entities]), 'test');
  const flowSettings = () => ({ detailRate, certificateEndsMs: 1_900_000_000_000, membershipEndsMs: undefined });
  const router = new Router(configuration, {
    clock: processClock,
    random: processRandom(),
    log: silentLogger,
    version: '0',
    flowSettings,
    site: new Map([['name', `site of ${id}`]]),
  });
  await router.start();
  return router;
}

interface Pair extends AsyncDisposable {
  /** Clients are at `near`, servers at `far`, which has dialled. */
  readonly near: Router;
  readonly far: Router;
  readonly tcpPort: number;
  readonly httpPort: number;
}

/** Two routers with a TCP and an HTTP service from one to the other. */
async function pair({ detailRate = 250 } = {}): Promise<Pair> {
  await using owned = new AsyncDisposableStack();
  const echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  owned.defer(() => void echo.close());
  const web = createHttpServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  owned.defer(() => {
    web.close();
    web.closeAllConnections();
  });
  await Promise.all([once(echo, 'listening'), once(web, 'listening')]);
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  const host = '127.0.0.1';
  const near = owned.use(
    await started('near', detailRate, [
      ['listener', { name: 'links', role: 'inter-router', host, port: 0 }],
      ['tcpListener', { name: 'echo', address: 'echo', host, port: 0 }],
      ['httpListener', { name: 'web', address: 'web', host, port: 0 }],
    ]),
  );
  const linkPort = near.listener('links')?.state.boundPort ?? 0;
  const far = owned.use(
    await started('far', detailRate, [
      ['connector', { name: 'to-near', role: 'inter-router', host, port: linkPort }],
      ['tcpConnector', { name: 'echo', address: 'echo', host, port: portOf(echo) }],
      ['httpConnector', { name: 'web', address: 'web', host, port: portOf(web) }],
    ]),
  );
  const portOfListener = (type: 'tcpListener' | 'httpListener', name: string): number =>
    near.services.port(type, name)?.state.boundPort ?? 0;
  await until('the ports are open', () => portOfListener('tcpListener', 'echo') > 0 && portOfListener('httpListener', 'web') > 0);
  const resources = owned.move();
  return {
    near,
    far,
    tcpPort: portOfListener('tcpListener', 'echo'),
    httpPort: portOfListener('httpListener', 'web'),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function echoOnce(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('hello');
  await once(socket, 'data');
  socket.end();
  await once(socket, 'close');
}

function get(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ host: '127.0.0.1', port, path, headers: { 'user-agent': 'test', traceparent: '00-1-2-01' } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    call.on('error', reject);
    call.end();
  });
}

async function getHttp2(port: number, path: string): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': path });
  stream.resume();
  stream.end();
  await once(stream, 'end');
  session.close();
}

test('records of connections and requests have what both routers know, with what they belong to', { timeout: 60_000 }, async () => {
  await using network = await pair();
  using watch = FlowWatch.ofRouter(network.near, everything);
  await until('both routers tell', () => watch.find(RecordType.connector).length === 2 && watch.find(RecordType.listener).length === 2);
  await echoOnce(network.tcpPort);
  assert.equal(await get(network.httpPort, '/a/b?secret=1'), 200);
  await until('the connection is told', () => watch.find(RecordType.transportFlow, { vanAddress: 'echo' }, true).length === 1);
  await until('the request is told', () => watch.find(RecordType.applicationFlow, {}, true).length === 1);
  const [connection] = watch.find(RecordType.transportFlow, { vanAddress: 'echo' });
  const [listener] = watch.find(RecordType.listener, { name: 'echo' });
  const [connector] = watch.find(RecordType.connector, { name: 'echo' });
  assert.ok(connection !== undefined && listener !== undefined && connector !== undefined);
  assert.equal(connection.get(Attribute.parent), listener.get(Attribute.identity));
  assert.equal(connection.get(Attribute.connector), connector.get(Attribute.identity));
  assert.equal(connection.get(Attribute.destRouter), 'far');
  assert.equal(connection.get(Attribute.trace), '0/near');
  assert.deepEqual([connection.get(Attribute.octets), connection.get(Attribute.octetsReverse)], [5, 5]);
  assert.equal(connection.get(Attribute.sourceHost), '127.0.0.1');
  const [call] = watch.find(RecordType.applicationFlow);
  const [httpConnector] = watch.find(RecordType.connector, { name: 'web' });
  assert.ok(call !== undefined && httpConnector !== undefined);
  for (const [attribute, value] of [
    ['method', 'GET'],
    ['path', '/a/b'],
    ['result', '200'],
    ['userAgent', 'test'],
    ['traceparent', '00-1-2-01'],
    ['protocol', 'HTTP/1.1'],
    ['tries', 1],
    ['octetsReverse', 5],
    ['trace', '0/near'],
    ['destRouter', 'far'],
    ['destServer', httpConnector.get(Attribute.destServer)],
    ['connector', httpConnector.get(Attribute.identity)],
  ] as const) {
    assert.equal(call.get(Attribute[attribute]), value, attribute);
  }
  const times = [Attribute.firstByteMicroseconds, Attribute.serverTotalMicroseconds, Attribute.serverFirstByteMicroseconds];
  const [firstByte = 0, total = 0, serverFirstByte = 0] = times.map((attribute) => Number(call.get(attribute)));
  assert.ok(serverFirstByte > 0 && total >= serverFirstByte && firstByte >= serverFirstByte, `${firstByte} ${total} ${serverFirstByte}`);
  for (const values of watch.find(RecordType.applicationFlow))
    assert.ok(![...values.values()].some((value) => String(value).includes('secret')));
  await getHttp2(network.httpPort, '/h2');
  await until('the request of HTTP/2 is told', () => watch.find(RecordType.applicationFlow, { protocol: 'HTTP/2' }, true).length === 1);
  for (const told of watch.find(RecordType.applicationFlow)) {
    // Collectors of Skupper look for the connector of a request in the record of its connection.
    const [carrier] = watch.find(RecordType.transportFlow, { identity: told.get(Attribute.parent) ?? '' });
    assert.equal(carrier?.get(Attribute.connector), httpConnector.get(Attribute.identity));
    assert.equal(carrier.get(Attribute.sourcePort), told.get(Attribute.sourcePort));
  }
  await until('sums are told', () => watch.sum(RecordType.traffic, 'count') === 3);
  const [sums] = watch.find(RecordType.traffic, { vanAddress: 'web' });
  assert.deepEqual([sums?.get(Attribute.statusCounts), sums?.get(Attribute.destRouter)], ['200=2', 'far']);
});

test('sites, routers, links and ports are told, and what happens to a link', { timeout: 60_000 }, async () => {
  await using network = await pair();
  using watch = FlowWatch.ofRouter(network.far, everything);
  await until('the link is told', () => watch.find(RecordType.link, { operStatus: 'up' }).length === 1);
  await until('its port is told', () => watch.find(RecordType.routerAccess, { linkCount: 1 }).length === 1);
  const [access] = watch.find(RecordType.routerAccess);
  const [link] = watch.find(RecordType.link);
  assert.ok(access !== undefined && link !== undefined);
  assert.deepEqual(
    ['peer', 'peerRouter', 'protocol', 'role', 'linkCost', 'name'].map((name) => link.get(Attribute[name as keyof typeof Attribute])),
    [access.get(Attribute.identity), 'near', 'amqp', 'inter-router', 1, 'to-near'],
  );
  const sites = watch.find(RecordType.site);
  assert.deepEqual(sites.map((site) => site.get(Attribute.name)).sort(), ['site of far', 'site of near']);
  const [router] = watch.find(RecordType.router, { name: '0/near' });
  assert.deepEqual([router?.get(Attribute.parent), router?.get(Attribute.certificateEnds)], ['near', 1_900_000_000_000_000]);
  await until('octets and round trips are told', () => {
    const [now] = watch.find(RecordType.link);
    if (now === undefined) return false;
    return Number(now.get(Attribute.octets)) > 0 && Number(now.get(Attribute.octetsReverse)) > 0 && now.has(Attribute.lossMillionths);
  });
  for (const { connection } of network.near.links) connection.close();
  network.near.turns.touch();
  await until('the loss is told', () => watch.find(RecordType.link, { downCount: 1 }).length === 1);
  await until('it is up again', () => watch.find(RecordType.link, { operStatus: 'up', downCount: 1 }).length === 1);
  const [after] = watch.find(RecordType.link);
  assert.ok(Number(after?.get(Attribute.upTimestamp)) >= Number(after?.get(Attribute.downTimestamp)));
});

test('nothing is made while nobody listens, and what began before is counted as open only', { timeout: 60_000 }, async () => {
  await using network = await pair();
  const { near } = network;
  for (let at = 0; at < 3; at++) {
    await echoOnce(network.tcpPort);
    await get(network.httpPort, '/');
  }
  const held = connect(network.tcpPort, '127.0.0.1');
  held.write('early');
  await once(held, 'data');
  assert.deepEqual(near.forwarder.localServices, []);
  assert.deepEqual([...near.forwarder.table.addresses.keys()].sort(), ['Mecho', 'Mweb']);
  using watch = FlowWatch.ofRouter(near, everything);
  await until('both routers tell', () => watch.find(RecordType.connector).length === 2);
  await until('the held connection is told as open', () => watch.sum(RecordType.traffic, 'open') === 1);
  held.write('later');
  await once(held, 'data');
  await until('its octets are told from then on', () => watch.sum(RecordType.traffic, 'octets') === 5);
  assert.deepEqual([watch.sum(RecordType.traffic, 'count'), watch.find(RecordType.transportFlow).length], [0, 0]);
  held.end();
  await once(held, 'close');
  await until('it is closed', () => watch.sum(RecordType.traffic, 'open') === 0);
  watch[Symbol.dispose]();
  assert.equal(watch.isObserving, false);
  await until('the addresses of records are gone again', () => near.forwarder.localServices.length === 0);
});

test('a flood of connections: sums stay exact, single records are dropped and counted', { timeout: 60_000 }, async () => {
  const count = 1_500;
  await using network = await pair({ detailRate: 50 });
  using watch = FlowWatch.ofRouter(network.near, everything);
  await until('both routers tell', () => watch.find(RecordType.connector).length === 2 && watch.find(RecordType.listener).length === 2);
  await sleep(1_500);
  const workers = Array.from({ length: 20 }, async () => {
    for (let at = 0; at < count / 20; at++) await echoOnce(network.tcpPort);
  });
  await Promise.all(workers);
  await until('all are counted', () => watch.sum(RecordType.traffic, 'count') === count, 10_000);
  const made = watch.find(RecordType.transportFlow).length;
  const dropped = (): number => watch.sum(RecordType.loss, 'droppedFlows');
  await until('what was not made is told', () => dropped() + watch.find(RecordType.transportFlow).length >= count, 10_000);
  assert.ok(made < count / 2, `${made} records`);
  assert.equal(dropped() + watch.find(RecordType.transportFlow).length, count);
  assert.equal(watch.sum(RecordType.traffic, 'successCount'), count);
});
