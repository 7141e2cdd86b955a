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
    const startMs = performance.now();
    while (load.state().responses < 12) await sleep(10);
    const elapsedMs = performance.now() - startMs;
    const state = load.state();
    // A timer may be a millisecond early; a busy machine makes all of it longer.
    assert.ok(state.responses <= elapsedMs / 99, `${state.responses} responses in ${elapsedMs} ms`);
    assert.ok(state.latencyP50Ms > 350, `p50 ${state.latencyP50Ms} ms with 5 in flight`);
    assert.deepEqual([...state.lastServed], [['laptop', state.responses]]);
    assert.equal(state.errors, 0);
    load.setInFlight(1);
    while (load.state().responses < state.responses + 6) await sleep(10);
    load.mark();
    const marked = load.state().responses;
    while (load.state().responses < marked + 6) await sleep(10);
    const { latencyP50Ms } = load.state();
    assert.ok(latencyP50Ms < state.latencyP50Ms / 2, `p50 ${latencyP50Ms} ms with 1 in flight, ${state.latencyP50Ms} ms with 5`);
  } finally {
    await load.stop();
    server.closeAllConnections();
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
    server.closeAllConnections();
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
    server.closeAllConnections();
    server.close();
  }
  assert.equal(load.state().errors, 0);
  assert.equal(connections.size, 3);
});

test('a client that gives up while waiting costs no service time', async () => {
  const clients = 100;
  const server = createGreetingServer('aws');
  try {
    const url = await listen(server);
    const waiting = new AbortController();
    let requests = 0;
    server.on('request', () => {
      requests += 1;
      if (requests === clients + 1) waiting.abort();
    });
    const first = fetch(url);
    const outcomes = Array.from({ length: clients }, async () => await fetch(url, { signal: waiting.signal }).catch(() => undefined));
    const served = (await Promise.all(outcomes)).filter((outcome) => outcome !== undefined).length;
    const startMs = performance.now();
    assert.equal(await (await fetch(url)).text(), 'aws\n');
    const tookMs = performance.now() - startMs;
    // All of them would take 10 s.
    assert.ok(tookMs < 5000, `${tookMs} ms, ${served} were served`);
    await first;
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
