import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualSocket } from '../../sim/virtual-socket.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { buildFields, readFields } from '../http/field-block.ts';
import { HeadWriter } from './head-writer.ts';
import { Http1Client } from './http1-client.ts';
import { maxInterimAnswers } from './limits.ts';
import { OctetPool } from './octet-pool.ts';
import { octetsOf } from './octets.ts';

class Answer implements Responder {
  pendingBytes = 0;
  interims: number[] = [];
  got: ResponseHead | undefined;
  body = '';
  ended = false;
  trailers: FieldBlock | undefined;
  failure: ExchangeFailure | undefined;
  reason = '';
  relieved = 0;

  interim(status: number): void {
    this.interims.push(status);
  }

  head(head: ResponseHead): void {
    assert.equal(this.got, undefined, 'two heads');
    this.got = head;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    assert.ok(this.got !== undefined && !this.ended);
    this.body += Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }

  end(trailers: FieldBlock | undefined): void {
    assert.ok(this.got !== undefined && !this.ended && this.failure === undefined);
    this.ended = true;
    this.trailers = trailers;
  }

  fail(failure: ExchangeFailure, reason: string): void {
    assert.ok(!this.ended && this.failure === undefined);
    this.failure = failure;
    this.reason = reason;
  }

  requestRelieved(): void {
    this.relieved++;
  }
}

