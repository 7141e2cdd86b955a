import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { exchangeLine } from '../host/line-client.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { LineSplitter } from '../management/line-splitter.ts';
import { lineLimitBytes, type ManagementResponse } from '../management/management-protocol.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { RouterManagement } from './management.ts';
import { serveManagement } from './management-socket.ts';
import { Router } from './router.ts';

const configuration = parseRouterConfiguration(
  JSON.stringify([
    ['router', { id: 'alone', mode: 'interior' }],
    ['listener', { name: 'links', host: '127.0.0.1', port: 0, role: 'inter-router' }],
    ['connector', { name: 'nowhere', host: '127.0.0.1', port: 1, role: 'inter-router', saslUsername: 'u', saslPassword: 'secret' }],
    ['address', { prefix: 'news', distribution: 'multicast' }],
  ]),
  'test',
);

let router: Router;
let management: RouterManagement;
before(async () => {
  router = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '0' });
  await router.start();
  management = new RouterManagement(router, { clock: processClock, version: '0.1.0' });
});
after(() => router.stop());

function ask(operation: string, type = '', name?: string, attributes: object = {}): Promise<ManagementResponse> {
  return management.handle({
    id: 7,
    operation,
    type,
    attributes: new Map(Object.entries(attributes)),
    ...(name === undefined ? {} : { name }),
  });
}

async function rows(type: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { statusCode, body } = await ask('QUERY', type);
  assert.equal(statusCode, 200);
  return (body as { results: readonly Readonly<Record<string, unknown>>[] }).results;
}

test('configured entities are joined with their state, without their secrets', async () => {
  const [listener] = await rows('listener');
  assert.equal(listener?.['operStatus'], 'up');
  assert.notEqual(listener?.['boundPort'], 0);
  const [connector] = await rows('connector');
  assert.equal(connector?.['saslUsername'], 'u');
  assert.ok(!JSON.stringify(connector).includes('secret'));
  assert.ok(['CONNECTING', 'FAILED'].includes(String(connector?.['connectionStatus'])));
  assert.deepEqual(await rows('router.config.address'), [{ name: 'address/news', prefix: 'news', distribution: 'multicast' }]);
  assert.equal((await rows('io.skupper.router.router'))[0]?.['id'], 'alone');
  assert.deepEqual(
    (await rows('router.node')).map(({ id, cost, nextHop }) => [id, cost, nextHop]),
    [['alone', 0, null]],
  );
  assert.deepEqual(await rows('connection'), []);
});

