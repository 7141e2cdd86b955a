import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Network, line, tcpConnector, tcpListener } from './network.ts';
import type { Edge } from './network.ts';
import { freePort } from './ports.ts';
import { RecordedSocket } from './recorded-socket.ts';
import { TcpServer, answering, ask, dial, refusing } from './tcp-peer.ts';

const isMissing = spawnSync('skrouterd', ['--version']).status !== 0;
// Asked for by name: it is built by hand, and a foreign process that does not come up must not stop everybody's tests.
const isAsked = process.env['VAN_TEST_SKROUTERD'] === '1';
const skip = !isAsked ? 'runs when VAN_TEST_SKROUTERD=1' : isMissing ? 'skrouterd (skupper-router) is not on the PATH' : false;
if (skip !== false) console.log(`# skipped: ${skip}`);

const echoBytes = 700_000;
/** The end follows the last octets at once, also on a busy machine. */
const endTimeoutMs = 5000;
const maxAttempts = 3;

/** A service at one router and a listener for it at another. */
interface Way {
  readonly from: string;
  readonly to: string;
}

/**
 * Half-close: the echo's end comes back only after ours, with everything before it. False when only the end is missing: a skupper-router
 * whose ring of buffers for a stream is full reads the end later, by itself, and then tells nobody (seen once in some hundred streams).
 */
async function echoesToTheEnd(port: number): Promise<boolean> {
  const client = new RecordedSocket(await dial(port));
  await client.send(echoBytes);
  await client.received(echoBytes);
  assert.deepEqual(client.events, []);
  await client.send(echoBytes, echoBytes);
  client.socket.end();
  await client.received(2 * echoBytes);
  assert.ok(client.exact);
  const end = await Promise.race([client.ended.then(() => 'end'), sleep(endTimeoutMs, 'none', { ref: false })]);
  if (end === 'none') {
    client.socket.destroy();
    return false;
  }
  await client.closed;
  assert.equal(client.receivedBytes, 2 * echoBytes);
  assert.deepEqual(client.events, ['end']);
  return true;
}

/** Runs routers with an echo service and a dead one for each way, and checks every way. */
async function checkWays(links: readonly Edge[], skupper: readonly string[], tls: boolean, ways: readonly Way[]): Promise<void> {
  await using echo = await TcpServer.echo();
  const deadPort = await freePort();
  const names = [...new Set(links.flatMap(({ from, to }) => [from, to]))];
  const entities = Object.fromEntries(names.map((name) => [name, [] as ReturnType<typeof tcpListener>[]]));
  const ports = new Map<Way, { echo: number; dead: number }>();
  for (const way of ways) {
    const port = { echo: await freePort(), dead: await freePort() };
    ports.set(way, port);
    entities[way.to].push(tcpConnector(`echo-${way.from}-${way.to}`, echo.port), tcpConnector(`dead-${way.from}-${way.to}`, deadPort));
    entities[way.from].push(tcpListener(`echo-${way.from}-${way.to}`, port.echo), tcpListener(`dead-${way.from}-${way.to}`, port.dead));
  }
  await using network = await Network.start({ links, entities, skupper, tls });
  for (const [way, port] of ports) {
    const name = `${way.from} to ${way.to}`;
    try {
      assert.equal(await answering(port.echo), 'ready?', name);
      let attempts = 1;
      while (!(await echoesToTheEnd(port.echo))) {
        assert.ok(attempts++ < maxAttempts, `${name}: the end does not come`);
        console.log(`# ${name}: everything came back but the end; another connection is tried`);
      }
      const startMs = performance.now();
      // A Caravan listener resets the client's connection, a skupper-router ends it.
      const refused = await ask(port.dead, 'request', 5000).catch((error: Error) => error.message);
      assert.match(refused, /^$|ECONNRESET/, `${name}: a refused connection is handed back`);
      assert.ok(performance.now() - startMs < 2000, name);
    } catch (error) {
      const logs = network.routers.map((router) => `${router.id}:\n${router.log.slice(-3000)}`).join('\n');
      throw new Error(`${name}: ${(error as Error).message}\n${logs}`, { cause: error });
    }
  }
}

describe('with skupper-router', { skip, timeout: 58_000, concurrency: 2 }, () => {
  const both: readonly Way[] = [
    { from: 'van', to: 'skupper' },
    { from: 'skupper', to: 'van' },
  ];
  for (const tls of [false, true]) {
    for (const [from, to] of [
      ['van', 'skupper'],
      ['skupper', 'van'],
    ]) {
      test(`neighbours, ${from} dials${tls ? ', mutual TLS' : ''}: TCP both ways`, async () => {
        await checkWays([{ from, to }], ['skupper'], tls, both);
      });
    }
  }

  test('skupper-router between two Caravan routers', async () => {
    await checkWays(line(['vana', 'skupper', 'vanb']), ['skupper'], true, [
      { from: 'vana', to: 'vanb' },
      { from: 'vanb', to: 'vana' },
    ]);
  });

  test('Caravan between two skupper-routers', async () => {
    await checkWays(line(['skuppera', 'van', 'skupperb']), ['skuppera', 'skupperb'], true, [
      { from: 'skuppera', to: 'skupperb' },
      { from: 'skupperb', to: 'skuppera' },
      { from: 'van', to: 'skuppera' },
    ]);
  });

  test('a skupper-router is killed and comes back', async () => {
    await using server = await TcpServer.greeting('hello');
    const [vanPort, skupperPort] = [await freePort(), await freePort()];
    await using network = await Network.start({
      links: [{ from: 'skupper', to: 'van' }],
      skupper: ['skupper'],
      entities: {
        van: [tcpListener('at-skupper', vanPort), tcpConnector('at-van', server.port)],
        skupper: [tcpListener('at-van', skupperPort), tcpConnector('at-skupper', server.port)],
      },
    });
    assert.equal(await answering(vanPort), 'hello');
    assert.equal(await answering(skupperPort), 'hello');
    const killedMs = performance.now();
    await network.router('skupper').kill();
    await refusing(vanPort);
    console.log(`# the port of a service at a killed skupper-router is closed after ${Math.round(performance.now() - killedMs)} ms`);
    const startMs = performance.now();
    await network.router('skupper').run();
    assert.equal(await answering(vanPort), 'hello');
    assert.equal(await answering(skupperPort), 'hello');
    console.log(`# it serves again ${Math.round(performance.now() - startMs)} ms after its restart`);
  });

  test('a Caravan router is killed and comes back', async () => {
    await using server = await TcpServer.greeting('hello');
    const [vanPort, skupperPort] = [await freePort(), await freePort()];
    await using network = await Network.start({
      links: [{ from: 'skupper', to: 'van' }],
      skupper: ['skupper'],
      entities: {
        van: [tcpListener('at-skupper', vanPort), tcpConnector('at-van', server.port)],
        skupper: [tcpListener('at-van', skupperPort), tcpConnector('at-skupper', server.port)],
      },
    });
    assert.equal(await answering(skupperPort), 'hello');
    await network.router('van').kill();
    await refusing(skupperPort);
    const startMs = performance.now();
    await network.router('van').run();
    assert.equal(await answering(vanPort), 'hello');
    assert.equal(await answering(skupperPort), 'hello');
    console.log(`# a restarted Caravan router serves again after ${Math.round(performance.now() - startMs)} ms (the skupper-router dials)`);
  });
});
