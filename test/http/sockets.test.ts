import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualNetwork, pattern } from '../../src/sim/virtual-network.ts';
import type { Application } from '../../src/sim/virtual-socket.ts';
import { HttpRouter, reply } from './http-sockets.ts';
import type { Port } from './http-sockets.ts';
import { assertAtRest } from './virtual-http.ts';

/** Requests that a server of HTTP/1.1 has read, by their empty line, and how it answers. */
function serving(
  answers: (request: string, application: Application) => void,
  seen: Application[] = [],
): (application: Application) => void {
  return (application) => {
    seen.push(application);
    application.keepChunks = false;
    let text = '';
    application.onData = (bytes) => {
      text += new TextDecoder('latin1').decode(bytes);
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end);
        text = text.slice(end + 4);
        answers(request, application);
      }
    };
    application.onEnd = () => application.end();
  };
}

interface Pair {
  readonly network: VirtualNetwork;
  readonly first: HttpRouter;
  readonly last: HttpRouter;
}

function pair(): Pair {
  const network = new VirtualNetwork(1);
  const first = new HttpRouter(network, 'a');
  const last = new HttpRouter(network, 'b');
  network.link(first.router, last.router);
  return { network, first, last };
}

function reach({ network, first }: Pair): Port {
  const port = first.listenSockets('service');
  network.runUntil(() => first.router.control.forwarder.reachable('service'), 3000);
  network.run(100);
  return port;
}

function get(path: string, ...lines: string[]): Uint8Array {
  return new TextEncoder().encode([`GET ${path} HTTP/1.1`, 'Host: shop.example', ...lines, '', ''].join('\r\n'));
}

test('requests of many clients on kept connections share connections to the server', () => {
  const routers = pair();
  const { network, first, last } = routers;
  const seen: Application[] = [];
  const { pool } = last.serveSockets(
    'one',
    serving((request, application) => application.write(reply(request.split(' ')[1] ?? '')), seen),
  );
  const port = reach(routers);
  const clients = Array.from({ length: 10 }, () => first.connectTo(port));
  for (let round = 0; round < 20; round++) {
    for (const [index, client] of clients.entries()) client.write(get(`/client/${index}/round/${round}`));
    network.run(50);
    for (const [index, client] of clients.entries()) {
      assert.ok(client.text.endsWith(`/client/${index}/round/${round}`), client.text.slice(-300));
    }
  }
  assert.equal(seen.length, 10);
  assert.deepEqual([pool.connections, pool.idleConnections], [10, 10]);
  // Connections that nobody uses are closed before the server would close them.
  network.run(5000);
  assert.equal(pool.connections, 0);
  assert.ok(seen.every(({ gone }) => gone !== undefined));
  for (const client of clients) client.end();
  network.run(100);
  assert.equal(port.listener.active, 0);
  assertAtRest(network, [first, last]);
});

test('nothing of one client is in the answer to another, and each hears who asked', () => {
  const routers = pair();
  const { network, first, last } = routers;
  const requests: string[] = [];
  last.serveSockets(
    'one',
    serving((request, application) => {
      requests.push(request);
      application.write(reply('ok', 'connection: keep-alive, x-private', 'x-private: 1', 'x-public: 2'));
    }),
  );
  const port = reach(routers);
  const client = first.connectTo(port);
  client.write(get('/', 'Connection: x-hop', 'X-Hop: 1', 'X-Request-Id: abc', 'Forwarded: for=10.0.0.1'));
  network.run(50);
  assert.match(client.text, /x-public: 2/);
  assert.doesNotMatch(client.text, /x-private|keep-alive/);
  assert.deepEqual(requests[0]?.toLowerCase().split('\r\n').toSorted(), [
    'forwarded: for=10.0.0.1, for=192.0.2.7;host="shop.example";proto=http',
    'get / http/1.1',
    'host: shop.example',
    'x-forwarded-for: 192.0.2.7',
    'x-forwarded-host: shop.example',
    'x-forwarded-proto: http',
    'x-request-id: abc',
  ]);
});

test('a GET on a connection that the server closes at that moment is repeated on a new one; a POST is not', () => {
  const routers = pair();
  const { network, first, last } = routers;
  let served = 0;
  const seen: Application[] = [];
  last.serveSockets(
    'one',
    serving((_request, application) => {
      // Each connection serves one request and ends with the next.
      if (application === seen.at(-1) && served < seen.length) {
        served++;
        application.write(reply('ok'));
      } else application.reset();
    }, seen),
  );
  const port = reach(routers);
  const client = first.connectTo(port);
  for (let round = 1; round <= 3; round++) {
    client.write(get('/'));
    network.run(50);
    assert.equal(client.text.match(/200 OK/g)?.length, round);
    assert.equal(seen.length, round);
  }
  client.write(new TextEncoder().encode('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n'));
  network.run(50);
  assert.match(client.text, /HTTP\/1.1 502 .*caravan-error: server-failed; site="a"/s);
  assert.equal(seen.length, 3);
});

