import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { FlowSource } from '../flows/flow-source.ts';
import { Forwarder } from '../forwarding/forwarder.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { TurnQueue } from '../host/turn.ts';
import { Treatment } from '../routing/route-table.ts';
import type { AddressRoute, RemoteRouter, RouteTable } from '../routing/route-table.ts';
import { WindowBudget } from '../services/tcp/window-budget.ts';
import { ServiceRecords } from './service-records.ts';
import { SocketBudget } from './socket-budget.ts';
import { TcpListenerPort } from './tcp-services.ts';

const far: RemoteRouter = { routerId: 'far', cost: 1, hops: 1, link: 1, nextHop: 'far', validOrigins: new Set<string>() };
const route: AddressRoute = { key: 'Mecho', treatment: Treatment.balanced, routers: [far] };

function table(routers: readonly RemoteRouter[], routes: readonly AddressRoute[]): RouteTable {
  return {
    epoch: 0,
    routerId: 'near',
    routers: new Map(routers.map((router) => [router.routerId, router])),
    addresses: new Map(routes.map((entry) => [entry.key, entry])),
    neighbours: new Map(),
    firstLinks: [],
    radius: 1,
    mayConsume: () => true,
    knowsRightsOf: () => true,
    isFeasibleIngress: () => true,
  };
}

/** A listener for an address of another router, listening. */
async function stand(
  context: TestContext,
  openFileLimit?: number,
): Promise<{ port: TcpListenerPort; warnings: string[]; become: (next: RouteTable) => void; dial: () => Promise<Socket> }> {
  const random = processRandom();
  const forwarder = new Forwarder(table([far], [route]), { localAddress: () => {}, localAddressGone: () => {} }, () => undefined, random);
  const warnings: string[] = [];
  const port = new TcpListenerPort(
    {
      forwarder,
      turns: new TurnQueue(),
      clock: processClock,
      random,
      log: { ...silentLogger, warn: (message) => void warnings.push(message) },
      windows: new WindowBudget(),
      sockets: new SocketBudget(openFileLimit),
      siteName: 'near',
      version: '0',
      records: new ServiceRecords({
        source: new FlowSource({ sourceId: 'aaaaa', nextIdentity: () => 'aaaaa:1' }),
        routerId: 'near',
        routerIdentity: 'aaaaa:0',
        siteIdentity: 'near',
        wallMicroseconds: () => 1,
      }),
      nextFlowId: () => 'flow',
      nextMessageId: () => 'message',
      tlsProfile: () => assert.fail('no TLS here'),
    },
    { type: 'tcpListener', name: 'echo', address: 'echo', host: '127.0.0.1', port: 0, backlog: 511, multiAddressStrategy: 'none' },
  );
  const sockets: Socket[] = [];
  context.after(() => {
    port.stop();
    for (const socket of sockets) socket.destroy();
  });
  port.update();
  while (port.state.boundPort === 0) await new Promise((resolve) => setImmediate(resolve));
  const dial = async (): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port: port.state.boundPort });
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const become = (next: RouteTable): void => {
    forwarder.table = next;
    port.update();
  };
  return { port, warnings, become, dial };
}

test('a port outlives a short loss of the router that it leads to, and its clients wait', async (context) => {
  const { port, become, dial } = await stand(context);
  become(table([], []));
  assert.ok(port.state.boundPort > 0);
  await dial();
  while (port.service.opened === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(port.service.active, 1, 'it waits for a way');
  become(table([far], [route]));
  assert.equal(port.state.operStatus, 'up');
});

test('a port closes at once when the last server is withdrawn', async (context) => {
  const { port, become } = await stand(context);
  become(table([far], []));
  assert.equal(port.state.boundPort, 0);
});

test('clients beyond the limit of open files are refused, and the log says so', async (context) => {
  // Of eight files four are for services.
  const { port, become, warnings, dial } = await stand(context, 8);
  become(table([], []));
  for (let client = 0; client < 4; client++) await dial();
  // The reset may come while it is still being dialled.
  await assert.rejects(async () => await once(await dial(), 'data'), { code: 'ECONNRESET' });
  assert.equal(port.service.active, 4);
  assert.match(warnings.join(), /file descriptors/);
});
