import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Network, tcpConnector, tcpListener } from './network.ts';
import type { Entity } from './router-process.ts';
import { freePort } from './ports.ts';
import { TcpServer, answering, ask, dial } from './tcp-peer.ts';
import { until } from './until.ts';

/** A server that says its name and then holds the connection until the client ends it. */
async function holding(name: string): Promise<TcpServer> {
  return await TcpServer.start((socket) => {
    socket.write(name);
    socket.resume();
    socket.once('end', () => socket.end());
  });
}

/** Connections that are held open, each with the name of the server that took it, in the order in which they were opened. */
class HeldConnections implements AsyncDisposable {
  readonly #sockets: Socket[] = [];
  readonly names: string[] = [];

  async open(port: number, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const socket = await dial(port);
      this.#sockets.push(socket);
      socket.resume();
      const [name] = (await once(socket, 'data')) as [Buffer];
      this.names.push(name.toString());
    }
  }

  count(name: string): number {
    return this.names.filter((other) => other === name).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#sockets.map(async (socket) => {
        if (socket.destroyed) return;
        socket.end();
        await once(socket, 'close');
      }),
    );
  }
}

/** All servers answer through the port: every router knows all of them. */
async function allReachable(port: number, names: readonly string[]): Promise<void> {
  await answering(port);
  await until(`${names.join(', ')} are reached`, async () => {
    await using held = new HeldConnections();
    await held.open(port, 30);
    return names.every((name) => held.count(name) > 0);
  });
}

const service = 'service';

test(
  'work goes to a dearer site only when the backlog of the cheaper one exceeds the difference of costs',
  { timeout: 58_000 },
  async () => {
    await using near = await holding('near');
    await using far = await holding('far');
    const port = await freePort();
    await using _network = await Network.start({
      links: [
        { from: 'client', to: 'near', cost: 1 },
        { from: 'client', to: 'far', cost: 6 },
      ],
      entities: {
        client: [tcpListener(service, port)],
        near: [tcpConnector(service, near.port)],
        far: [tcpConnector(service, far.port)],
      },
    });
    await allReachable(port, ['near', 'far']);
    for (let round = 0; round < 3; round++) {
      await using held = new HeldConnections();
      await held.open(port, 25);
      assert.deepEqual(
        held.names.slice(0, 5),
        Array.from({ length: 5 }, () => 'near'),
        'up to the difference of 5 nothing overflows',
      );
      const first = held.names.indexOf('far');
      assert.ok(first === 5 || first === 6, `the first overflow is connection ${first}`);
      const difference = held.count('near') - held.count('far');
      assert.ok(difference >= 4 && difference <= 6, `near ${held.count('near')}, far ${held.count('far')}`);
    }
    // One at a time there is no backlog: the cheap one does all of it.
    for (let index = 0; index < 50; index++) {
      await using held = new HeldConnections();
      await held.open(port, 1);
      assert.deepEqual(held.names, ['near']);
    }
  },
);

test('sites of equal cost share the work, and so do servers at one site', { timeout: 58_000 }, async () => {
  await using one = await holding('one');
  await using two = await holding('two');
  await using three = await holding('three');
  const [port, localPort] = [await freePort(), await freePort()];
  const sameSite: Entity[] = ['one', 'two', 'three'].map((name, index) => tcpConnector('local', [one, two, three][index].port, name));
  await using _network = await Network.start({
    links: [
      { from: 'client', to: 'left' },
      { from: 'client', to: 'right' },
    ],
    entities: {
      client: [tcpListener(service, port), tcpListener('local', localPort)],
      left: [tcpConnector(service, one.port), ...sameSite.map(([type, attributes]): Entity => [type, { ...attributes }])],
      right: [tcpConnector(service, two.port)],
    },
  });
  await allReachable(port, ['one', 'two']);
  await answering(localPort);
  {
    await using held = new HeldConnections();
    await held.open(port, 60);
    console.log(`# equal cost: one ${held.count('one')}, two ${held.count('two')}`);
    assert.ok(Math.abs(held.count('one') - held.count('two')) <= 4);
  }
  await using held = new HeldConnections();
  await held.open(localPort, 60);
  const counts = ['one', 'two', 'three'].map((name) => held.count(name));
  console.log(`# three servers at one site: ${counts.join(', ')}`);
  for (const count of counts) assert.ok(Math.abs(count - 20) <= 2);
});

test('closest: the nearest site does all the work, whatever its backlog', { timeout: 58_000 }, async () => {
  await using near = await TcpServer.greeting('near');
  await using far = await TcpServer.greeting('far');
  await using nearHeld = await holding('near');
  await using farHeld = await holding('far');
  const [port, probePort] = [await freePort(), await freePort()];
  const closest: Entity = ['address', { prefix: 'closest', distribution: 'closest' }];
  await using network = await Network.start({
    links: [
      { from: 'client', to: 'near', cost: 1 },
      { from: 'client', to: 'far', cost: 2 },
    ],
    entities: {
      client: [closest, tcpListener('closest.held', port), tcpListener('closest.probe', probePort)],
      near: [closest, tcpConnector('closest.held', nearHeld.port), tcpConnector('closest.probe', near.port)],
      far: [closest, tcpConnector('closest.held', farHeld.port), tcpConnector('closest.probe', far.port)],
    },
  });
  await until('the nearest answers', async () => (await answering(probePort)) === 'near');
  await network.router('client').logged(/routerReachable routerId="far/);
  {
    await using held = new HeldConnections();
    await held.open(port, 40);
    assert.equal(held.count('near'), 40);
  }
  await network.router('near').kill();
  await until('the other takes over', async () => (await ask(probePort, 'x').catch(() => '')) === 'far');
  await network.router('near').run();
  await until('the nearest answers again', async () => (await ask(probePort, 'x').catch(() => '')) === 'near');
});

test('a listener of several addresses uses the reachable one of highest priority', { timeout: 58_000 }, async () => {
  await using primary = await TcpServer.greeting('primary');
  await using backup = await TcpServer.greeting('backup');
  const port = await freePort();
  await using network = await Network.start({
    links: [
      { from: 'client', to: 'one' },
      { from: 'client', to: 'two' },
    ],
    entities: {
      client: [
        ['tcpListener', { name: service, host: '127.0.0.1', port, multiAddressStrategy: 'priority' }],
        ['listenerAddress', { name: 'first', address: 'primary', value: 10, listener: service }],
        ['listenerAddress', { name: 'second', address: 'backup', value: 5, listener: service }],
      ],
      one: [tcpConnector('primary', primary.port)],
      two: [tcpConnector('backup', backup.port)],
    },
  });
  await until('primary answers', async () => (await answering(port)) === 'primary');
  for (let index = 0; index < 20; index++) assert.equal(await ask(port, 'x'), 'primary');
  await network.router('one').kill();
  await until('backup answers', async () => (await ask(port, 'x').catch(() => '')) === 'backup');
  for (let index = 0; index < 20; index++) assert.equal(await ask(port, 'x'), 'backup');
  await network.router('one').run();
  await until('primary answers again', async () => (await ask(port, 'x').catch(() => '')) === 'primary');
});
