import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpClient } from './http-peer.ts';
import { Network, line } from './network.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

const host = '127.0.0.1';
const timeout = 20_000;

/** What the server does is in the path. */
const server: Server = createServer((request, response) => {
  switch (request.url) {
    case '/head':
      response.setHeader('content-length', '12345');
      response.setHeader('etag', '"one"');
      response.end();
      break;
    case '/hints':
      response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
      response.writeEarlyHints({ link: '</script.js>; rel=preload; as=script' });
      response.end('page');
      break;
    case '/trailers':
      response.writeHead(200, { trailer: 'x-sum' });
      void (async () => {
        let text = '';
        for await (const piece of request.setEncoding('utf8')) text += String(piece);
        response.addTrailers({ 'x-sum': `${text} and ${request.trailers['x-count']}` });
        response.end('body');
      })();
      break;
    case '/poll':
      setTimeout(() => response.end('news'), 3000);
      break;
    case '/gone':
      break;
    default:
      response.end('ok');
  }
});
const continued: string[] = [];
server.on('checkContinue', (request: IncomingMessage, response) => {
  continued.push(request.url ?? '');
  if (request.url === '/no') response.writeHead(413, { connection: 'close' }).end('too much');
  else {
    response.writeContinue();
    request.pipe(response);
  }
});

/** Takes one request as it comes, answers with `answer`, and ends. */
class RawServer {
  readonly #server: TcpServer;
  received = '';
  answer = '';

  constructor() {
    this.#server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.setEncoding('latin1').on('data', (text: string) => {
        this.received += text;
        if (this.received.endsWith('\r\n0\r\n\r\n') || (this.received.startsWith('GET') && this.received.endsWith('\r\n\r\n')))
          socket.end(this.answer, 'latin1');
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }
}

const raw = new RawServer();
const eventServer: Server = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const last = Number(request.headers['last-event-id'] ?? 0);
  response.flushHeaders();
  events.push((id) => response.write(`id: ${last + id}\ndata: event ${last + id}\n\n`));
  response.once('close', () => eventsEnded++);
});
const events: ((id: number) => void)[] = [];
let eventsEnded = 0;
let network: Network;
let port = 0;
let rawPort = 0;
let eventPort = 0;

before(async () => {
  for (const one of [server, eventServer]) {
    one.listen(0, host);
    await once(one, 'listening');
  }
  const target = (one: Server): number => (one.address() as AddressInfo).port;
  [port, rawPort, eventPort] = [await freePort(), await freePort(), await freePort()];
  network = await Network.start({
    tls: true,
    links: line(['near', 'middle', 'far']),
    entities: {
      near: [
        ['httpListener', { name: 'web', address: 'web', host, port }],
        ['httpListener', { name: 'raw', address: 'raw', host, port: rawPort }],
        ['httpListener', { name: 'events', address: 'events', host, port: eventPort }],
      ],
      middle: [],
      far: [
        ['httpConnector', { name: 'web', address: 'web', host, port: target(server) }],
        ['httpConnector', { name: 'raw', address: 'raw', host, port: await raw.listen() }],
        ['httpConnector', { name: 'events', address: 'events', host, port: target(eventServer) }],
      ],
    },
  });
  using client = new HttpClient(port, 1);
  await client.answering();
  for (const name of ['raw', 'events']) await network.router('near').logged(new RegExp(`service port open httpListener="${name}"`));
});

after(async () => {
  for (const one of [server, eventServer]) {
    one.closeAllConnections();
    one.close();
  }
  raw.close();
  await network[Symbol.asyncDispose]();
});

function open(method: string, path: string, headers: Record<string, string> = {}, toPort = port): ClientRequest {
  return httpRequest({ host, port: toPort, method, path, headers, agent: false });
}

async function answerTo(request: ClientRequest): Promise<{ answer: IncomingMessage; body: string }> {
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let body = '';
  for await (const piece of answer.setEncoding('utf8')) body += String(piece);
  return { answer, body };
}

/** Everything that comes back for `text`, until the connection ends. */
async function exchangeRaw(text: string): Promise<string> {
  const socket = connect(rawPort, host);
  socket.write(text, 'latin1');
  let received = '';
  for await (const piece of socket.setEncoding('latin1')) received += String(piece);
  return received;
}

test('100-continue: the server decides, and is not sent a body that it does not want', { timeout }, async () => {
  const yes = open('POST', '/yes', { expect: '100-continue', 'content-length': '4' });
  yes.flushHeaders();
  await once(yes, 'continue');
  yes.end('body');
  assert.equal((await answerTo(yes)).body, 'body');

  const no = open('POST', '/no', { expect: '100-continue', 'content-length': '4' });
  let isContinued = false;
  no.on('continue', () => (isContinued = true));
  no.on('error', () => {});
  no.flushHeaders();
  const { answer } = await answerTo(no);
  no.destroy();
  assert.deepEqual([answer.statusCode, isContinued, continued], [413, false, ['/yes', '/no']]);
});

