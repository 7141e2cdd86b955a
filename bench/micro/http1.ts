/**
 * HTTP/1 heads per second in one process: `node bench/micro/http1.ts [--seconds 2]`.
 *
 * - request: octets of a request of 300 are parsed to head and field block, and written anew as a server gets them;
 * - answer: the same for an answer's head;
 * - exchange: a whole exchange through `Http1Server` over a socket in memory, answered at once with 100 octets of body.
 */
import { parseArgs } from 'node:util';
import type { StreamSocket, StreamSocketHandler } from '../../src/base/stream-socket.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../../src/services/http/exchange.ts';
import { HeadWriter } from '../../src/services/http1/head-writer.ts';
import { Http1Listener } from '../../src/services/http1/http1-listener.ts';
import { DateLine } from '../../src/services/http1/http-date.ts';
import { ParseEvent } from '../../src/services/http1/message-parser.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import { RequestParser } from '../../src/services/http1/request-parser.ts';
import { ResponseParser } from '../../src/services/http1/response-parser.ts';

const request = octets(
  [
    'GET /api/v1/items?page=2&size=50 HTTP/1.1',
    'Host: shop.example.net:8080',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101',
    'Accept: application/json, text/plain, */*',
    'Accept-Encoding: gzip, deflate, br',
    'X-Request-Id: 7f3c1b9e-52d4-4a35',
    'Cookie: session=0123456789abcdef0123456789abcdef',
  ],
  300,
);
const answer = octets(
  [
    'HTTP/1.1 200 OK',
    'Date: Sun, 06 Nov 1994 08:49:37 GMT',
    'Content-Type: application/json; charset=utf-8',
    'Content-Length: 0',
    'Cache-Control: private, max-age=0',
    'ETag: "0123456789abcdef"',
  ],
  220,
);

/** A head of exactly `length` octets. */
function octets(lines: readonly string[], length: number): Uint8Array {
  const text = `${lines.join('\r\n')}\r\nX-Fill: `;
  return new Uint8Array(Buffer.from(`${text.padEnd(length - 4, 'x')}\r\n\r\n`));
}

const clock = { nowMs: (): number => 0, wallMs: (): number => 0 };
const framing = { contentLength: 0, chunked: false, close: false, keepAlive: false, upgrade: '' };

function requests(): () => number {
  const pool = new OctetPool();
  const parser = new RequestParser(pool, 16_384, 'http', '192.0.2.1');
  const writer = new HeadWriter(pool);
  return () => {
    parser.push(request);
    if (parser.next() !== ParseEvent.head || parser.head === undefined) throw new Error('no head');
    writer.request(parser.head, '');
    parser.next();
    parser.next();
    return writer.end - writer.start;
  };
}

function answers(): () => number {
  const pool = new OctetPool();
  const parser = new ResponseParser(pool, 16_384);
  const writer = new HeadWriter(pool);
  const date = new DateLine(clock);
  return () => {
    parser.expect('GET', '');
    parser.push(answer);
    if (parser.next() !== ParseEvent.head || parser.head === undefined) throw new Error('no head');
    writer.answer(parser.head.status, parser.head.fields, framing, date);
    parser.next();
    parser.next();
    return writer.end - writer.start;
  };
}

class Socket implements StreamSocket {
  handler: StreamSocketHandler | undefined;
  readonly pendingBytes = 0;
  writtenBytes = 0;
  write(_bytes: Uint8Array, start: number, end: number): void {
    this.writtenBytes += end - start;
  }
  end(): void {}
  destroy(): void {}
  pause(): void {}
  resume(): void {}
}

const noFields: FieldBlock = new Uint8Array(0);
const body = new Uint8Array(100);
const ok: ResponseHead = { status: 200, fields: noFields, contentLength: body.length, hasBody: true, upgrade: false };

class Sink implements RequestSink {
  readonly congested = false;
  readonly #responder: Responder;
  constructor(responder: Responder) {
    this.#responder = responder;
  }
  data(): void {}
  end(): void {
    this.#responder.head(ok);
    this.#responder.data(body, 0, body.length);
    this.#responder.end(undefined);
  }
  abort(): void {}
  responseWritten(): void {}
}

function exchanges(): () => number {
  const handler: HttpHandler = { handle: (_head: RequestHead, responder: Responder): RequestSink => new Sink(responder) };
  const listener = new Http1Listener(handler, clock, {
    scheme: 'http',
    maxHeaderBytes: 16_384,
    headerTimeoutMs: 10_000,
    idleTimeoutMs: 60_000,
    errorAnswer: () => ({ fields: noFields, body: noFields }),
  });
  const socket = new Socket();
  const server = listener.accept(socket, '192.0.2.1', undefined);
  return () => {
    const before = socket.writtenBytes;
    server.received(request);
    return socket.writtenBytes - before;
  };
}

function measure(name: string, run: () => number, durationMs: number): void {
  for (let round = 0; round < 100_000; round++) run();
  let count = 0;
  let bytes = 0;
  const start = performance.now();
  const cpu = process.cpuUsage();
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    for (let round = 0; round < 1_000; round++) bytes += run();
    count += 1_000;
    elapsedMs = performance.now() - start;
  }
  const { user, system } = process.cpuUsage(cpu);
  console.log(
    `${name}: ${Math.round((count / elapsedMs) * 1000)} per second, ${((user + system) / count).toFixed(2)} µs of processor each, ${Math.round(bytes / count)} octets out`,
  );
}

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } });
const durationMs = Number(values.seconds) * 1000;
if (!(durationMs > 0)) {
  console.error('http1: --seconds is a number above 0');
  process.exit(2);
}
measure('request head of 300 octets', requests(), durationMs);
measure('answer head of 220 octets', answers(), durationMs);
measure('exchange', exchanges(), durationMs);
