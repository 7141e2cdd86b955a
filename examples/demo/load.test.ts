import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { createGreetingServer } from './greeting-server.ts';
import { Load } from './load.ts';

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test('an instance gives about 10 responses a second, however many ask at once', async () => {
  const server = createGreetingServer('laptop');
  const load = new Load(await listen(server));
  try {
    load.setInFlight(5);
    await sleep(1600);
    const state = load.state();
    assert.ok(state.responses >= 10 && state.responses <= 16, `${state.responses} responses in 1.6 s`);
    assert.ok(state.latencyP50Ms > 350, `p50 ${state.latencyP50Ms} ms with 5 in flight`);
    assert.deepEqual([...state.lastServed], [['laptop', state.responses]]);
    assert.equal(state.errors, 0);
    load.setInFlight(1);
    await sleep(700);
    load.mark();
    await sleep(700);
    assert.ok(load.state().latencyP50Ms < 250, `p50 ${load.state().latencyP50Ms} ms with 1 in flight`);
  } finally {
    await load.stop();
    server.close();
  }
});

test('every request has a connection of its own, and failures are counted and do not end the load', async () => {
  const connections = new Set<number | undefined>();
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    connections.add(request.socket.remotePort);
    if (requests % 2 === 0) request.socket.destroy();
    else response.end('laptop');
  });
  const load = new Load(await listen(server));
  try {
    load.setInFlight(1);
    while (load.state().responses < 3) await sleep(10);
  } finally {
    await load.stop();
    server.close();
  }
  assert.equal(connections.size, requests);
  assert.ok(load.state().errors >= 2, `${load.state().errors} errors`);
});

test('a load that keeps connections has no more of them than requests in flight', async () => {
  const connections = new Set<number | undefined>();
  const server = createServer((request, response) => {
    connections.add(request.socket.remotePort);
    response.end('laptop');
  });
  const load = new Load(await listen(server), { keepAlive: true });
  try {
    load.setInFlight(3);
    while (load.state().responses < 60) await sleep(10);
  } finally {
    await load.stop();
    server.close();
  }
  assert.equal(load.state().errors, 0);
  assert.equal(connections.size, 3);
});

test('a client that gives up while waiting costs no service time', async () => {
  const server = createGreetingServer('aws');
  const url = await listen(server);
  const first = fetch(url);
  const gaveUp = Array.from({ length: 20 }, async () => await fetch(url, { signal: AbortSignal.timeout(50) }).catch(() => 'gave up'));
  assert.ok((await Promise.all(gaveUp)).every((result) => result === 'gave up'));
  const startMs = performance.now();
  assert.equal(await (await fetch(url)).text(), 'aws\n');
  assert.ok(performance.now() - startMs < 500);
  await first;
  server.close();
});