test('a server that refuses connections is named as the reason', () => {
  const routers = pair();
  const { network, first, last } = routers;
  const { pool, server } = last.serveSockets('one', undefined);
  const client = first.connectTo(reach(routers));
  client.write(get('/'));
  network.run(50);
  assert.match(client.text, /^HTTP\/1.1 503 .*caravan-error: connect-failed; .*reason="connection refused; no other server is ready"/s);
  assert.deepEqual([pool.lastFailure, server.failed, server.lastFailure], ['connection refused', 1, 'connection refused']);
  assertAtRest(network, [first, last]);
});

test('a body of 5 MB goes both ways through sockets that take it slowly', () => {
  const routers = pair();
  const { network, first, last } = routers;
  const body = pattern(5_000_000);
  let isAnswering = false;
  last.serveSockets('one', (application) => {
    let text = '';
    application.onData = (bytes) => {
      if (!isAnswering) {
        text += new TextDecoder('latin1').decode(bytes);
        const end = text.indexOf('\r\n\r\n');
        if (end < 0) return;
        application.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`));
        const rest = text.length - end - 4;
        isAnswering = true;
        if (rest > 0) application.write(bytes.subarray(bytes.length - rest));
        return;
      }
      application.write(bytes);
    };
    application.keepChunks = false;
  });
  const client = first.connectTo(reach(routers));
  const chunks: Uint8Array[] = [];
  client.onData = (bytes) => chunks.push(bytes);
  client.keepChunks = false;
  client.write(new TextEncoder().encode(`POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`));
  client.write(body);
  let ticks = 0;
  while (client.received < body.length && ticks++ < 4000) {
    client.reading = ticks % 3 === 0;
    network.run(5);
  }
  client.reading = true;
  network.run(100);
  const all = new Uint8Array(client.received);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  const head = all.length - body.length;
  assert.ok(head > 0);
  assert.ok(Buffer.from(body).equals(all.subarray(head)));
  client.end();
  assertAtRest(network, [first, last]);
});

test('pipelined requests are answered in their order', () => {
  const routers = pair();
  const { network, first, last } = routers;
  last.serveSockets(
    'one',
    serving((request, application) => application.write(reply(request.split(' ')[1] ?? ''))),
  );
  const client = first.connectTo(reach(routers));
  for (let index = 0; index < 10; index++) client.write(get(`/${index}`));
  network.run(200);
  assert.deepEqual(
    client.text.match(/\r\n\r\n\/\d/g),
    Array.from({ length: 10 }, (_, index) => `\r\n\r\n/${index}`),
  );
});

test('requests beyond the connections that a server may have wait for one', () => {
  const routers = pair();
  const { network, first, last } = routers;
  const seen: Application[] = [];
  let open = 0;
  let most = 0;
  const { pool } = last.serveSockets(
    'one',
    serving((request, application) => {
      most = Math.max(most, ++open);
      network.at(20, () => {
        open--;
        application.write(reply(request.split(' ')[1] ?? ''));
      });
    }, seen),
    {},
    { maxConnections: 3 },
  );
  const port = reach(routers);
  const clients = Array.from({ length: 12 }, (_, index) => {
    const client = first.connectTo(port);
    client.write(get(`/${index}`));
    return client;
  });
  network.run(10);
  assert.deepEqual([pool.connections, pool.waiting], [3, 9]);
  clients[11].reset();
  network.run(300);
  for (const [index, client] of clients.slice(0, 11).entries()) assert.ok(client.text.endsWith(`\r\n/${index}`));
  assert.deepEqual([most, seen.length, pool.waiting], [3, 3, 0]);
  assertAtRest(network, [first, last]);
});

test('a server that is not running is started by the first request, which waits for it; one that does not start is said to', () => {
  for (const startsAfterMs of [2_000, 60_000]) {
    const routers = pair();
    const { network, first, last } = routers;
    let activations = 0;
    let isRunning = false;
    const activate = (): void => {
      activations++;
      network.at(startsAfterMs, () => (isRunning = true));
    };
    last.serveSockets(
      'one',
      serving((_request, application) => application.write(reply('started'))),
      { isRunning: () => isRunning },
      { activation: { activate, timeoutMs: 10_000 } },
    );
    const port = reach(routers);
    const clients = [first.connectTo(port), first.connectTo(port)];
    for (const client of clients) client.write(get('/'));
    network.run(1_900);
    assert.deepEqual(
      clients.map(({ received }) => received),
      [0, 0],
    );
    network.run(10_000);
    for (const client of clients) {
      if (startsAfterMs < 10_000) assert.match(client.text, /200 OK.*started$/s);
      else assert.match(client.text, /503 .*reason="the server did not start: connection refused/s);
    }
    assert.equal(activations, 1);
    assertAtRest(network, [first, last]);
  }
});
