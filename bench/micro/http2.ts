/**
 * Requests of HTTP/2 per second in one process: `node bench/micro/http2.ts [--seconds 3] [--streams 32]`. Client, both ends and server share
 * one thread, so that the difference of two lines is what the ends cost together, in processor time:
 *
 * - direct: Node's client asks Node's server;
 * - answered: the server's end answers by itself;
 * - relayed: the server's end passes each request to the client's end, with nothing between them, and that to the server.
 */
import { once } from 'node:events';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { parseArgs } from 'node:util';
import { processClock } from '../../src/host/process-clock.ts';
import { TcpSocket } from '../../src/host/tcp-socket.ts';
import { TurnQueue } from '../../src/host/turn.ts';
import { webSocketKeys } from '../../src/host/websocket-keys.ts';
import type { HttpHandler } from '../../src/services/http/exchange.ts';
import { buildFields } from '../../src/services/http/field-block.ts';
import { errorAnswer } from '../../src/services/http/network-error.ts';
import { Http2Listener } from '../../src/services/http2/http2-listener.ts';
import { Http2Pool } from '../../src/services/http2/http2-pool.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '3' }, streams: { type: 'string', default: '32' } } });
const seconds = Number(values.seconds);
const streams = Number(values.streams);
const body = Buffer.alloc(100, 'b');
const fields = buildFields([{ name: 'content-type', value: 'application/json' }]);

const answering: HttpHandler = {
  handle: (_head, responder) => ({
    data: () => {},
    end: () => {
      responder.head({ status: 200, fields, contentLength: body.length, hasBody: true, upgrade: false });
      responder.data(body, 0, body.length);
      responder.end(undefined);
    },
    abort: () => {},
    responseWritten: () => {},
    congested: false,
  }),
};

const server = createHttp2Server({}, (request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
});
const turns = new TurnQueue();
const serverPort = await listening(server);
const pool = new Http2Pool(
  { scheme: 'http', host: `127.0.0.1:${serverPort}`, idleTimeoutMs: 60_000 },
  {
    connect: (connected) => {
      const socket = connectTcp({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
      socket.once('connect', () => connected(new TcpSocket(socket, turns)));
      return () => socket.destroy();
    },
    clock: processClock,
    turns,
    keys: webSocketKeys,
    wakeAt: () => {},
  },
);

async function listening(from: Pick<Server, 'listen' | 'once' | 'address'>): Promise<number> {
  from.listen(0, '127.0.0.1');
  await new Promise((resolve) => from.once('listening', resolve as () => void));
  return (from.address() as AddressInfo).port;
}

function frontOf(handler: HttpHandler): Server {
  const listener = new Http2Listener(
    handler,
    { clock: processClock, turns, keys: webSocketKeys },
    {
      scheme: 'http',
      maxHeaderBytes: 16_384,
      headerTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      errorAnswer: (status, reason) => errorAnswer(status, reason, '', ''),
    },
  );
  return createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    listener.accept(new TcpSocket(socket, turns), '127.0.0.1', undefined),
  );
}

const request = {
  ':path': '/api/v1/items?page=2&size=50',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101',
  accept: 'application/json, text/plain, */*',
  'accept-encoding': 'gzip, deflate, br',
  'x-request-id': '7f3c1b9e-52d4-4a35',
  cookie: 'session=0123456789abcdef0123456789abcdef',
};

async function ask(session: ClientHttp2Session): Promise<void> {
  const stream = session.request(request);
  stream.resume();
  await once(stream, 'close');
}

async function measure(name: string, port: number): Promise<number> {
  const session = connect(`http://127.0.0.1:${port}`);
  let count = 0;
  let endMs = performance.now() + 1000;
  const worker = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await ask(session);
      count++;
    }
  };
  const work = async (): Promise<unknown> => await Promise.all(Array.from({ length: streams }, worker));
  await work();
  count = 0;
  endMs = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  const startMs = performance.now();
  await work();
  const { user, system } = process.cpuUsage(before);
  const perRequest = (user + system) / count;
  const rate = (count * 1000) / (performance.now() - startMs);
  console.log(`${name.padEnd(10)} ${Math.round(rate)} requests/s, ${perRequest.toFixed(1)} us of processor time each`);
  session.destroy();
  return perRequest;
}

const direct = await measure('direct', serverPort);
await measure('answered', await listening(frontOf(answering)));
const relayed = await measure('relayed', await listening(frontOf(pool)));
console.log(`both ends  ${(relayed - direct).toFixed(1)} us per request`);
process.exit(0);
