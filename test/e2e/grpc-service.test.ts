import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, createSecureServer, createServer } from 'node:http2';
import { createServer as createHttpsServer, request as askHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { suite, test, before, after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { startEchoServer } from '../../examples/grpc/echo-service.ts';
import type { EchoServer } from '../../examples/grpc/echo-service.ts';
import { callOnce, calls, echoClient } from '../conformance/grpc-calls.ts';
import type { Echo } from '../conformance/grpc-calls.ts';
import { Authority } from './certificates.ts';
import { atEndOfTest } from './end-of-test.ts';
import { HttpClient, HttpServer } from './http-peer.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';

function listener(address: string, port: number, protocol: string): Entity {
  return ['httpListener', { name: `${address}-${port}`, address, host, port, protocol }];
}

function connector(address: string, port: number, protocol: string): Entity {
  return ['httpConnector', { name: `${address}-${port}`, address, host, port, protocol }];
}

/** Waits until calls get through. */
async function answering(client: Echo): Promise<void> {
  await until('calls are answered', async () => (await callOnce(client, Buffer.from('there?'))).error === null);
}

suite('gRPC over two hops', { timeout: 58_000 }, () => {
  let server: EchoServer;
  let network: Network;
  let client: Echo;
  let port = 0;

  before(async () => {
    server = await startEchoServer(0);
    port = await freePort();
    network = await Network.start({
      tls: true,
      links: line(['near', 'middle', 'far']),
      entities: { near: [listener('echo', port, 'http2')], middle: [], far: [connector('echo', server.port, 'http2')] },
    });
    client = echoClient(port);
    await answering(client);
  });

  after(async () => {
    client.close();
    server.server.forceShutdown();
    await network[Symbol.asyncDispose]();
  });

  for (const [name, run] of Object.entries(calls)) test(name, () => run(client, server, port));
});

test('one port for clients of HTTP/1.1 and HTTP/2, with servers of either', { timeout: 58_000 }, async () => {
  await using first = await HttpServer.start((request, response) => response.end(`1 ${request.httpVersion} ${request.url}`));
  const second = createServer((request, response) => response.end(`2 ${request.httpVersion} ${request.url}`));
  second.listen(0, host);
  await once(second, 'listening');
  atEndOfTest(() => second.close());
  const [onePort, twoPort] = [await freePort(), await freePort()];
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: {
      near: [listener('one', onePort, 'http'), listener('two', twoPort, 'http')],
      far: [connector('one', first.port, 'http'), connector('two', (second.address() as AddressInfo).port, 'http2')],
    },
  });
  assert.equal(network.routers.length, 2);
  for (const [port, expected] of [
    [onePort, '1 1.1 /path?query'],
    [twoPort, '2 2.0 /path?query'],
  ] as const) {
    using client = new HttpClient(port, 2);
    await client.answering();
    const { body } = await client.ask({ path: '/path?query' });
    assert.equal(body.toString(), expected);
    const session = connect(`http://${host}:${port}`);
    const stream = session.request({ ':path': '/path?query' });
    stream.setEncoding('utf8');
    let text = '';
    for await (const piece of stream) text += String(piece);
    assert.equal(text, expected);
    session.close();
  }
});

