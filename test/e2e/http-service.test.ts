import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { atEndOfTest } from './end-of-test.ts';
import { HttpClient, HttpServer, hashed } from './http-peer.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';

const host = '127.0.0.1';
const mebibyte = 1_048_576;

function httpListener(address: string, port: number, more: Entity[1] = {}): Entity {
  return ['httpListener', { name: address, address, host, port, ...more }];
}

function httpConnector(address: string, port: number, more: Entity[1] = {}): Entity {
  return ['httpConnector', { name: `${address}-${port}`, address, host, port, ...more }];
}

test('kept-alive requests over two hops reach servers one by one', { timeout: 58_000 }, async () => {
  const counts = [0, 0];
  const answer = (index: number) => (request: unknown, response: ServerResponse) => {
    counts[index]++;
    response.setHeader('x-server', String(index));
    response.end('hello');
  };
  await using first = await HttpServer.start(answer(0));
  await using second = await HttpServer.start(answer(1));
  const port = await freePort();
  await using network = await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [httpListener('web', port)],
      middle: [],
      far: [httpConnector('web', first.port), httpConnector('web', second.port)],
    },
  });
  using client = new HttpClient(port, 4);
  await client.answering();
  counts.fill(0);
  const total = 400;
  let left = total;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, body } = await client.ask({ path: `/${left}` });
      assert.deepEqual([status, body.toString()], [200, 'hello']);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  console.log(`# shares of two servers: ${counts.join(' and ')} of ${total}`);
  assert.equal(counts[0] + counts[1], total);
  assert.ok(Math.min(...counts) > total * 0.4, 'four connections share two servers request by request');
  assert.ok(first.connections + second.connections < 40, 'connections to servers are kept');
  assert.equal(network.routers.length, 3);
});

test('50 MiB each way in one request over two hops arrive as they were sent', { timeout: 58_000 }, async () => {
  const totalBytes = 50 * mebibyte;
  const block = randomBytes(262_144);
  async function* octets(): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < totalBytes; sent += block.length) {
      const piece = Buffer.from(block);
      piece.writeDoubleLE(sent, 0);
      yield piece;
    }
  }
  const expected = await hashed(octets());
  let received: Promise<{ bytes: number; hash: string }> | undefined;
  await using server = await HttpServer.start((request, response) => {
    if (request.method === 'GET') {
      response.end();
      return;
    }
    received = hashed(request);
    response.flushHeaders();
    void (async () => {
      for await (const piece of octets()) if (!response.write(piece)) await once(response, 'drain');
      // What is left of a request is not wanted any more when its answer has ended.
      await received;
      response.end();
    })();
  });
  const port = await freePort();
  await using network = await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: { near: [httpListener('bulk', port)], middle: [], far: [httpConnector('bulk', server.port)] },
  });
  using client = new HttpClient(port, 1);
  await client.answering();
  const startMs = performance.now();
  const answer = await client.exchange('/both', octets());
  console.log(`# 50 MiB each way in ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
  assert.deepEqual(answer, { status: 200, ...expected });
  assert.deepEqual(await received, expected);
  console.log(`# ${network.routers.map((router) => `${Math.round(router.residentBytes() / mebibyte)} MiB`).join(', ')} resident`);
});

