import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import { HttpClient } from './http-peer.ts';
import { LinkProxy } from './link-proxy.ts';
import { Network } from './network.ts';
import { freePort } from './ports.ts';
import type { Entity } from './router-process.ts';
import { until } from './until.ts';

const host = '127.0.0.1';

/** A server whose answers take until `release`, and that remembers what it was asked and what was cut off. */
class SlowServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #waiting: ServerResponse[] = [];
  readonly asked: string[] = [];
  readonly cutOff: string[] = [];
  readonly upgraded: Socket[] = [];
  upgradesEnded = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      const what = `${request.method} ${request.url}`;
      this.asked.push(what);
      response.once('close', () => {
        if (!response.writableFinished) this.cutOff.push(what);
      });
      if (request.url === '/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: first\n\n');
      } else {
        request.resume();
        this.#waiting.push(response);
      }
    });
    this.#server.on('upgrade', (_request, socket: Socket) => {
      this.upgraded.push(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.upgradesEnded++);
      socket.on('end', () => socket.end());
      socket.on('data', (octets) => socket.write(octets));
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  release(): void {
    for (const response of this.#waiting.splice(0)) response.end('done');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    for (const socket of this.upgraded) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function open(port: number, method: string, path: string, headers: Record<string, string> = {}): ClientRequest {
  return httpRequest({ host, port, method, path, headers, agent: false });
}

/** An event stream of which the first event has come, and how it ended. */
async function eventStream(port: number): Promise<{ readonly ended: Promise<string>; readonly close: () => void }> {
  const request = open(port, 'GET', '/events');
  // The answer says it, too.
  request.on('error', () => {});
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  await once(answer, 'data');
  answer.resume();
  return {
    close: () => void answer.destroy(),
    ended: new Promise((resolve) => {
      answer.once('end', () => resolve('complete'));
      answer.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    }),
  };
}

/** An upgraded connection that has echoed, and its end. */
async function upgraded(port: number): Promise<{ readonly closed: Promise<unknown>; readonly close: () => void }> {
  const request = open(port, 'GET', '/socket', { connection: 'upgrade', upgrade: 'websocket' });
  request.end();
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Socket];
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write('ping');
  await once(socket, 'data');
  socket.resume();
  return { closed, close: () => void socket.destroy() };
}

