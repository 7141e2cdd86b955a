import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { mock, test } from 'node:test';
import { SlabPool } from '../amqp/transmit-buffer.ts';
import { silentAudit } from '../base/audit.ts';
import { silentLogger } from '../base/log.ts';
import { processClock } from '../host/process-clock.ts';
import { processRandom } from '../host/process-random.ts';
import { TurnQueue } from '../host/turn.ts';
import type { ConnectorEntity } from '../management/entities.ts';
import { parseRouterConfiguration } from '../management/router-configuration.ts';
import { LinkConnector } from './link-connector.ts';
import type { LinkContext } from './link-context.ts';

function context(): LinkContext {
  return {
    routerId: 'alpha',
    version: '0',
    clock: processClock,
    // Half of the range: pauses are neither lengthened nor shortened.
    random: { ...processRandom(), fill: (target) => target.fill(1), number: () => 0.5 },
    log: silentLogger,
    audit: silentAudit,
    turns: new TurnQueue(),
    slabs: new SlabPool(),
    filesKept: Infinity,
    nextLinkNumber: () => 1,
    handlerFor: (link) => ({
      opened: () => {},
      controlUp: () => {},
      controlMessage: () => {},
      message: () => {},
      relieved: () => {},
      down: (_neighbour, error) => link.ended?.(error),
    }),
    accessIdentity: () => undefined,
    tlsProfile: () => {
      throw new Error('no profile is used');
    },
  };
}

function entity(port: number, failoverUrls?: string): ConnectorEntity {
  const text = JSON.stringify([
    ['router', { id: 'alpha', mode: 'interior' }],
    ['connector', { name: 'c', host: '127.0.0.1', port, role: 'inter-router', ...(failoverUrls === undefined ? {} : { failoverUrls }) }],
  ]);
  const [connector] = parseRouterConfiguration(text, 'test').connectors;
  return connector;
}

/** Real turns of the event loop, until it is so. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000 && !condition(); turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}

// First of all, so that no socket of another test is counted.

/** Listens and accepts nothing: once its queue is full, TCP does not answer. */
const deafListener = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });`;

test('where TCP does not answer, at most four tries are under way', { skip: process.platform !== 'linux' }, async () => {
  const child = spawn(process.execPath, ['-e', deafListener], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(text.toString());
  // More than the queue holds: two wait in it, and the others are not answered.
  const fillers = [0, 1, 2, 3].map(() => connect({ port, host: '127.0.0.1' }).on('error', () => {}));
  await until(() => fillers.filter(({ connecting }) => connecting).length === 2);
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
  const before = sockets();
  mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const connector = new LinkConnector({ ...context(), clock: { ...processClock, nowMs: () => nowMs } }, entity(port));
  const triesAfter = async (passedMs: number): Promise<number> => {
    nowMs += passedMs;
    mock.timers.tick(passedMs);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    return sockets() - before;
  };
  try {
    connector.start();
    const tries: number[] = [];
    for (const passedMs of [0, 249, 1, 250, 250, 250, 250]) tries.push(await triesAfter(passedMs));
    assert.deepEqual(tries, [1, 1, 2, 3, 4, 4, 4], 'one more each quarter of a second');
    assert.equal(connector.state.connectionStatus, 'CONNECTING');
    assert.deepEqual([await triesAfter(699), await triesAfter(1)], [4, 0]);
    assert.equal(connector.state.connectionStatus, 'FAILED');
    assert.match(connector.state.connectionMsg, /no answer within 1950 ms/);
    assert.equal(await triesAfter(100), 1, 'tried again after the first pause');
    connector.stop();
    assert.equal(await triesAfter(10_000), 0);
  } finally {
    mock.timers.reset();
    connector.stop();
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
  }
});

test('pauses between attempts double from 100 ms to 400 ms, and stop ends them', async () => {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on('error', () => {});
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const connector = new LinkConnector(context(), entity((server.address() as AddressInfo).port));
    connector.start();
    let count = 1;
    for (const pauseMs of [100, 200, 400, 400, 400]) {
      await until(() => accepted === count && connector.link === undefined && connector.state.connectionMsg !== 'not tried yet');
      // The end of the connection is seen a turn or two after it was accepted.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(connector.state.connectionStatus, 'FAILED');
      mock.timers.tick(pauseMs - 1);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(accepted, count, `nothing before ${pauseMs} ms`);
      mock.timers.tick(1);
      count++;
    }
    await until(() => accepted === count && connector.link === undefined);
    // New certificates: at once, and from the first pause on.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    connector.retryNow();
    await until(() => accepted === count + 1 && connector.link === undefined);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(100);
    await until(() => accepted === count + 2);
    connector.stop();
    connector.retryNow();
    mock.timers.tick(60_000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(accepted, count + 2);
  } finally {
    mock.timers.reset();
    server.close();
  }
});

test('a peer that refuses this router is left alone for 10 s to 60 s, but for new certificates', async () => {
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  mock.timers.enable({ apis: ['setTimeout'] });
  const connector = new LinkConnector(context(), entity((server.address() as AddressInfo).port));
  const refuse = async (count: number): Promise<void> => {
    await until(() => accepted === count && connector.link !== undefined);
    const link = connector.link;
    link?.ended?.({ condition: 'amqp:unauthorized-access', description: 'quarantined' });
    link?.destroy();
  };
  try {
    connector.start();
    let count = 1;
    for (const pauseMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
      await refuse(count);
      mock.timers.tick(pauseMs - 1);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.equal(accepted, count, `nothing before ${pauseMs} ms`);
      mock.timers.tick(1);
      count++;
    }
    await refuse(count);
    connector.retryNow();
    await refuse(count + 1);
    mock.timers.tick(10_000);
    await until(() => accepted === count + 2);
    connector.stop();
    connector.link?.destroy();
  } finally {
    mock.timers.reset();
    server.close();
  }
});

test('other endpoints of the same peer are tried in turn', async () => {
  const reached: string[] = [];
  const servers = ['first', 'second'].map((name) =>
    createServer((socket) => {
      reached.push(name);
      socket.on('error', () => {});
      socket.destroy();
    }).listen(0, '127.0.0.1'),
  );
  for (const server of servers) if (!server.listening) await once(server, 'listening');
  const [first, second] = servers.map((server) => (server.address() as AddressInfo).port);
  const connector = new LinkConnector(context(), entity(first, `127.0.0.1:${second}`));
  connector.start();
  await new Promise((resolve) => setTimeout(resolve, 450));
  connector.stop();
  for (const server of servers) server.close();
  assert.deepEqual(reached.slice(0, 3), ['first', 'second', 'first']);
});
