import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer as createHttpServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions, Server as HttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { TcpSocket } from '../../host/tcp-socket.ts';
import { TurnQueue } from '../../host/turn.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from '../http/exchange.ts';
import { buildFields } from '../http/field-block.ts';
import { HeadWriter } from './head-writer.ts';
import { Http1Client } from './http1-client.ts';
import { Http1Listener } from './http1-listener.ts';
import { OctetPool } from './octet-pool.ts';

/** Takes the requests of a client to a server: both ends of the protocol back to back, over real sockets. */
class Relay implements HttpHandler {
  readonly #turns = new TurnQueue();
  readonly #pool = new OctetPool();
  readonly #context = { pool: this.#pool, writer: new HeadWriter(this.#pool), maxHeaderBytes: 16_384, host: 'default' };
  readonly #serverPort: number;
  readonly #idle: Http1Client[] = [];
  readonly sockets = new Set<Socket>();
  readonly server: Server;
  readonly listener: Http1Listener;
  /** Connections to the server that were made. */
  connections = 0;

  constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.listener = new Http1Listener(
      this,
      { nowMs: () => performance.now(), wallMs: () => Date.now() },
      {
        scheme: 'http',
        maxHeaderBytes: 16_384,
        headerTimeoutMs: 10_000,
        idleTimeoutMs: 10_000,
        errorAnswer: (status) => ({ fields: buildFields([]), body: Buffer.from(`${status}`) }),
      },
    );
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.sockets.add(socket);
      this.listener.accept(new TcpSocket(socket, this.#turns), '127.0.0.1', undefined);
    });
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    let client = this.#idle.pop();
    while (client !== undefined && !client.isIdle) client = this.#idle.pop();
    return (client ?? this.#connect()).handle(head, responder);
  }

  #connect(): Http1Client {
    this.connections++;
    const socket = connect({ port: this.#serverPort, host: '127.0.0.1', allowHalfOpen: true });
    this.sockets.add(socket);
    return new Http1Client(
      this.#context,
      { idle: (client) => void this.#idle.push(client), ended(): void {} },
      new TcpSocket(socket, this.#turns),
    );
  }
}

/** Answers with the request's body; `/silent` never, and 404 before the body is complete at `/early`. */
function createEcho(closed: string[]): HttpServer {
  const server = createHttpServer((request, response) => {
    response.on('close', () => void (response.writableFinished || closed.push(request.url ?? '')));
    if (request.url === '/silent') return;
    if (request.url === '/early') {
      response.writeHead(404, { 'content-length': 2 }).end('no');
      return;
    }
    response.writeHead(200, { 'x-method': request.method, 'x-host': request.headers.host });
    request.pipe(response, { end: false });
    request.on('end', () => {
      response.addTrailers({ sum: `${request.trailers['sum']}` });
      response.end();
    });
  });
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  return server;
}

async function start(context: TestContext): Promise<{ relay: Relay; port: number; server: HttpServer; closed: string[]; agent: Agent }> {
  const closed: string[] = [];
  const server = createEcho(closed);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = new Relay((server.address() as AddressInfo).port);
  relay.server.listen(0, '127.0.0.1');
  await once(relay.server, 'listening');
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  context.after(() => {
    agent.destroy();
    relay.listener.stop();
    for (const socket of relay.sockets) socket.destroy();
    relay.server.close();
    server.closeAllConnections();
    server.close();
  });
  return { relay, port: (relay.server.address() as AddressInfo).port, server, closed, agent };
}

async function send(
  options: RequestOptions,
  body: Uint8Array | undefined,
  chunked = false,
): Promise<{ answer: IncomingMessage; body: Buffer }> {
  const request = httpRequest({ host: '127.0.0.1', method: 'POST', ...options });
  if (chunked) request.setHeader('transfer-encoding', 'chunked');
  if (chunked) request.addTrailers({ sum: '7' });
  request.end(body);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return { answer, body: Buffer.concat(chunks) };
}

test('many exchanges at once over kept connections', async (context) => {
  const { relay, port, agent } = await start(context);
  await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const { answer, body } = await send({ port, agent, path: `/${index}` }, Buffer.from(`body ${index}`), index % 2 === 0);
      assert.equal(answer.statusCode, 200);
      assert.equal(answer.headers['x-host'], `127.0.0.1:${port}`);
      assert.equal(body.toString(), `body ${index}`);
    }),
  );
  assert.ok(relay.connections <= 4, `${relay.connections} connections for four clients`);
  const { answer, body } = await send({ port, agent, method: 'HEAD' }, undefined);
  assert.deepEqual([answer.headers['x-method'], body.length], ['HEAD', 0]);
});

test('long bodies both ways, with trailers, and never more than the windows held', async (context) => {
  const { port, agent } = await start(context);
  const long = randomBytes(8 * 1024 * 1024);
  for (const chunked of [false, true]) {
    const { answer, body } = await send({ port, agent, headers: { te: 'trailers', connection: 'keep-alive, te' } }, long, chunked);
    assert.equal(createHash('sha256').update(body).digest('hex'), createHash('sha256').update(long).digest('hex'));
    assert.equal(answer.trailers['sum'], chunked ? '7' : 'undefined');
  }
});

test('an early answer reaches the client', async (context) => {
  const { port } = await start(context);
  const request = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/early', headers: { 'content-length': 1_000_000 } });
  request.on('error', () => {
    // The connection ends behind the answer.
  });
  request.write(Buffer.alloc(1_000));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  assert.equal(answer.statusCode, 404);
  answer.resume();
  await once(answer, 'end');
  request.destroy();
});

test('a client that goes away ends the exchange at the server', async (context) => {
  const { port, server, closed } = await start(context);
  const request = httpRequest({ host: '127.0.0.1', port, path: '/silent' });
  request.on('error', () => {
    // We end it ourselves.
  });
  request.end();
  await once(server, 'request');
  request.destroy();
  while (closed.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(closed, ['/silent']);
});

test('another protocol', async (context) => {
  const { relay, port } = await start(context);
  const request = httpRequest({ host: '127.0.0.1', port, headers: { connection: 'Upgrade', upgrade: 'echo' } });
  request.end();
  const [answer, socket] = (await once(request, 'upgrade')) as [IncomingMessage, Socket];
  assert.equal(answer.statusCode, 101);
  const long = randomBytes(1024 * 1024);
  socket.end(long);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.ok(Buffer.concat(chunks).equals(long));
  while (relay.listener.active > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});
