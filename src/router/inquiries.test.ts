import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { Inquiry } from '../services/inquiry/inquiry.ts';
import type { InquiryEnd } from '../services/inquiry/inquiry.ts';
import { checkName, readLinkView } from '../services/inquiry/link-view.ts';
import { readTriedServers, serversName } from '../services/inquiry/server-view.ts';
import { Router } from './router.ts';

const host = '127.0.0.1';

async function start(id: string, entities: readonly unknown[]): Promise<Router> {
  const configuration = parseRouterConfiguration(JSON.stringify([['router', { id, mode: 'interior' }], ...entities]), 'test');
  const router = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '1.2.3' });
  await router.start();
  return router;
}

function accepting(): unknown {
  return ['listener', { name: 'links', role: 'inter-router', host, port: 0, saslMechanisms: 'ANONYMOUS', authenticatePeer: false }];
}

function linkTo(router: Router, cost = 1): unknown {
  const port = router.listener('links')?.state.boundPort ?? 0;
  return ['connector', { name: router.routerId, role: 'inter-router', host, port, cost, saslMechanisms: 'ANONYMOUS' }];
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${what}`);
    await sleep(10);
  }
}

async function ask(router: Router, routerId: string, name: string, body: ReadonlyMap<string, string> = new Map()): Promise<InquiryEnd> {
  let end: InquiryEnd | undefined;
  new Inquiry({ forwarder: router.forwarder, routerId, name, body, ended: (told) => (end = told) }).start();
  router.turns.touch();
  await until(`${routerId} has answered`, () => end !== undefined);
  assert.ok(end !== undefined);
  return end;
}

test('a router tells its neighbours of their links, and nobody else', async () => {
  await using hub = await start('hub', [accepting()]);
  await using west = await start('west', [accepting(), linkTo(hub, 3)]);
  await using far = await start('far', [linkTo(west)]);
  await until('all know each other', () => [hub, west, far].every(({ forwarder }) => forwarder.table.routers.size === 2));
  const told = await ask(west, 'hub', checkName);
  assert.equal(told.outcome, 'answered');
  const { links, routedCost, trust, version, wallMs } = readLinkView(told.content.body);
  assert.deepEqual([routedCost, trust, version], [3, 'unsigned', '1.2.3']);
  assert.deepEqual(
    links.map(({ cost, direction }) => [cost, direction]),
    [[3, 'in']],
  );
  assert.ok(Math.abs((wallMs ?? 0) - Date.now()) < 60_000);
  assert.deepEqual(await ask(far, 'hub', checkName), { outcome: 'refused', reason: 'only a neighbour is told', isLimited: false });
});

test('a router tries its servers of an address for whoever asks', async () => {
  const server = createServer((socket) => socket.destroy());
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await using hub = await start('hub', [
      accepting(),
      ['tcpConnector', { name: 'up', address: 'backend', host, port }],
      ['tcpConnector', { name: 'down', address: 'backend', host, port: 1 }],
      ['udpConnector', { name: 'datagrams', address: 'packets', host, port }],
    ]);
    await using west = await start('west', [linkTo(hub)]);
    await until('they know each other', () => west.forwarder.table.routers.size === 1);
    const serversOf = async (address: string): Promise<unknown> => {
      const end = await ask(west, 'hub', serversName, new Map([['address', address]]));
      assert.equal(end.outcome, 'answered');
      return readTriedServers(end.content.body).map(({ type, connectMs, failure }) => [type, typeof connectMs, failure]);
    };
    assert.deepEqual(await serversOf('backend'), [
      ['tcpConnector', 'number', undefined],
      ['tcpConnector', 'undefined', 'the server refused the connection: nothing listens there'],
    ]);
    assert.deepEqual(await serversOf('packets'), [['udpConnector', 'undefined', undefined]]);
    assert.deepEqual(await serversOf('nothing'), []);
  } finally {
    server.close();
  }
});
