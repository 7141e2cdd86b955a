import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualSocket } from '../../sim/virtual-socket.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { buildFields, readFields } from '../http/field-block.ts';
import { Http1Listener } from './http1-listener.ts';
import { lingerTimeoutMs, maxAheadBytes, maxDrainedBytes, maxLingerBytes } from './limits.ts';
import { octetsOf } from './octets.ts';

/** A request as the handler got it, which the test answers. */
class Exchange implements RequestSink {
  readonly head: RequestHead;
  readonly responder: Responder;
  body = '';
  ended = false;
  trailers: FieldBlock | undefined;
  failure: ExchangeFailure | undefined;
  written = 0;
  congested = false;

  constructor(head: RequestHead, responder: Responder) {
    this.head = head;
    this.responder = responder;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    assert.ok(!this.ended && this.failure === undefined, 'octets behind the end');
    this.body += Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }

  end(trailers: FieldBlock | undefined): void {
    assert.ok(!this.ended && this.failure === undefined, 'two ends');
    this.ended = true;
    this.trailers = trailers;
  }

  abort(failure: ExchangeFailure): void {
    assert.equal(this.failure, undefined, 'two aborts');
    this.failure = failure;
  }

  responseWritten(): void {
    this.written++;
  }

  answer(body: string, head: Partial<ResponseHead> = {}): void {
    this.responder.head({ ...ok, contentLength: body.length, ...head });
    this.say(body);
    this.responder.end(undefined);
  }

  say(text: string): void {
    this.responder.data(octetsOf(text), 0, text.length);
  }
}

const ok: ResponseHead = {
  status: 200,
  fields: buildFields([{ name: 'date', value: 'D' }]),
  contentLength: -1,
  hasBody: true,
  upgrade: false,
};

