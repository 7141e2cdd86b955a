import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Authority } from '../../test/e2e/certificates.ts';
import { WeatherError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { ChangeRefused, createdEntity } from '../management/configuration-change.ts';
import type { EntityType } from '../management/entities.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { Router } from './router.ts';

async function started(id: string, ...entities: readonly unknown[]): Promise<Router> {
  const configuration = parseRouterConfiguration(JSON.stringify([['router', { id, mode: 'interior' }], ...entities]), 'test');
  const router = new Router(configuration, { clock: processClock, random: processRandom(), log: silentLogger, version: '0' });
  await router.start();
  return router;
}

function create(router: Router, type: EntityType, attributes: object): Promise<void> {
  return router.apply({ operation: 'CREATE', entity: createdEntity(type, undefined, attributes) });
}

async function until(condition: () => boolean, limitMs = 5000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `not so after ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function listening(onConnection: (socket: Socket) => void = (socket) => socket.destroy()): Promise<{ server: Server; port: number }> {
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return { server, port: (server.address() as AddressInfo).port };
}

test('what cannot be created leaves everything as it was, and can be created later', async () => {
  await using router = await started('alpha');
  const before = router.configuration;
  const { server, port } = await listening();
  const listener = { name: 'l', host: '127.0.0.1', port, role: 'inter-router' };
  await assert.rejects(create(router, 'listener', listener), (error) => error instanceof WeatherError && error.code === 'port-unavailable');
  await assert.rejects(create(router, 'sslProfile', { name: 'p', caCertFile: 'no/such/file' }), WeatherError);
  await assert.rejects(
    create(router, 'connector', { name: 'c', host: 'h', port: 1, role: 'inter-router', sslProfile: 'p' }),
    ChangeRefused,
  );
  await assert.rejects(create(router, 'listenerAddress', { name: 'a', address: 'x', value: 1, listener: 'none' }), ChangeRefused);
  assert.equal(router.configuration, before);
  assert.equal(router.listener('l'), undefined);
  assert.equal(router.connector('c'), undefined);
  server.close();
  await once(server, 'close');
  await create(router, 'listener', listener);
  assert.equal(router.listener('l')?.state.operStatus, 'up');
  assert.equal(router.configuration.listeners.length, 1);
});

test('changes at the same time are made one after the other', async () => {
  await using router = await started('alpha');
  const listener = (name: string): object => ({ name, host: '127.0.0.1', port: 0, role: 'inter-router' });
  const results = await Promise.allSettled([
    create(router, 'listener', listener('a')),
    create(router, 'listener', listener('b')),
    create(router, 'listener', listener('a')),
    create(router, 'tcpListener', { name: 't', address: 'x', host: '127.0.0.1', port: 0 }),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(
    router.configuration.listeners.map(({ name }) => name),
    ['a', 'b'],
  );
  await router.apply({ operation: 'DELETE', type: 'listener', name: 'a' });
  assert.equal(router.configuration.tcpListeners.length, 1);
});

test('a change of address rules is announced for addresses that are offered already', async () => {
  await using router = await started('alpha', ['tcpConnector', { name: 'c', address: 'news.x', host: '127.0.0.1', port: 1 }]);
  const treatment = (): number => router.forwarder.treatment('news.x');
  assert.equal(treatment(), 3);
  await create(router, 'address', { prefix: 'news', distribution: 'multicast' });
  assert.equal(treatment(), 1);
  await router.apply({ operation: 'DELETE', type: 'address', name: 'address/news' });
  assert.equal(treatment(), 3);
});

test('a service port that is in use is tried again until it is free', async () => {
  const { server, port } = await listening();
  await using router = await started(
    'alpha',
    ['tcpListener', { name: 't', address: 'echo', host: '127.0.0.1', port }],
    ['tcpConnector', { name: 'c', address: 'echo', host: '127.0.0.1', port: 1 }],
  );
  await until(() => router.services.port('tcpListener', 't')?.state.connectionMsg.includes('in use') === true);
  assert.equal(router.services.port('tcpListener', 't')?.state.operStatus, 'down');
  server.close();
  await once(server, 'close');
  await until(() => router.services.port('tcpListener', 't')?.state.operStatus === 'up');
  // Without a connector nobody can connect; with one again, they can.
  await router.apply({ operation: 'DELETE', type: 'tcpConnector', name: 'c' });
  await until(() => router.services.port('tcpListener', 't')?.state.operStatus === 'down');
  const [error] = (await once(connect({ port, host: '127.0.0.1' }), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  await create(router, 'tcpConnector', { name: 'd', address: 'echo', host: '127.0.0.1', port: 1 });
  await until(() => router.services.port('tcpListener', 't')?.state.operStatus === 'up');
});

test('strangers on the link port are bounded', async () => {
  await using router = await started('alpha', ['listener', { name: 'l', host: '127.0.0.1', port: 0, role: 'inter-router' }]);
  const port = router.listener('l')?.state.boundPort ?? 0;
  const strangers: Socket[] = [];
  let open = 0;
  for (let count = 0; count < 300; count++) {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.on('connect', () => open++);
    socket.on('close', () => open--);
    socket.resume();
    strangers.push(socket);
  }
  await until(() => strangers.every((socket) => !socket.connecting) && open === 256);
  for (const socket of strangers) socket.destroy();
  // The room is there again.
  await until(() => open === 0);
  const late = connect({ port, host: '127.0.0.1' });
  await once(late, 'connect');
  late.write('GET / HTTP/1.1\r\n\r\n');
  await once(late.resume(), 'close');
});

test('new certificates are used for new connections, and links that stand are left alone', async () => {
  await using authority = await Authority.make();
  const first = await authority.issue('alpha-00000000', { fileName: 'first' });
  const second = await authority.issue('alpha-00000000', { fileName: 'second' });
  const own = await authority.issue('beta-00000000');
  const [type, attributes] = authority.profile(first) as [EntityType, object];
  await using alpha = await started(
    'alpha-00000000',
    [type, attributes],
    [
      'listener',
      {
        name: 'l',
        host: '127.0.0.1',
        port: 0,
        role: 'inter-router',
        sslProfile: 'links',
        saslMechanisms: 'EXTERNAL',
        authenticatePeer: true,
      },
    ],
  );
  const port = alpha.listener('l')?.state.boundPort ?? 0;
  await using beta = await started('beta-00000000', authority.profile(own), [
    'connector',
    { name: 'c', host: '127.0.0.1', port, role: 'inter-router', sslProfile: 'links' },
  ]);
  await until(() => alpha.links.length === 1 && beta.connector('c')?.state.connectionStatus === 'SUCCESS');
  const [link] = alpha.links;
  const shown = async (): Promise<string> => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['amqp'] });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const before = await shown();
  await assert.rejects(
    alpha.apply({
      operation: 'UPDATE',
      entity: createdEntity('sslProfile', undefined, { ...attributes, certFile: 'no/such/file', ordinal: 1 }),
    }),
    WeatherError,
  );
  assert.equal(await shown(), before);
  const update = { ...attributes, certFile: second.certificateFile, privateKeyFile: second.keyFile, ordinal: 1 };
  await alpha.apply({ operation: 'UPDATE', entity: createdEntity('sslProfile', undefined, update) });
  assert.notEqual(await shown(), before);
  assert.deepEqual(alpha.links, [link]);
  assert.equal(link.neighbour.isUp, true);
  assert.equal(beta.connector('c')?.state.connectionStatus, 'SUCCESS');
});
