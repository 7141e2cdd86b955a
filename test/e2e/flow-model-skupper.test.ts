import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/log.ts';
import { ObservedNetwork } from '../../src/flows/observed-network.ts';
import { processClock } from '../../src/host/process-clock.ts';
import { processRandom } from '../../src/host/process-random.ts';
import { parseRouterConfiguration } from '../../src/management/router-configuration.ts';
import { Router } from '../../src/router/router.ts';
import { FlowObservation } from '../../src/supervisor/flow-observation.ts';
import { freePort } from './ports.ts';
import { RouterProcess } from './router-process.ts';
import { TcpServer } from './tcp-peer.ts';
import { until } from './until.ts';

const isMissing = spawnSync('skrouterd', ['--version']).status !== 0;
const isAsked = process.env['VAN_TEST_SKROUTERD'] === '1';
const skip = !isAsked ? 'runs when VAN_TEST_SKROUTERD=1' : isMissing ? 'skrouterd (skupper-router) is not on the PATH' : false;
const host = '127.0.0.1';

async function echo(port: number): Promise<void> {
  const socket = connect(port, host);
  socket.on('error', () => undefined);
  socket.write('hello');
  await once(socket, 'data');
  socket.end();
  await once(socket, 'close');
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.once('connect', () => socket.destroy() && resolve(true));
    socket.once('error', () => resolve(false));
  });
}

/** What an observer at a router of this process knows. Disposing ends the observation. */
class Observing implements Disposable {
  readonly network: ObservedNetwork;
  readonly #ending = new AbortController();

  constructor(router: Router) {
    this.network = new ObservedNetwork({ nowMs: Date.now(), ownRouterId: router.routerId });
    const take = (line: string): boolean => {
      const { to, payload } = (JSON.parse(line) as { readonly body: { readonly to?: string; readonly payload?: string } }).body;
      if (to !== undefined && payload !== undefined) {
        this.network.receive({ to, payload: Buffer.from(payload, 'base64') }, performance.now(), Date.now());
      }
      return true;
    };
    const client = { send: take, endWith: () => undefined, closed: this.#ending.signal };
    const request = { id: 1, operation: 'OBSERVE', type: '', attributes: new Map() };
    void new FlowObservation(router, { detail: true, logs: false }, request, client, () => undefined);
  }

  [Symbol.dispose](): void {
    this.#ending.abort();
  }
}

test('connections between a Caravan site and a skupper-router are counted, whoever has the client', { skip, timeout: 60_000 }, async () => {
  await using server = await TcpServer.echo();
  const [toSkupper, toVan] = [await freePort(), await freePort()];
  const configuration = parseRouterConfiguration(
    JSON.stringify([
      ['router', { id: 'van', mode: 'interior' }],
      ['listener', { name: 'links', role: 'inter-router', host, port: 0, saslMechanisms: 'ANONYMOUS' }],
      ['tcpListener', { name: 'to-skupper', address: 'at-skupper', host, port: toSkupper }],
      ['tcpConnector', { name: 'here', address: 'at-van', host, port: server.port }],
    ]),
    'test',
  );
  await using van = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '0' });
  await van.start();
  const port = van.listener('links')?.state.boundPort ?? 0;
  await using _skupper = await RouterProcess.start({
    id: 'skupper',
    command: ['skrouterd', '-c'],
    ready: /Router started/,
    entities: [
      ['connector', { name: 'to-van', role: 'inter-router', host, port, saslMechanisms: 'ANONYMOUS' }],
      ['tcpListener', { name: 'van-service', address: 'at-van', host, port: toVan }],
      ['tcpConnector', { name: 'there', address: 'at-skupper', host, port: server.port }],
      ['address', { prefix: 'mc', distribution: 'multicast' }],
    ],
  });
  using observing = new Observing(van);
  const { model } = observing.network;
  await until('both routers tell records', () => model.tellingRouters().size === 2, 25_000);
  await until('its listener is open', () => accepts(toVan));
  await until('the way there is open', () => van.services.port('tcpListener', 'to-skupper')?.state.operStatus === 'up');
  await until('its link is told', () => model.snapshot(60_000, Date.now()).links.length === 1);
  for (let index = 0; index < 3; index++) await echo(toSkupper);
  for (let index = 0; index < 2; index++) await echo(toVan);
  const counts = (): Record<string, number> => {
    const { edges } = model.snapshot(60_000, Date.now());
    const { coveredMs } = model.stat({ kind: 'service', windowMs: 60_000 }, Date.now());
    return Object.fromEntries(
      edges.map(({ sourceName, destName, address, golden }) => [
        `${sourceName} ${destName} ${address}`,
        Math.round((golden.perSecond * coveredMs) / 1000),
      ]),
    );
  };
  // The probe of the port above was a connection, too.
  const wanted = (): boolean => counts()['van skupper at-skupper'] === 3 && (counts()['skupper van at-van'] ?? 0) >= 2;
  await until('all are counted', wanted, 20_000).catch((error: unknown) => {
    throw new Error(JSON.stringify({ counts: counts(), requests: model.requests({}, 20) }), { cause: error });
  });
  const { links, services } = model.snapshot(60_000, Date.now());
  assert.deepEqual(
    links.map(({ from, to, state }) => [from, to, state]),
    [['skupper', 'van', 'up']],
  );
  assert.deepEqual(
    services.map(({ address, servers }) => [address, servers.map(({ siteName, connector }) => `${siteName}/${connector}`)]),
    [
      ['at-skupper', ['skupper/there']],
      ['at-van', ['van/here']],
    ],
  );
  const [row] = model.requests({ service: 'at-van', kind: 'connection' }, 1);
  assert.deepEqual([row?.sourceSite, row?.destSite, row?.connector, row?.trace], ['skupper', 'van', 'here', ['skupper', 'van']]);
});