class Connection implements HttpHandler {
  readonly exchanges: Exchange[] = [];
  readonly #later: (() => void)[] = [];
  readonly socket = new VirtualSocket((work) => this.#later.push(work));
  readonly listener: Http1Listener;
  nowMs = 0;
  /** Answers at once, within the call that ends a request. */
  answersAtOnce = false;

  constructor() {
    this.listener = new Http1Listener(
      this,
      { nowMs: () => this.nowMs, wallMs: () => 784_111_777_000 },
      {
        scheme: 'http',
        maxHeaderBytes: 4_096,
        headerTimeoutMs: 1_000,
        idleTimeoutMs: 10_000,
        errorAnswer: (status, reason) => ({
          fields: buildFields([{ name: 'caravan-error', value: reason }]),
          body: octetsOf(`${status}\n`),
        }),
      },
    );
    this.listener.accept(this.socket, '192.0.2.1', undefined);
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const exchange = new Exchange(head, responder);
    if (this.answersAtOnce) {
      const end = exchange.end.bind(exchange);
      exchange.end = (trailers) => {
        end(trailers);
        exchange.answer(`${head.path} ${exchange.body}`);
      };
    }
    this.exchanges.push(exchange);
    return exchange;
  }

  settle(): this {
    for (let work = this.#later.shift(); work !== undefined; work = this.#later.shift()) work();
    return this;
  }

  send(text: string): this {
    this.socket.application.write(new Uint8Array(Buffer.from(text, 'latin1')));
    return this.settle();
  }

  /** What the client got since the last call. */
  take(): string {
    this.settle();
    const { text, chunks } = this.socket.application;
    chunks.length = 0;
    return text;
  }

  wait(durationMs: number): this {
    this.nowMs += durationMs;
    this.listener.sweep(this.nowMs);
    return this.settle();
  }

  get last(): Exchange {
    const exchange = this.exchanges.at(-1);
    assert.ok(exchange !== undefined);
    return exchange;
  }
}

function lines(...all: readonly string[]): string {
  return `${all.join('\r\n')}\r\n\r\n`;
}

const get = lines('GET /a?b HTTP/1.1', 'Host: h');

test('a request and its answer, again and again on one connection', () => {
  const connection = new Connection();
  for (let round = 0; round < 3; round++) {
    connection.send(lines('POST /a?b HTTP/1.1', 'Host: h:80', 'X-One:  1 ', 'Content-Length: 3') + 'abc');
    const { head, body, ended } = connection.last;
    assert.deepEqual(
      { ...head, fields: readFields(head.fields) },
      {
        method: 'POST',
        scheme: 'http',
        authority: 'h:80',
        path: '/a?b',
        fields: [{ name: 'x-one', value: '1' }],
        contentLength: 3,
        expectContinue: false,
        upgrade: '',
        client: '192.0.2.1',
      },
    );
    assert.deepEqual({ body, ended }, { body: 'abc', ended: true });
    connection.last.answer('hello');
    assert.equal(connection.take(), lines('HTTP/1.1 200 OK', 'date: D', 'content-length: 5') + 'hello');
  }
  assert.equal(connection.listener.active, 1);
});

test('an answer without a date gets one, and never two statements about its extent', () => {
  const connection = new Connection().send(get);
  connection.last.answer('x', {
    fields: buildFields([
      { name: 'content-length', value: '9' },
      { name: 'transfer-encoding', value: 'chunked' },
      { name: 'connection', value: 'x' },
      { name: 'a', value: 'b' },
    ]),
  });
  assert.equal(connection.take(), lines('HTTP/1.1 200 OK', 'a: b', 'date: Sun, 06 Nov 1994 08:49:37 GMT', 'content-length: 1') + 'x');
});

test('requests sent ahead are answered one by one, in order', () => {
  const connection = new Connection().send(get + lines('GET /2 HTTP/1.1', 'Host: h') + get);
  assert.equal(connection.exchanges.length, 1);
  connection.last.answer('1');
  assert.deepEqual(
    connection.settle().exchanges.map(({ head }) => head.path),
    ['/a?b', '/2'],
  );
  connection.last.answer('2');
  connection.last.answer('3');
  assert.deepEqual(connection.take().match(/\r\n\r\n./g), ['\r\n\r\n1', '\r\n\r\n2', '\r\n\r\n3']);
});

test('hundreds of requests in one piece do not nest', () => {
  const connection = new Connection();
  connection.answersAtOnce = true;
  connection.send(get.repeat(2_000));
  assert.equal(connection.exchanges.length, 2_000);
});

test('what is sent ahead is bounded', () => {
  const connection = new Connection().send(get);
  const piece = 'x'.repeat(maxAheadBytes + 1);
  connection.send(piece).send(piece);
  assert.equal(connection.socket.application.taken, get.length + piece.length, 'the second piece stays in the socket');
});

test('bodies in chunks, with trailers for who wants them', () => {
  const connection = new Connection();
  for (const te of ['TE: trailers', 'X: y']) {
    connection.send(lines('PUT / HTTP/1.1', 'Host: h', te, 'Transfer-Encoding: chunked') + lines('3;x=y', 'abc', '00', 'Checksum: 7'));
    assert.equal(connection.last.body, 'abc');
    assert.deepEqual(readFields(connection.last.trailers ?? assert.fail()), [{ name: 'checksum', value: '7' }]);
    connection.last.responder.head(ok);
    connection.last.say('hello');
    connection.last.say('x'.repeat(2_000));
    connection.last.responder.end(buildFields([{ name: 'sum', value: '8' }]));
    const trailer = te.startsWith('TE') ? 'sum: 8\r\n' : '';
    assert.equal(
      connection.take(),
      lines('HTTP/1.1 200 OK', 'date: D', 'transfer-encoding: chunked') +
        `5\r\nhello\r\n7d0\r\n${'x'.repeat(2_000)}\r\n0\r\n${trailer}\r\n`,
    );
  }
});

test('HEAD, 204 and 304 have no body', () => {
  const connection = new Connection().send(lines('HEAD / HTTP/1.1', 'Host: h'));
  connection.last.answer('hello', { hasBody: false });
  assert.equal(connection.take(), lines('HTTP/1.1 200 OK', 'date: D', 'content-length: 5'));
  connection.send(get).last.answer('', { status: 204, contentLength: 0, hasBody: false });
  assert.equal(connection.take(), lines('HTTP/1.1 204 No Content', 'date: D'));
  connection.send(get).last.answer('', { status: 304, contentLength: -1, hasBody: false });
  assert.equal(connection.take(), lines('HTTP/1.1 304 Not Modified', 'date: D'));
});

test('HTTP/1.0: closes unless asked to stay, knows no chunks and no interim answers', () => {
  const connection = new Connection().send(lines('GET / HTTP/1.0', 'Connection: keep-alive'));
  assert.equal(connection.last.head.authority, '');
  connection.last.responder.interim(103, ok.fields);
  connection.last.answer('hi');
  assert.equal(connection.take(), lines('HTTP/1.1 200 OK', 'date: D', 'content-length: 2', 'connection: keep-alive') + 'hi');
  connection.send(lines('GET / HTTP/1.0', 'Connection: keep-alive')).last.answer('hi', { contentLength: -1 });
  assert.equal(connection.take(), lines('HTTP/1.1 200 OK', 'date: D', 'connection: close') + 'hi');
  assert.ok(connection.socket.application.ended);
});

test('Connection: close ends the connection behind the answer', () => {
  const connection = new Connection().send(lines('GET / HTTP/1.1', 'Host: h', 'Connection: close') + get);
  connection.last.answer('hi');
  assert.match(connection.take(), /connection: close\r\n\r\nhi$/);
  assert.equal(connection.exchanges.length, 1);
  connection.socket.application.end();
  connection.settle();
  assert.equal(connection.socket.application.gone, 'end');
  assert.equal(connection.listener.active, 0);
});

test('100 is sent when the handler says so, and a client that did not get it is not kept', () => {
  const connection = new Connection();
  const request = lines('POST / HTTP/1.1', 'Host: h', 'Content-Length: 2', 'Expect: 100-continue');
  connection.send(request);
  assert.equal(connection.last.head.expectContinue, true);
  connection.last.responder.interim(100, buildFields([]));
  assert.equal(connection.take(), lines('HTTP/1.1 100 Continue'));
  connection.send('ab').last.answer('x');
  assert.match(connection.take(), /^HTTP\/1.1 200 OK\r\ndate: D\r\ncontent-length: 1\r\n\r\nx$/);
  connection.send(request).last.answer('no', { status: 403 });
  assert.match(connection.take(), /connection: close\r\n\r\nno$/);
  connection.send('ab' + get);
  assert.equal(connection.exchanges.length, 2, 'what follows is dropped');
});

test('another protocol: octets both ways, each direction ends by itself', () => {
  const connection = new Connection().send(lines('GET /c HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: websocket') + 'early');
  const { last } = connection;
  assert.equal(last.head.upgrade, 'websocket');
  assert.deepEqual({ body: last.body, ended: last.ended }, { body: '', ended: false });
  last.responder.head({ ...ok, status: 200, upgrade: true });
  assert.equal(connection.take(), lines('HTTP/1.1 101 Switching Protocols', 'date: D', 'connection: upgrade', 'upgrade: websocket'));
  assert.equal(last.body, 'early');
  last.say('from the server');
  assert.equal(connection.send(' and late').take(), 'from the server');
  assert.equal(last.body, 'early and late');
  last.responder.end(undefined);
  connection.settle();
  assert.ok(connection.socket.application.ended);
  connection.send('!');
  assert.equal(last.body, 'early and late!');
  connection.socket.application.end();
  connection.settle();
  assert.equal(last.ended, true);
  assert.equal(last.failure, undefined);
  assert.equal(connection.listener.active, 0);
});

test('another protocol that is not given leaves the connection as it is', () => {
  const connection = new Connection().send(lines('GET /c HTTP/1.1', 'Host: h', 'Connection: Upgrade', 'Upgrade: x') + get);
  connection.last.answer('no');
  assert.match(connection.take(), /\r\n\r\nno$/);
  assert.equal(connection.exchanges.length, 2);
  assert.equal(connection.exchanges[0]?.ended, true);
});

test('a client that is gone aborts its exchange, whatever it was waiting for', () => {
  for (const leave of ['end', 'reset'] as const) {
    for (const start of [get, lines('POST / HTTP/1.1', 'Host: h', 'Content-Length: 9') + 'abc']) {
      for (const answering of [false, true]) {
        const connection = new Connection().send(start);
        if (answering) connection.last.responder.head(ok);
        connection.socket.application[leave]();
        connection.settle();
        assert.equal(connection.last.failure, ExchangeFailure.cancelled);
        assert.equal(connection.listener.active, 0);
        connection.last.responder.head(ok);
        connection.last.say('late');
        connection.last.responder.end(undefined);
      }
    }
  }
});

test('a body that the answer does not wait for is dropped up to a limit', () => {
  const connection = new Connection().send(lines('POST / HTTP/1.1', 'Host: h', `Content-Length: ${maxDrainedBytes}`) + 'abc');
  connection.last.answer('no');
  assert.doesNotMatch(connection.take(), /connection: close/i);
  connection.send('x'.repeat(maxDrainedBytes - 3) + get);
  assert.deepEqual(
    connection.exchanges.map(({ head, body }) => [head.method, body]),
    [
      ['POST', 'abc'],
      ['GET', ''],
    ],
  );
  const closing = new Connection().send(lines('POST / HTTP/1.1', 'Host: h', `Content-Length: ${maxDrainedBytes + 9}`));
  closing.last.answer('no');
  assert.match(closing.take(), /connection: close/i, 'the client is told that the connection will not be kept');
  closing.send('x'.repeat(maxDrainedBytes + 9) + get);
  assert.equal(closing.exchanges.length, 1);
  assert.ok(closing.socket.application.ended);
});

test('a client that sends on behind the last answer is no more read after a while, and not reset before it had time to read', () => {
  const connection = new Connection().send(lines('POST / HTTP/1.1', 'Host: h', `Content-Length: ${3 * maxLingerBytes}`));
  connection.last.answer('no');
  connection.send('x'.repeat(2 * maxLingerBytes));
  assert.match(connection.take(), /\r\n\r\nno$/);
  assert.equal(connection.socket.application.gone, undefined);
  connection.wait(lingerTimeoutMs - 1);
  assert.equal(connection.socket.application.gone, undefined);
  connection.wait(2);
  assert.notEqual(connection.socket.application.gone, undefined);
});

test('what is no HTTP gets an answer of its own, and the connection ends', () => {
  const cases: readonly (readonly [string, number])[] = [
    ['GET / HTTP/1.1\n\n', 400],
    [lines('GET / HTTP/1.1'), 400],
    [lines('CONNECT a:1 HTTP/1.1', 'Host: a:1'), 501],
    [lines('GET / HTTP/2.0', 'Host: h'), 505],
    [`GET /${'a'.repeat(4_096)}`, 431],
    [lines('GET / HTTP/1.1', 'Host: h', 'Expect: much'), 417],
  ];
  for (const [octets, status] of cases) {
    const connection = new Connection().send(octets + get);
    assert.match(connection.take(), new RegExp(`^HTTP/1.1 ${status} [^]*caravan-error: [^]*connection: close\r\n\r\n${status}\n$`));
    assert.equal(connection.exchanges.length, 0);
    assert.ok(connection.socket.application.ended);
  }
});

test('a violation within a body aborts the exchange', () => {
  const start = lines('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked') + '1\r\na\r\n';
  const connection = new Connection().send(start).send('x');
  assert.equal(connection.last.failure, ExchangeFailure.protocolError);
  assert.match(connection.take(), /^HTTP\/1.1 400 /);
  const answering = new Connection().send(start);
  answering.last.responder.head(ok);
  answering.send('x');
  assert.equal(answering.last.failure, ExchangeFailure.protocolError);
  assert.equal(answering.socket.application.gone, 'reset');
});

test('an exchange that fails: an answer says why, or what had begun is cut off', () => {
  const cases = [
    [ExchangeFailure.notProcessed, 503],
    [ExchangeFailure.broken, 502],
    [ExchangeFailure.protocolError, 502],
    [ExchangeFailure.timeout, 504],
  ] as const;
  for (const [failure, status] of cases) {
    const connection = new Connection().send(get);
    connection.last.responder.fail(failure, 'why');
    assert.match(connection.take(), new RegExp(`^HTTP/1.1 ${status} [^]*caravan-error: why\r\n`));
    connection.send(get).last.answer('kept');
    assert.match(connection.take(), /kept$/);
  }
  const connection = new Connection().send(get);
  connection.last.responder.head(ok);
  connection.last.responder.fail(ExchangeFailure.broken, 'why');
  assert.equal(connection.socket.application.gone, 'reset');
  assert.equal(connection.last.failure, undefined, 'the sink is not called again');
});

test('an answer that is not as long as it says is cut off', () => {
  for (const text of ['ab', 'abcd']) {
    const connection = new Connection().send(get);
    connection.last.answer(text, { contentLength: 3 });
    assert.equal(connection.settle().socket.application.gone, 'reset');
  }
});

test('backpressure both ways', () => {
  const connection = new Connection().send(lines('POST / HTTP/1.1', 'Host: h', 'Content-Length: 300000'));
  const { last, socket } = connection;
  last.congested = true;
  connection.send('x'.repeat(200_000));
  assert.equal(last.body.length, 65_536, 'one read more');
  last.congested = false;
  last.responder.requestRelieved();
  assert.equal(connection.settle() && last.body.length, 200_000);
  socket.application.reading = false;
  last.responder.head(ok);
  last.say('x'.repeat(maxPendingBytes));
  assert.ok(last.responder.pendingBytes >= maxPendingBytes);
  const { written } = last;
  socket.application.reading = true;
  connection.settle();
  assert.ok(last.written > written);
  assert.equal(last.responder.pendingBytes, 0);
});

test('time: heads and bodies that do not come, clients that do not read, idle connections', () => {
  const idle = new Connection().wait(10_000);
  assert.ok(idle.socket.application.ended);
  assert.equal(idle.take(), '');
  assert.equal(idle.wait(2_000).listener.active, 0);

  const slow = new Connection().wait(9_000).send('GET / HT').wait(999);
  assert.equal(slow.take(), '');
  assert.match(slow.send('TP/1.1\r\n').wait(1).take(), /^HTTP\/1.1 408 /);

  const live = new Connection().send(lines('POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked') + '3\r\nabc\r\n').wait(9_000);
  live.send('1\r\nd\r\n').wait(9_000);
  assert.equal(live.last.failure, undefined, 'there was progress');
  assert.match(live.wait(10_000).take(), /^HTTP\/1.1 408 /);
  assert.equal(live.last.failure, ExchangeFailure.timeout);

  const post = lines('POST / HTTP/1.1', 'Host: h', 'Content-Length: 10000');
  const trickling = new Connection().send(post);
  for (let seconds = 0; trickling.last.failure === undefined; seconds++) {
    assert.ok(seconds <= 10, 'a body that is announced comes');
    trickling.send('t').wait(500).send('t').wait(500);
  }
  assert.match(trickling.take(), /^HTTP\/1.1 408 /);
  assert.equal(trickling.last.failure, ExchangeFailure.timeout);

  const slowLine = new Connection().send(post);
  for (let part = 0; part < 9; part++) slowLine.send('s'.repeat(1_024)).wait(1_000);
  assert.equal(slowLine.last.failure, undefined);
  // A server that takes nothing is not the client's fault.
  slowLine.last.congested = true;
  slowLine.send('s'.repeat(500)).wait(1_000).wait(1_000);
  slowLine.last.congested = false;
  slowLine.last.responder.requestRelieved();
  slowLine.send('s').wait(999).send('s'.repeat(283));
  assert.ok(slowLine.last.ended);

  const waiting = new Connection().send(get).wait(100_000).wait(100_000);
  waiting.last.answer('at last');
  assert.match(waiting.take(), /at last$/);

  const deaf = new Connection().send(get);
  deaf.socket.application.reading = false;
  deaf.last.responder.head(ok);
  deaf.wait(5_000).send('G').wait(5_000).send('E').wait(5_000);
  assert.equal(deaf.last.failure, ExchangeFailure.cancelled);
  assert.equal(deaf.listener.active, 0);
});

test('draining: idle connections close, the others behind their answer', () => {
  const idle = new Connection();
  idle.listener.drain();
  assert.ok(idle.settle().socket.application.ended);
  const busy = new Connection().send(get);
  busy.listener.drain();
  busy.last.answer('done');
  assert.match(busy.take(), /connection: close\r\n\r\ndone$/);
  assert.ok(busy.socket.application.ended);
  const stopped = new Connection().send(get);
  stopped.listener.stop();
  assert.equal(stopped.last.failure, ExchangeFailure.cancelled);
  assert.equal(stopped.listener.active, 0);
});