test('services are created, read and deleted while the router runs', async () => {
  const created = await ask('CREATE', 'tcpListener', 'front', { address: 'news.today', host: '127.0.0.1', port: 0 });
  assert.deepEqual([created.statusCode, created.id], [201, 7]);
  assert.equal((created.body as { operStatus: string }).operStatus, 'down');
  assert.equal((await ask('CREATE', 'tcpConnector', 'back', { address: 'news.today', port: 9 })).statusCode, 201);
  const [address] = await rows('router.address');
  assert.deepEqual([address?.['name'], address?.['subscriberCount'], address?.['distribution']], ['news.today', 1, 'multicast']);
  for (let tries = 0; (await rows('tcpListener'))[0]?.['operStatus'] !== 'up'; tries++) {
    assert.ok(tries < 200, 'the listener opens with its connector');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal((await ask('READ', 'tcpListener', 'front')).statusCode, 200);
  assert.equal((await ask('DELETE', 'tcpConnector', 'back')).statusCode, 204);
  assert.equal((await ask('DELETE', 'tcpListener', 'front')).statusCode, 204);
  assert.equal((await ask('READ', 'tcpListener', 'front')).statusCode, 404);
});

test('open connections of services are told, the client and the server', async () => {
  const server = createServer((socket) => void socket.on('error', () => undefined).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await ask('CREATE', 'tcpListener', 'door', { address: 'echo', host: '127.0.0.1', port: 0 });
  await ask('CREATE', 'tcpConnector', 'echo', { address: 'echo', host: '127.0.0.1', port });
  const boundPort = async (): Promise<number> => ((await ask('READ', 'tcpListener', 'door')).body as { boundPort: number }).boundPort;
  for (let tries = 0; (await boundPort()) === 0; tries++) {
    assert.ok(tries < 200, 'the listener opens with its connector');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const client = connect(await boundPort(), '127.0.0.1');
  client.write('hello');
  await once(client, 'data');
  const { localPort } = client;
  const found = await rows('tcpConnection');
  assert.deepEqual(
    found.map(({ address, host, direction, bytesIn, bytesOut }) => ({ address, host, direction, bytesIn, bytesOut })),
    ([`127.0.0.1:${localPort}`, `127.0.0.1:${port}`] as const).map((host, index) => ({
      address: 'echo',
      host,
      direction: index === 0 ? 'in' : 'out',
      bytesIn: 5,
      bytesOut: 5,
    })),
  );
  for (const { uptimeSeconds, lastInSeconds, lastOutSeconds } of found) {
    assert.ok(Number(lastInSeconds) <= Number(uptimeSeconds) && Number(lastOutSeconds) <= Number(uptimeSeconds));
  }
  assert.equal((await ask('READ', 'tcpConnection', String(found[0]?.['identity']))).statusCode, 200);
  assert.notEqual(found[0]?.['identity'], found[1]?.['identity']);
  client.destroy();
  for (let tries = 0; (await rows('tcpConnection')).length > 0; tries++) {
    assert.ok(tries < 1000, 'a connection that is over is not told');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await ask('DELETE', 'tcpConnector', 'echo');
  await ask('DELETE', 'tcpListener', 'door');
  server.close();
});

test('links are created and deleted while the router runs', async () => {
  assert.equal((await ask('CREATE', 'listener', 'more', { host: '127.0.0.1', port: 0, role: 'inter-router' })).statusCode, 201);
  const { boundPort } = (await ask('READ', 'listener', 'more')).body as { boundPort: number };
  const taken = await ask('CREATE', 'listener', 'same', { host: '127.0.0.1', port: boundPort, role: 'inter-router' });
  assert.equal(taken.statusCode, 400);
  assert.match(taken.statusDescription, /is in use by another program/);
  assert.equal((await ask('READ', 'listener', 'same')).statusCode, 404);
  assert.equal((await ask('DELETE', 'listener', 'more')).statusCode, 204);
  assert.equal((await ask('CREATE', 'connector', 'out', { host: '127.0.0.1', port: 1, role: 'inter-router' })).statusCode, 201);
  assert.equal((await ask('DELETE', 'connector', 'out')).statusCode, 204);
});

for (const [what, request, statusCode, description] of [
  ['an unknown attribute', ['CREATE', 'tcpConnector', 'x', { adress: 'x', port: 1 }], 400, /did you mean 'address'/],
  ['an unknown type', ['QUERY', 'tcpListner'], 400, /did you mean 'tcpListener'/],
  ['an unknown operation', ['UPSERT', 'tcpListener'], 501, /UPSERT/],
  ['a missing entity', ['DELETE', 'tcpListener', 'ghost'], 404, /ghost/],
  ['no name', ['DELETE', 'tcpListener'], 400, /name/],
  ['the router itself', ['DELETE', 'router', 'router/alone'], 403, /router/],
  ['what is only seen', ['CREATE', 'connection', 'x'], 403, /seen, not configured/],
  ['an attribute that is fixed', ['UPDATE', 'listener', 'links', { port: 5 }], 400, /cannot be changed/],
  ['a part that is no number', ['QUERY', 'listener', undefined, { offset: 'x' }], 400, /offset/],
] as const) {
  test(`${what} is refused`, async () => {
    const [operation, type, name, attributes] = request;
    const response = await ask(operation, type, name, attributes);
    assert.equal(response.statusCode, statusCode);
    assert.match(response.statusDescription, description);
  });
}

test('the management socket answers lines, also pipelined, and closes on what is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'management-'));
  try {
    const path = join(folder, 'socket');
    await using _server = await serveManagement(router, { path, clock: processClock, log: silentLogger, version: '0' });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const line = '{"id":1,"operation":"READ","type":"router"}\n';
    const answer = await exchangeLine({ path, line, reader: new LineSplitter(lineLimitBytes), timeoutMs: 2000 });
    assert.equal((JSON.parse(answer) as { body: { id: string } }).body.id, 'alone');

    const socket = connect(path);
    socket.end(`${line.replace('1', '2')}not json\n${line.replace('1', '3')}`);
    let text = '';
    for await (const chunk of socket as AsyncIterable<Buffer>) text += chunk.toString();
    const answers = text
      .trimEnd()
      .split('\n')
      .map((entry) => JSON.parse(entry) as { id: unknown; statusCode: number });
    assert.deepEqual(
      new Map(answers.map(({ id, statusCode }) => [id, statusCode])),
      new Map<unknown, number>([
        [2, 200],
        ['', 400],
        [3, 200],
      ]),
    );

    const flood = connect(path);
    flood.on('error', () => undefined);
    flood.write('x'.repeat(lineLimitBytes + 1));
    await once(flood, 'close');
  } finally {
    await rm(folder, { recursive: true });
  }
});