test('HEAD says what GET would have had, and the connection is good for more', { timeout }, async () => {
  using client = new HttpClient(port, 1);
  for (let index = 0; index < 3; index++) {
    const { status, headers, body } = await client.ask({ method: 'HEAD', path: '/head' });
    assert.deepEqual([status, headers['content-length'], headers.etag, body.length], [200, '12345', '"one"', 0]);
  }
  assert.equal((await client.ask()).body.toString(), 'ok');
});

test('early hints come before the answer', { timeout }, async () => {
  const request = open('GET', '/hints');
  const seen: string[] = [];
  request.on('information', ({ statusCode, headers }) => seen.push(`${statusCode} ${String(headers.link)}`));
  request.end();
  assert.equal((await answerTo(request)).body, 'page');
  assert.deepEqual(seen, ['103 </style.css>; rel=preload; as=style', '103 </script.js>; rel=preload; as=script']);
});

test('trailers go both ways', { timeout }, async () => {
  const request = open('POST', '/trailers', { te: 'trailers', trailer: 'x-count', 'transfer-encoding': 'chunked' });
  request.write('text');
  request.addTrailers({ 'x-count': '4' });
  request.end();
  const { answer, body } = await answerTo(request);
  assert.deepEqual([body, answer.trailers['x-sum']], ['body', 'text and 4']);
});

test('chunk extensions are read over, both ways', { timeout }, async () => {
  raw.answer =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
    '5;why="not; this\\" one"\r\nhello\r\n1;x\r\n!\r\n0;last=1\r\n\r\n';
  const received = await exchangeRaw(
    'POST /chunks HTTP/1.1\r\nHost: raw\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
      '3;a=b;c="d e"\r\none\r\n3;f\r\ntwo\r\n0;end\r\n\r\n',
  );
  const [, body = ''] = raw.received.split('\r\n\r\n');
  assert.equal(body.replaceAll(/\r\n/g, ' '), '6 onetwo 0', 'the server gets the octets without the extensions');
  assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
  assert.ok(!received.includes('why=') && !received.includes('last='));
  assert.equal(received.split('\r\n\r\n')[1]?.replaceAll(/\r\n|\b[0-9a-f]+\r\n/g, ''), 'hello!0');
});

test('server-sent events arrive one by one, and the server hears that a client has left', { timeout }, async () => {
  const request = open('GET', '/', { accept: 'text/event-stream', 'last-event-id': '7' }, eventPort);
  request.on('error', () => {});
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(answer.headers['content-type'], 'text/event-stream');
  answer.setEncoding('utf8').on('error', () => {});
  for (let id = 1; id <= 5; id++) {
    events[0](id);
    const [text] = (await once(answer, 'data')) as [string];
    assert.equal(text, `id: ${7 + id}\ndata: event ${7 + id}\n\n`);
  }
  answer.destroy();
  await until('the server hears it', () => eventsEnded === 1);
});

test('long polls: many wait at once, and one that is given up ends at the server', { timeout }, async () => {
  using client = new HttpClient(port, 50);
  const polls = await Promise.all(Array.from({ length: 50 }, () => client.ask({ path: '/poll' })));
  assert.ok(polls.every(({ status, body }) => status === 200 && body.toString() === 'news'));
  const asked = once(server, 'request') as Promise<[IncomingMessage]>;
  const given = open('GET', '/gone');
  given.on('error', () => {});
  given.end();
  const [request] = await asked;
  assert.equal(request.url, '/gone');
  await sleep(50);
  given.destroy();
  request.on('error', () => {});
  await until('it ends at the server', () => request.destroyed);
});

test('who asks is told to the server, and each request has an id', { timeout }, async () => {
  raw.received = '';
  raw.answer = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n';
  await exchangeRaw(
    'GET /a?b HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: mine-1\r\nConnection: close\r\n\r\n',
  );
  assert.match(raw.received, /^GET \/a\?b HTTP\/1\.1\r\n/);
  assert.match(raw.received, /^host: shop\.example\r$/im);
  assert.match(raw.received, /^forwarded: for=127\.0\.0\.1;host="shop\.example";proto=http\r$/im);
  assert.match(raw.received, /^x-forwarded-for: 192\.0\.2\.7, 127\.0\.0\.1\r$/im);
  assert.match(raw.received, /^x-forwarded-proto: http\r$/im);
  assert.match(raw.received, /^x-forwarded-host: shop\.example\r$/im);
  assert.match(raw.received, /^x-request-id: mine-1\r$/im);
});