class Connection {
  readonly #later: (() => void)[] = [];
  readonly socket = new VirtualSocket((work) => this.#later.push(work));
  readonly client: Http1Client;
  /** Calls of the owner. */
  readonly calls: string[] = [];
  answer = new Answer();

  constructor() {
    const pool = new OctetPool();
    this.client = new Http1Client(
      { pool, writer: new HeadWriter(pool), maxHeaderBytes: 4_096, host: 'server:80' },
      { idle: () => this.calls.push('idle'), ended: () => this.calls.push('ended') },
      this.socket,
    );
  }

  ask(head: Partial<RequestHead> = {}): RequestSink {
    this.answer = new Answer();
    return this.client.handle({ ...get, ...head }, this.answer);
  }

  settle(): this {
    for (let work = this.#later.shift(); work !== undefined; work = this.#later.shift()) work();
    return this;
  }

  /** The server says. */
  say(text: string): this {
    this.settle().socket.application.write(new Uint8Array(Buffer.from(text, 'latin1')));
    return this.settle();
  }

  take(): string {
    this.settle();
    const { text, chunks } = this.socket.application;
    chunks.length = 0;
    return text;
  }
}

const get: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'h:1',
  path: '/a',
  fields: buildFields([]),
  contentLength: 0,
  expectContinue: false,
  upgrade: '',
  client: '',
};

function lines(...all: readonly string[]): string {
  return `${all.join('\r\n')}\r\n\r\n`;
}

const hello = `${lines('HTTP/1.1 200 OK', 'Content-Length: 5')}hello`;

test('exchange after exchange on one connection', () => {
  const connection = new Connection();
  for (let round = 1; round <= 3; round++) {
    connection.ask({ fields: buildFields([{ name: 'accept', value: '*/*' }]) }).end(undefined);
    assert.equal(connection.client.isIdle, false);
    assert.equal(connection.take(), lines('GET /a HTTP/1.1', 'host: h:1', 'accept: */*'));
    connection.say(`${lines('HTTP/1.1 203 Fine, thank you', 'Content-Length: 5', 'X-A: b')}hello`);
    const { got, body, ended } = connection.answer;
    assert.deepEqual([got?.status, got?.contentLength, body, ended], [203, 5, 'hello', true]);
    assert.deepEqual(readFields(got?.fields ?? assert.fail()), [{ name: 'x-a', value: 'b' }]);
    assert.equal(connection.calls.length, round);
    assert.ok(connection.client.isIdle);
  }
  assert.equal(connection.client.requests, 3);
});

test('request heads say how long the body is, once', () => {
  const cases: readonly (readonly [Partial<RequestHead>, readonly string[]])[] = [
    [{ method: 'POST' }, ['POST /a HTTP/1.1', 'host: h:1', 'content-length: 0']],
    [{ method: 'DELETE', authority: '' }, ['DELETE /a HTTP/1.1', 'host: server:80']],
    [
      { contentLength: 9_007_199_254_740_991, expectContinue: true },
      ['GET /a HTTP/1.1', 'host: h:1', 'content-length: 9007199254740991', 'expect: 100-continue'],
    ],
    [{ contentLength: -1 }, ['GET /a HTTP/1.1', 'host: h:1', 'transfer-encoding: chunked']],
    [
      {
        contentLength: 10,
        fields: buildFields([
          { name: 'content-length', value: '3' },
          { name: 'transfer-encoding', value: 'chunked' },
          { name: 'host', value: 'other' },
          { name: 'te', value: 'trailers' },
        ]),
      },
      ['GET /a HTTP/1.1', 'host: h:1', 'connection: te', 'te: trailers', 'content-length: 10'],
    ],
    [{ upgrade: 'websocket' }, ['GET /a HTTP/1.1', 'host: h:1', 'connection: upgrade', 'upgrade: websocket']],
    [
      { upgrade: 'x', fields: buildFields([{ name: 'te', value: 'trailers' }]) },
      ['GET /a HTTP/1.1', 'host: h:1', 'connection: upgrade, te', 'te: trailers', 'upgrade: x'],
    ],
  ];
  for (const [head, expected] of cases) {
    const connection = new Connection();
    connection.ask(head);
    assert.equal(connection.take(), lines(...expected));
  }
});

test('bodies: counted, and in chunks with trailers', () => {
  const connection = new Connection();
  const counted = connection.ask({ method: 'POST', contentLength: 4 });
  counted.data(octetsOf('xabcdx'), 1, 5);
  counted.end(undefined);
  assert.match(connection.take(), /\r\n\r\nabcd$/);
  connection.say(hello);
  const chunked = connection.ask({ method: 'POST', contentLength: -1 });
  chunked.data(octetsOf('abcd'), 0, 4);
  chunked.data(octetsOf('y'.repeat(5_000)), 0, 5_000);
  chunked.end(buildFields([{ name: 'sum', value: '1' }]));
  assert.ok(connection.take().endsWith(`\r\n\r\n4\r\nabcd\r\n1388\r\n${'y'.repeat(5_000)}\r\n0\r\nsum: 1\r\n\r\n`));
});

test('a body that is not what its head says never reaches the server whole', () => {
  for (const run of [(sink: RequestSink): void => sink.data(octetsOf('abcde'), 0, 5), (sink: RequestSink): void => sink.end(undefined)]) {
    const connection = new Connection();
    run(connection.ask({ method: 'POST', contentLength: 4 }));
    assert.equal(connection.answer.failure, ExchangeFailure.protocolError);
    assert.equal(connection.settle().socket.application.gone, 'reset');
    assert.deepEqual(connection.calls, ['ended']);
  }
});

test('answers: interim, in chunks, until the end, without body', () => {
  const connection = new Connection();
  connection.ask().end(undefined);
  connection.say(lines('HTTP/1.1 100 Continue') + lines('HTTP/1.1 103 Early', 'Link: a') + hello);
  assert.deepEqual([connection.answer.interims, connection.answer.body], [[100, 103], 'hello']);

  connection.ask().end(undefined);
  connection.say(lines('HTTP/1.1 200', 'Transfer-Encoding: Chunked') + lines('3', 'abc', '2;x', 'de', '0', 'Sum: 1', 'Date: never'));
  assert.equal(connection.answer.body, 'abcde');
  assert.deepEqual(readFields(connection.answer.trailers ?? assert.fail()), [{ name: 'sum', value: '1' }]);

  connection.ask({ method: 'HEAD' }).end(undefined);
  connection.say(lines('HTTP/1.1 200 OK', 'Content-Length: 5'));
  assert.deepEqual([connection.answer.got?.contentLength, connection.answer.got?.hasBody, connection.answer.ended], [5, false, true]);

  for (const status of [204, 304]) {
    connection.ask().end(undefined);
    connection.say(lines(`HTTP/1.1 ${status} x`));
    assert.deepEqual([connection.answer.got?.hasBody, connection.answer.ended], [false, true]);
  }
  assert.equal(connection.calls.length, 5);

  connection.ask().end(undefined);
  connection
    .say(`${lines('HTTP/1.1 200 OK')}abc`)
    .say('def')
    .socket.application.end();
  connection.settle();
  assert.deepEqual([connection.answer.got?.contentLength, connection.answer.body, connection.answer.ended], [-1, 'abcdef', true]);
  assert.deepEqual(connection.calls.slice(5), ['ended']);
});

test('a connection that the server closes behind the answer is not used again', () => {
  const ends: readonly (readonly [string, string])[] = [
    ['1.1', 'Connection: close'],
    ['1.0', 'X: y'],
  ];
  for (const [version, field] of ends) {
    const connection = new Connection();
    connection.ask().end(undefined);
    connection.say(`${lines(`HTTP/${version} 200 OK`, 'Content-Length: 2', field)}ok`);
    assert.ok(connection.answer.ended && !connection.client.isIdle);
    assert.deepEqual(connection.calls, ['ended']);
  }
  const old = new Connection();
  old.ask().end(undefined);
  old.say(`${lines('HTTP/1.0 200 OK', 'Content-Length: 2', 'Connection: Keep-Alive', 'Keep-Alive: max=5, timeout=7')}ok`);
  assert.deepEqual([old.calls, old.client.reusableForMs], [['idle'], 7_000]);
});

test('an answer before the request is complete ends the connection', () => {
  const connection = new Connection();
  const sink = connection.ask({ method: 'POST', contentLength: 4 });
  sink.data(octetsOf('ab'), 0, 2);
  connection.say(hello);
  assert.ok(connection.answer.ended);
  assert.deepEqual(connection.calls, ['ended']);
  sink.data(octetsOf('cd'), 0, 2);
  sink.end(undefined);
  assert.equal(sink.congested, false);
});

test('what nobody asked for ends an idle connection, and so does its end', () => {
  const talking = new Connection();
  talking.say(hello);
  assert.deepEqual([talking.calls, talking.client.isIdle], [['ended'], false]);
  const ahead = new Connection();
  ahead.ask().end(undefined);
  ahead.say(`${hello}x`);
  assert.deepEqual([ahead.answer.body, ahead.answer.ended, ahead.calls], ['hello', true, ['ended']]);
  for (const leave of ['end', 'reset'] as const) {
    const closed = new Connection().settle();
    closed.socket.application[leave]();
    closed.settle();
    assert.deepEqual([closed.calls, closed.client.isIdle], [['ended'], false]);
  }
});

test('a server that is gone before its answer is complete', () => {
  for (const said of ['', 'HTTP/1.1 2', hello.slice(0, -1), lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked') + '5\r\nhello\r\n']) {
    for (const leave of ['end', 'reset'] as const) {
      const connection = new Connection();
      connection.ask().end(undefined);
      if (said !== '') connection.say(said);
      connection.settle().socket.application[leave]();
      connection.settle();
      assert.equal(connection.answer.failure, ExchangeFailure.broken, said);
      assert.deepEqual(connection.calls, ['ended']);
    }
  }
});

test('answers that could be read in two ways are refused', () => {
  const cases = [
    lines('HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 5'),
    lines('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
    lines('HTTP/1.1 200 OK', 'Content-Length: +5'),
    lines('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked'),
    lines('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'),
    lines('HTTP/1.1 200 OK', 'A: b', ' c: d'),
    lines('HTTP/1.1 200 OK', 'A : b'),
    lines('HTTP/1.1 200 OK', 'A: b\rSet-Cookie: c'),
    lines('HTTP/1.1 200 OK', 'A: b\nSet-Cookie: c'),
    lines('HTTP/1.1 200 OK', 'A: b\0'),
    lines('HTTP/1.1 200 O\x01K'),
    lines('HTTP/1.1 20 OK'),
    lines('HTTP/1.1 2000 OK'),
    lines('HTTP/1.1 600 OK'),
    lines('HTTP/1.1  200 OK'),
    lines('HTTP/1.2 200 OK'),
    lines('http/1.1 200 OK'),
    lines('HTTP/2 200 OK'),
    '\r\nHTTP/1.1 200 OK\r\n\r\n',
    lines('HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: websocket'),
    lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked') + '5 \r\nhello\r\n',
    lines('HTTP/1.1 200 OK', `A: ${'b'.repeat(4_096)}`),
    lines('HTTP/1.1 103 Early').repeat(maxInterimAnswers + 1),
  ];
  for (const said of cases) {
    const connection = new Connection();
    connection.ask().end(undefined);
    connection.say(said);
    assert.equal(connection.answer.failure, ExchangeFailure.protocolError, said);
    assert.deepEqual(connection.calls, ['ended']);
    assert.equal(connection.socket.application.gone, 'reset');
  }
});

test('another protocol: octets both ways, each direction ends by itself', () => {
  for (const serverFirst of [true, false]) {
    const connection = new Connection();
    const sink = connection.ask({ upgrade: 'websocket' });
    connection.say(lines('HTTP/1.1 101 x', 'Connection: Upgrade', 'Upgrade: WebSocket', 'X: y') + 'early');
    const { answer } = connection;
    assert.deepEqual([answer.got?.upgrade, answer.got?.status, answer.body], [true, 101, 'early']);
    connection.take();
    sink.data(octetsOf('abc'), 0, 3);
    assert.equal(connection.take(), 'abc');
    const serverEnds = (): void => {
      connection.socket.application.end();
      connection.settle();
      assert.ok(answer.ended);
    };
    const weEnd = (): void => {
      sink.end(undefined);
      connection.settle();
      const { ended, gone } = connection.socket.application;
      assert.ok(ended || gone === 'end');
    };
    if (serverFirst) serverEnds();
    else weEnd();
    assert.deepEqual(connection.calls, []);
    if (serverFirst) weEnd();
    else serverEnds();
    assert.deepEqual([connection.calls, answer.failure], [['ended'], undefined]);
  }
});

test('another protocol that is not given leaves the connection as it is; octets of it do not go out before it is', () => {
  const connection = new Connection();
  const sink = connection.ask({ upgrade: 'websocket' });
  connection.say(hello);
  assert.deepEqual([connection.answer.body, connection.calls], ['hello', ['idle']]);
  sink.end(undefined);
  const hasty = connection.ask({ upgrade: 'websocket' });
  connection.take();
  hasty.data(octetsOf('GET / HTTP/1.1\r\n'), 0, 16);
  assert.equal(connection.answer.failure, ExchangeFailure.protocolError);
  assert.equal(connection.take(), '');
});

test('giving up ends the connection, and nothing is told any more', () => {
  const connection = new Connection();
  const sink = connection.ask();
  sink.abort(ExchangeFailure.cancelled);
  assert.deepEqual([connection.calls, connection.answer.failure], [['ended'], undefined]);
  assert.equal(connection.settle().socket.application.gone, 'reset');
  const closed = new Connection();
  closed.ask();
  closed.client.close();
  assert.deepEqual([closed.calls, closed.answer.failure], [['ended'], ExchangeFailure.broken]);
});

test('backpressure both ways', () => {
  const connection = new Connection();
  connection.socket.application.reading = false;
  const sink = connection.ask({ method: 'POST', contentLength: -1 });
  sink.data(new Uint8Array(maxPendingBytes), 0, maxPendingBytes);
  assert.equal(sink.congested, true);
  connection.socket.application.reading = true;
  connection.settle();
  assert.deepEqual([sink.congested, connection.answer.relieved], [false, 1]);
  sink.end(undefined);
  connection.answer.pendingBytes = maxPendingBytes;
  connection.say(lines('HTTP/1.1 200 OK', 'Content-Length: 200000') + 'x'.repeat(200_000));
  assert.ok(connection.answer.body.length < 131_072, 'one read more at most');
  connection.answer.pendingBytes = 0;
  sink.responseWritten();
  connection.settle();
  assert.deepEqual([connection.answer.body.length, connection.answer.ended], [200_000, true]);
});