test('no GET fails when a link is cut in the middle of a load', { timeout: 58_000 }, async () => {
  await using server = await HttpServer.start((_request, response) => {
    setTimeout(() => response.end('hello'), 5);
  });
  const [port, linkPort] = [await freePort(), await freePort()];
  await using proxy = await LinkProxy.start(linkPort);
  await using network = await Network.start({
    links: [
      { from: 'c', to: 'b' },
      { from: 'a', to: 'd', cost: 2 },
      { from: 'c', to: 'd', cost: 2 },
    ],
    entities: {
      a: [httpListener('web', port), ['connector', { name: 'b', role: 'inter-router', host, port: proxy.port }]],
      b: [['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }]],
      c: [httpConnector('web', server.port)],
      d: [],
    },
  });
  for (const name of ['b', 'd']) await network.router(name).logged(/(link is up[^]*){2}/);
  using client = new HttpClient(port, 16);
  await client.answering();
  const load = new AbortController();
  atEndOfTest(() => load.abort());
  const statuses = new Map<string, number>();
  const worker = async (): Promise<void> => {
    while (!load.signal.aborted) {
      const outcome = await client.ask().then(
        ({ status, headers }) => `${status} ${String(headers['caravan-error'] ?? '')}`,
        (error: unknown) => String(error),
      );
      statuses.set(outcome, (statuses.get(outcome) ?? 0) + 1);
    }
  };
  const workers = Array.from({ length: 16 }, worker);
  await sleep(700);
  proxy.cut(true);
  await sleep(1000);
  const from = network.router('b').log.length;
  proxy.restore();
  await network.router('b').logged(/link is up/, 10_000, from);
  await sleep(1000);
  proxy.cut(true);
  await sleep(700);
  load.abort();
  await Promise.all(workers);
  console.log(`# outcomes with a link that was cut twice: ${[...statuses].map(([outcome, count]) => `${outcome}: ${count}`).join('; ')}`);
  assert.deepEqual([...statuses.keys()], ['200 ']);
  assert.ok((statuses.get('200 ') ?? 0) > 200);
});

test('a router that leaves ends kept-alive connections behind their answers', { timeout: 58_000 }, async () => {
  await using server = await HttpServer.start((request, response) => {
    if (request.url === '/slow') setTimeout(() => response.end('slow'), 1500);
    else response.end('quick');
  });
  const port = await freePort();
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: { near: [httpListener('web', port)], far: [httpConnector('web', server.port)] },
  });
  using client = new HttpClient(port, 8);
  await client.answering();
  const slow = client.ask({ path: '/slow' });
  await sleep(200);
  const near = network.router('near');
  const startMs = performance.now();
  near.signal('SIGTERM');
  const { body, headers } = await slow;
  assert.equal(body.toString(), 'slow');
  assert.equal(headers.connection, 'close');
  assert.deepEqual(await near.ended, { code: 0, signal: null });
  console.log(`# the router was gone after ${Math.round(performance.now() - startMs)} ms`);
});

test(
  'no GET fails when the router of one of two servers leaves, and none when the router of the clients does',
  { timeout: 58_000 },
  async () => {
    await using first = await HttpServer.start((_request, response) => void setTimeout(() => response.end('first'), 5));
    await using second = await HttpServer.start((_request, response) => void setTimeout(() => response.end('second'), 5));
    const port = await freePort();
    await using network = await Network.start({
      links: [
        { from: 'near', to: 'far' },
        { from: 'near', to: 'further' },
      ],
      entities: {
        near: [httpListener('web', port)],
        far: [httpConnector('web', first.port)],
        further: [httpConnector('web', second.port)],
      },
    });
    using client = new HttpClient(port, 8);
    await client.answering();
    const outcomes = new Map<string, number>();
    let isLeaving = false;
    let isOver = false;
    atEndOfTest(() => (isOver = true));
    const worker = async (): Promise<void> => {
      for (;;) {
        const outcome = await client.ask().then(
          ({ status }) => String(status),
          (error: NodeJS.ErrnoException) => `${isLeaving ? 'near' : 'far'} leaves: ${error.code ?? error.message}`,
        );
        // At the end the port is closed, and new connections are refused.
        if (isOver || outcome === 'near leaves: ECONNREFUSED') return;
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    };
    const workers = Array.from({ length: 8 }, worker);
    await sleep(500);
    network.router('far').signal('SIGTERM');
    assert.deepEqual(await network.router('far').ended, { code: 0, signal: null });
    await sleep(300);
    isLeaving = true;
    network.router('near').signal('SIGTERM');
    assert.deepEqual(await network.router('near').ended, { code: 0, signal: null });
    await Promise.all(workers);
    console.log(`# outcomes: ${[...outcomes].map(([outcome, count]) => `${outcome}: ${count}`).join(', ')}`);
    assert.deepEqual([...outcomes.keys()], ['200']);
  },
);

test('a server that is not there is told at once, with the site and the service', { timeout: 58_000 }, async () => {
  const [port, nobody] = [await freePort(), await freePort()];
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: { near: [httpListener('web', port)], far: [httpConnector('web', nobody)] },
  });
  await network.router('near').logged(/service port open/);
  using client = new HttpClient(port, 1);
  const { status, headers } = await client.ask();
  assert.equal(status, 503);
  assert.match(String(headers['caravan-error']), /^[a-z-]+; site="near-00000000"; service="web"; reason="/);
});