/** near → middle → far with a proxy in one of its links, and a dearer way near → other → far. */
async function breakableNetwork(hop: 1 | 2, proxy: LinkProxy, linkPort: number, near: Entity[], far: Entity[]): Promise<Network> {
  const dial: Entity = ['connector', { name: 'proxied', role: 'inter-router', host, port: proxy.port }];
  const accept: Entity = ['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }];
  const network = await Network.start({
    links: [
      hop === 1 ? { from: 'middle', to: 'far' } : { from: 'near', to: 'middle' },
      { from: 'near', to: 'other', cost: 2 },
      { from: 'other', to: 'far', cost: 2 },
    ],
    entities: {
      near: hop === 1 ? [...near, dial] : near,
      middle: [hop === 1 ? accept : dial],
      other: [],
      far: hop === 1 ? far : [...far, accept],
    },
  });
  for (const name of ['middle', 'other']) await network.router(name).logged(/(link is up[^]*){2}/);
  return network;
}

for (const hop of [1, 2] as const) {
  test(`what is in progress when link ${hop} of two breaks ends as promised, at both ends`, { timeout: 58_000 }, async () => {
    await using server = new SlowServer();
    await server.listen();
    const [port, linkPort] = [await freePort(), await freePort()];
    await using proxy = await LinkProxy.start(linkPort);
    await using network = await breakableNetwork(
      hop,
      proxy,
      linkPort,
      [['httpListener', { name: 'web', address: 'web', host, port }]],
      [['httpConnector', { name: 'web', address: 'web', host, port: server.port }]],
    );
    assert.equal(network.routers.length, 4);
    using client = new HttpClient(port, 4);
    await until('an answer', async () => {
      const answer = client.ask({ path: '/first' }).catch(() => undefined);
      await until('the server is asked or the port is not open', async () => {
        server.release();
        return await Promise.race([answer.then(() => true), new Promise<false>((resolve) => setTimeout(resolve, 20, false))]);
      });
      return (await answer)?.status === 200;
    });
    const post = client.ask({ method: 'POST', path: '/order', body: 'one' });
    const get = client.ask({ path: '/page' });
    const events = await eventStream(port);
    const socket = await upgraded(port);
    await until('all requests are with the server', () => server.asked.includes('POST /order') && server.asked.includes('GET /page'));

    proxy.cut(true);
    const lost = await post;
    assert.equal(lost.status, 502);
    assert.match(String(lost.headers['caravan-error']), /^link-lost; site="near-00000000"; service="web"; reason="[^"]+"$/);
    assert.match(lost.body.toString(), /^502 Bad Gateway\n/);
    assert.notEqual(await events.ended, 'complete', 'an event stream that is cut off does not look complete');
    await socket.closed;
    await until('the server sees the ends, too', () => server.upgradesEnded === 1 && server.cutOff.includes('GET /events'));
    await until('the GET is with the server again', () => server.asked.filter((what) => what === 'GET /page').length === 2);
    server.release();
    const page = await get;
    assert.deepEqual([page.status, page.body.toString()], [200, 'done']);
    assert.equal(server.asked.filter((what) => what === 'POST /order').length, 1, 'a POST is not sent twice');

    // By the other way everything works again.
    (await upgraded(port)).close();
    (await eventStream(port)).close();
  });
}

test('servers behind a link that breaks are done without, and used again when it is back', { timeout: 58_000 }, async () => {
  const named = (name: string): Server => createServer((_request, response) => void setTimeout(() => response.end(name), 5));
  const servers = [named('one'), named('two')];
  for (const server of servers) {
    server.listen(0, host);
    await once(server, 'listening');
  }
  const [onePort, twoPort] = servers.map((server) => (server.address() as AddressInfo).port);
  const [port, linkPort] = [await freePort(), await freePort()];
  try {
    await using proxy = await LinkProxy.start(linkPort);
    await using network = await Network.start({
      links: [
        { from: 'near', to: 'middle' },
        { from: 'middle', to: 'two' },
      ],
      entities: {
        near: [['httpListener', { name: 'web', address: 'web', host, port }]],
        middle: [['connector', { name: 'proxied', role: 'inter-router', host, port: proxy.port }]],
        one: [
          ['listener', { name: 'proxied', role: 'inter-router', host, port: linkPort }],
          ['httpConnector', { name: 'web', address: 'web', host, port: onePort }],
        ],
        two: [['httpConnector', { name: 'web', address: 'web', host, port: twoPort }]],
      },
    });
    using client = new HttpClient(port, 12);
    await client.answering();
    let answers: string[] = [];
    const over = new AbortController();
    const ask = async (method: string): Promise<void> => {
      while (!over.signal.aborted) {
        const { status, body, headers } = await client.ask({ method });
        const code = String(headers['caravan-error']).split(';')[0];
        answers.push(`${method} ${status} ${status === 200 ? body.toString() : code}`);
      }
    };
    const asking = Promise.all(Array.from({ length: 12 }, (_, index) => ask(index < 8 ? 'GET' : 'POST')));
    const served = (name: string): boolean => answers.some((answer) => answer.endsWith(`200 ${name}`));
    try {
      await until('both are used', () => served('one') && served('two'));
      answers = [];
      proxy.cut(true);
      await network.router('middle').logged(/link is down/);
      // What was in progress has ended when so much has been answered.
      await until('many requests are answered', () => answers.length > 100);
      const outcomes = new Set(answers);
      answers = [];
      await until('many more are', () => answers.length > 100);
      assert.deepEqual(new Set(answers), new Set(['GET 200 two', 'POST 200 two']));
      outcomes.delete('GET 200 one');
      outcomes.delete('POST 200 one');
      outcomes.delete('POST 502 link-lost');
      assert.deepEqual(outcomes, new Set(['GET 200 two', 'POST 200 two']), 'no GET fails, and a POST only if it was at the other server');
      answers = [];
      proxy.restore();
      await until('both are used again', () => served('one') && served('two'), 20_000);
      assert.ok(
        answers.every((answer) => answer.includes(' 200 ')),
        'nothing fails while the link comes back',
      );
    } finally {
      over.abort();
      await asking;
    }
  } finally {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  }
});