test('TLS at both ends: the protocol is agreed on in the handshake', { timeout: 58_000 }, async () => {
  await using authority = await Authority.make();
  const credentials = await authority.issue('services-00000000');
  const [cert, key, ca] = await Promise.all(
    [credentials.certificateFile, credentials.keyFile, authority.rootFile].map((file) => readFile(file, 'utf8')),
  );
  const server = createSecureServer({ cert: cert ?? '', key: key ?? '', allowHTTP1: false }, (request, response) => {
    response.end(`${request.httpVersion} ${request.scheme} ${String(request.headers['x-forwarded-proto'])}`);
  });
  const oldServer = createHttpsServer({ cert: cert ?? '', key: key ?? '' }, (_request, response) => response.end('old'));
  for (const each of [server, oldServer]) {
    each.listen(0, host);
    await once(each, 'listening');
    atEndOfTest(() => each.close());
  }
  const portOf = (each: { address(): unknown }): number => (each.address() as AddressInfo).port;
  const [port, oldPort] = [await freePort(), await freePort()];
  const [, profile] = authority.profile(credentials, false);
  const secured = (entity: Entity): Entity => [entity[0], { ...entity[1], host: 'localhost', sslProfile: 'services' }];
  await using network = await Network.start({
    links: line(['near', 'far']),
    entities: {
      near: [
        ['sslProfile', { ...profile, name: 'services' }],
        secured(listener('new', port, 'http')),
        secured(listener('old', oldPort, 'http2')),
      ],
      far: [
        ['sslProfile', { ...profile, name: 'services' }],
        secured(connector('new', portOf(server), 'http2')),
        secured(connector('old', portOf(oldServer), 'http2')),
      ],
    },
  });
  assert.equal(network.routers.length, 2);
  await network.router('near').logged(/(service port open[^]*){2}/);
  const ask = async (to: number): Promise<{ status: number; text: string }> => {
    const session = connect(`https://localhost:${to}`, { ca: ca ?? '' });
    try {
      const stream = session.request({ ':path': '/' });
      const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
      let text = '';
      for await (const piece of stream.setEncoding('utf8')) text += String(piece);
      return { status: headers[':status'], text };
    } finally {
      session.destroy();
    }
  };
  await until('an answer', async () => (await ask(port)).status === 200);
  assert.deepEqual(await ask(port), { status: 200, text: '2.0 https https' });
  // The same port for a client of HTTP/1.1.
  const text = await new Promise<string>((resolve, reject) => {
    const request = askHttps({ host: 'localhost', port, ca: ca ?? '', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
      response.once('end', () => resolve(`${response.httpVersion} ${body}`));
    });
    request.once('error', reject);
    request.end();
  });
  assert.equal(text, '1.1 2.0 https https');
  // A server that does not offer HTTP/2.
  const refused = await ask(oldPort);
  assert.equal(refused.status, 503, refused.text);
  assert.match(refused.text, /application protocol|HTTP\/2/);
});

test('a link that fails in the middle: each call has an end, and calls go on', { timeout: 58_000 }, async () => {
  const server = await startEchoServer(0);
  const [port, linkPort] = [await freePort(), await freePort()];
  await using proxy = await LinkProxy.start(linkPort);
  await using network = await Network.start({
    links: [{ from: 'c', to: 'b' }],
    entities: {
      a: [listener('echo', port, 'http2'), ['connector', { name: 'b', role: 'inter-router', host, port: proxy.port }]],
      b: [['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }]],
      c: [connector('echo', server.port, 'http2')],
    },
  });
  const client = echoClient(port);
  atEndOfTest(() => {
    client.close();
    server.server.forceShutdown();
  });
  await answering(client);
  const outcomes = new Map<string, number>();
  const load = new AbortController();
  atEndOfTest(() => load.abort());
  const worker = async (): Promise<void> => {
    while (!load.signal.aborted) {
      const { error } = await callOnce(client, Buffer.alloc(1000, 'l'));
      const outcome = error === null ? 'OK' : (status[error.code] ?? String(error.code));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await sleep(1);
    }
  };
  const conversation = client.converse();
  const ended = once(conversation, 'error');
  conversation.on('data', () => {});
  conversation.write(Buffer.from('first'));
  const workers = Array.from({ length: 8 }, worker);
  await sleep(500);
  proxy.cut(true);
  const [error] = (await ended) as [ServiceError];
  assert.equal(error.code, status.UNAVAILABLE);
  const from = network.router('b').log.length;
  await sleep(300);
  proxy.restore();
  await network.router('b').logged(/link is up/, 10_000, from);
  await answering(client);
  await sleep(300);
  load.abort();
  await Promise.all(workers);
  console.log(`# outcomes with a link that was cut: ${[...outcomes].map(([outcome, count]) => `${outcome}: ${count}`).join(', ')}`);
  assert.ok((outcomes.get('OK') ?? 0) > 100);
  for (const outcome of outcomes.keys()) assert.match(outcome, /^(?:OK|UNAVAILABLE)$/);
});
