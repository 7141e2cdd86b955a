import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualSocket } from '../../sim/virtual-socket.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { buildFields, noFields } from '../http/field-block.ts';
import { octetsOf } from '../http1/octets.ts';
import { FrameEvent, FrameReader, preface } from './frame-reader.ts';
import { FrameFlag, FrameType, Setting } from './frames.ts';
import { Http2Listener } from './http2-listener.ts';
import { ErrorCode } from './http2-violation.ts';
import { maxConcurrentStreams, streamWindowBytes } from './limits.ts';

const headerTimeoutMs = 1_000;
const idleTimeoutMs = 5_000;
const ok: ResponseHead = { status: 200, fields: noFields, contentLength: -1, hasBody: true, upgrade: false };

/** A request as the handler got it, which the test answers. */
class Exchange implements RequestSink {
  readonly head: RequestHead;
  readonly responder: Responder;
  body = '';
  ended = false;
  failure: ExchangeFailure | undefined;
  congested = false;

  constructor(head: RequestHead, responder: Responder) {
    this.head = head;
    this.responder = responder;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    assert.ok(!this.ended && this.failure === undefined, 'octets behind the end');
    this.body += Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }

  end(): void {
    assert.ok(!this.ended && this.failure === undefined, 'two ends');
    this.ended = true;
  }

  abort(failure: ExchangeFailure): void {
    assert.equal(this.failure, undefined, 'two aborts');
    this.failure = failure;
  }

  responseWritten(): void {}

  answer(body: Uint8Array, trailers?: FieldBlock): void {
    this.responder.head(ok);
    this.responder.data(body, 0, body.length);
    this.responder.end(trailers);
  }
}

function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const octets = new Uint8Array(9 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint32(0, payload.length * 256 + type);
  octets[4] = flags;
  view.setUint32(5, streamId);
  octets.set(payload, 9);
  return octets;
}

/** Fields without index (RFC 7541 §6.2.2). */
function block(...fields: readonly (readonly [string, string])[]): Uint8Array {
  return Buffer.concat(
    fields.map(([name, value]) =>
      Buffer.concat([Buffer.from([0, name.length]), octetsOf(name), Buffer.from([value.length]), octetsOf(value)]),
    ),
  );
}

const get = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'h']);
const post = block([':method', 'POST'], [':scheme', 'http'], [':path', '/'], [':authority', 'h']);
const all = FrameFlag.endHeaders | FrameFlag.endStream;

interface Received {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

class Connection implements HttpHandler {
  readonly exchanges: Exchange[] = [];
  readonly #later: (() => void)[] = [];
  readonly #reader = new FrameReader(false);
  readonly socket = new VirtualSocket((work) => this.#later.push(work));
  readonly listener: Http2Listener;
  nowMs = 0;

  constructor(...settings: readonly (readonly [number, number])[]) {
    this.listener = new Http2Listener(
      this,
      {
        clock: { nowMs: () => this.nowMs, wallMs: () => 784_111_777_000 },
        turns: { add: (task) => this.#later.push(() => task.endOfTurn()), touch: () => {} },
        keys: { make: () => 'key', proofOf: (key) => `proof of ${key}` },
      },
      {
        scheme: 'http',
        maxHeaderBytes: 4_096,
        headerTimeoutMs,
        idleTimeoutMs,
        errorAnswer: (status, reason) => ({ fields: buildFields([{ name: 'caravan-error', value: reason }]), body: octetsOf(`${status}`) }),
      },
    );
    this.listener.accept(this.socket, '192.0.2.1', undefined);
    const payload = Buffer.alloc(settings.length * 6);
    for (const [index, [identifier, value]] of settings.entries()) {
      payload.writeUInt16BE(identifier, index * 6);
      payload.writeUInt32BE(value, index * 6 + 2);
    }
    this.send(preface, frame(FrameType.settings, 0, 0, payload));
    this.take();
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const exchange = new Exchange(head, responder);
    this.exchanges.push(exchange);
    return exchange;
  }

  settle(): void {
    for (let work = this.#later.shift(); work !== undefined; work = this.#later.shift()) work();
  }

  send(...frames: readonly Uint8Array[]): void {
    this.socket.application.write(Buffer.concat(frames));
    this.settle();
  }

  /** Frames that the client got since the last call. */
  take(): Received[] {
    this.settle();
    const { chunks } = this.socket.application;
    const frames: Received[] = [];
    for (const chunk of chunks) {
      this.#reader.push(chunk);
      for (let event = this.#reader.next(); event !== FrameEvent.more; event = this.#reader.next()) {
        const { type, flags, streamId, bytes, start, end } = this.#reader;
        frames.push({ type, flags, streamId, payload: Buffer.from(bytes.slice(start, end)) });
      }
    }
    chunks.length = 0;
    return frames;
  }

  /** Codes of RST_STREAM and GOAWAY that the client got, by stream; GOAWAY has 0. */
  codes(): [number, number][] {
    const found: [number, number][] = [];
    for (const { type, streamId, payload } of this.take()) {
      if (type === FrameType.resetStream) found.push([streamId, payload.readUInt32BE(0)]);
      if (type === FrameType.goaway) found.push([0, payload.readUInt32BE(4)]);
    }
    return found;
  }

  wait(durationMs: number): void {
    for (const endMs = this.nowMs + durationMs; this.nowMs < endMs;) {
      this.nowMs += 500;
      this.listener.sweep(this.nowMs);
      this.settle();
    }
  }

  get last(): Exchange {
    const last = this.exchanges.at(-1);
    assert.ok(last !== undefined);
    return last;
  }

  get isCut(): boolean {
    this.settle();
    return this.socket.application.gone !== undefined;
  }

  /** Goes on until what it sends is not taken any more. */
  flood(...frames: readonly Uint8Array[]): void {
    for (let round = 0; round < 11_000; round++) {
      const { taken } = this.socket.application;
      this.send(...frames);
      if (this.socket.application.taken === taken) return;
    }
  }
}

test('an answer that is complete at once ends with its last frame', () => {
  const connection = new Connection();
  connection.send(frame(FrameType.headers, all, 1, get), frame(FrameType.headers, all, 3, get), frame(FrameType.headers, all, 5, get));
  assert.equal(connection.exchanges.length, 3);
  assert.ok(connection.exchanges.every(({ ended }) => ended));
  const [first, second, third] = connection.exchanges as [Exchange, Exchange, Exchange];
  first.answer(octetsOf('hello'));
  second.answer(octetsOf('hello'), buildFields([{ name: 'grpc-status', value: '0' }]));
  third.responder.head({ ...ok, contentLength: 0 });
  third.responder.end(undefined);
  assert.deepEqual(
    connection.take().map(({ type, flags, streamId }) => [streamId, type, flags]),
    [
      [1, FrameType.headers, FrameFlag.endHeaders],
      [1, FrameType.data, FrameFlag.endStream],
      [3, FrameType.headers, FrameFlag.endHeaders],
      [3, FrameType.data, 0],
      [3, FrameType.headers, all],
      [5, FrameType.headers, all],
    ],
  );
  assert.equal(connection.listener.requests, 0);
});

test('requests that are given up in the same piece reach nobody; too many of them end the connection', () => {
  const connection = new Connection();
  const giveUp = (streamId: number): Uint8Array =>
    Buffer.concat([frame(FrameType.headers, all, streamId, get), frame(FrameType.resetStream, 0, streamId, new Uint8Array([0, 0, 0, 8]))]);
  for (let index = 0; index < 900; index++) connection.send(giveUp(index * 2 + 1));
  assert.equal(connection.exchanges.length, 0);
  assert.ok(!connection.isCut);
  for (let index = 900; index < 1_100; index++) connection.send(giveUp(index * 2 + 1));
  assert.deepEqual(connection.codes().at(-1), [0, ErrorCode.enhanceYourCalm]);
});

test('more requests at a time than allowed are refused, and may come again', () => {
  const connection = new Connection();
  for (let index = 0; index <= maxConcurrentStreams; index++) connection.send(frame(FrameType.headers, all, index * 2 + 1, get));
  assert.equal(connection.exchanges.length, maxConcurrentStreams);
  assert.deepEqual(connection.codes(), [[maxConcurrentStreams * 2 + 1, ErrorCode.refusedStream]]);
  connection.exchanges[0]?.answer(octetsOf('a'));
  connection.send(frame(FrameType.headers, all, maxConcurrentStreams * 2 + 3, get));
  assert.equal(connection.exchanges.length, maxConcurrentStreams + 1);
});

test('heads: malformed ones reset their stream, long ones are answered, and the connection goes on', () => {
  const connection = new Connection();
  const malformed: readonly Uint8Array[] = [
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['X-Upper', 'a']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['', 'a']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['x-a', 'a\r\nx-b: c']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['x-a', ' a']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['connection', 'close']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['transfer-encoding', 'chunked']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['te', 'gzip']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['content-length', '+1']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['content-length', '5']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a'], ['host', 'b']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a@b']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], ['x-a', 'b'], [':authority', 'a']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/a b']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/a#b']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '*']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', 'nowhere']),
    block([':method', 'GET'], [':scheme', 'http']),
    block([':method', 'GET'], [':path', '/']),
    block([':scheme', 'http'], [':path', '/']),
    block([':method', 'GE T'], [':scheme', 'http'], [':path', '/']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':path', '/']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':status', '200']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':Path', '/']),
    block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':protocol', 'websocket']),
  ];
  for (const [index, head] of malformed.entries()) {
    connection.send(frame(FrameType.headers, all, index * 2 + 1, head));
    assert.deepEqual(connection.codes(), [[index * 2 + 1, ErrorCode.protocolError]], Buffer.from(head).toString('latin1'));
  }
  const long = block(...Array.from({ length: 40 }, () => ['x-long', 'l'.repeat(100)] as const));
  connection.send(frame(FrameType.headers, all, 101, Buffer.concat([get, long])));
  const [head, body] = connection.take();
  assert.deepEqual([head?.streamId, head?.payload.subarray(0, 5).toString('latin1')], [101, '\x08\x03431']);
  assert.equal(body?.payload.toString(), '431');
  assert.equal(connection.exchanges.length, 0);
  connection.send(frame(FrameType.headers, all, 103, get));
  assert.equal(connection.exchanges.length, 1);
});

test('crumbs of cookies become one field, and fields of heads are not in the block', () => {
  const connection = new Connection();
  const fields = block(['cookie', 'a=b'], ['x-a', '1'], ['cookie', 'c=d'], ['te', 'Trailers'], ['host', 'h'], ['content-length', '3']);
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, Buffer.concat([post, fields])));
  const { head } = connection.last;
  assert.equal(Buffer.from(head.fields).toString('latin1'), '\x03\0\x01x-a1\x02\0\x08tetrailers\x06\0\x08cookiea=b; c=d');
  assert.deepEqual([head.contentLength, head.authority, head.client], [3, 'h', '192.0.2.1']);
});

test('a body of another length than its head says is never complete', () => {
  const connection = new Connection();
  const head = Buffer.concat([post, block(['content-length', '5'])]);
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, head), frame(FrameType.data, 1, 1, octetsOf('1234')));
  assert.deepEqual([connection.last.ended, connection.last.failure], [false, ExchangeFailure.protocolError]);
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 3, head), frame(FrameType.data, 0, 3, octetsOf('123456')));
  assert.deepEqual([connection.last.body, connection.last.failure], ['', ExchangeFailure.protocolError]);
  assert.deepEqual(connection.codes(), [
    [1, ErrorCode.protocolError],
    [3, ErrorCode.protocolError],
  ]);
});

test('a sink that is congested holds the window of its stream, not those of others', () => {
  const connection = new Connection();
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, post));
  const slow = connection.last;
  slow.congested = true;
  const piece = frame(FrameType.data, 0, 1, new Uint8Array(16_384));
  for (let sent = 0; sent + 16_384 <= streamWindowBytes; sent += 16_384) connection.send(piece);
  assert.deepEqual(connection.take(), []);
  slow.congested = false;
  slow.responder.requestRelieved();
  const [update] = connection.take();
  assert.deepEqual([update?.type, update?.streamId, update?.payload.readUInt32BE(0)], [FrameType.windowUpdate, 1, 262_144]);
  for (let sent = 0; sent < 262_144; sent += 16_384) connection.send(piece);
  assert.equal(slow.failure, undefined);
  // The windows of the stream and of the connection are told by what was taken.
  slow.congested = true;
  connection.take();
  for (let sent = 0; sent <= streamWindowBytes; sent += 16_384) connection.send(piece);
  assert.deepEqual(connection.codes(), [[1, ErrorCode.flowControlError]]);
  assert.equal(slow.failure, ExchangeFailure.protocolError);
});

test('answers wait for the windows of the client, and streams take turns', () => {
  const connection = new Connection([Setting.initialWindowSize, 100_000]);
  connection.send(frame(FrameType.headers, all, 1, get), frame(FrameType.headers, all, 3, get));
  const [first, second] = connection.exchanges as [Exchange, Exchange];
  first.answer(new Uint8Array(80_000));
  second.answer(new Uint8Array(80_000));
  const sum = (frames: readonly Received[], streamId: number): number =>
    frames.reduce((bytes, { type, streamId: id, payload }) => bytes + (type === FrameType.data && id === streamId ? payload.length : 0), 0);
  const before = connection.take();
  assert.equal(sum(before, 1) + sum(before, 3), 65_535, 'the window of the connection');
  assert.equal(second.responder.pendingBytes + first.responder.pendingBytes, 160_000 - 65_535);
  connection.send(frame(FrameType.windowUpdate, 0, 0, new Uint8Array([0, 0, 0x80, 0])));
  const more = connection.take();
  assert.equal(sum(more, 1) + sum(more, 3), 32_768);
  assert.ok(sum(more, 1) > 0 && sum(more, 3) > 0, 'both got some');
  connection.send(frame(FrameType.windowUpdate, 0, 0, new Uint8Array([0, 1, 0, 0])));
  const rest = connection.take();
  assert.equal(sum([...before, ...more, ...rest], 1), 80_000);
  assert.equal(sum([...before, ...more, ...rest], 3), 80_000);
  assert.deepEqual(
    [...more, ...rest]
      .filter(({ flags, type }) => type === FrameType.data && flags === FrameFlag.endStream)
      .map(({ streamId }) => streamId)
      .sort(),
    [1, 3],
  );
});

test('a client that reads nothing stops its answers, which end after a while', () => {
  const connection = new Connection([Setting.initialWindowSize, 2_147_483_647]);
  connection.send(frame(FrameType.windowUpdate, 0, 0, new Uint8Array([0x7f, 0, 0, 0])));
  connection.socket.application.reading = false;
  for (let streamId = 1; streamId < 40; streamId += 2) {
    connection.send(frame(FrameType.headers, all, streamId, get));
    const { responder } = connection.last;
    responder.head(ok);
    const piece = new Uint8Array(65_536);
    while (responder.pendingBytes < maxPendingBytes) responder.data(piece, 0, piece.length);
  }
  assert.ok(connection.socket.pendingBytes < 300_000, 'the socket has little');
  assert.ok(connection.exchanges.length * maxPendingBytes > 4_194_304, 'all together are bounded, not each alone');
  connection.wait(idleTimeoutMs + 1_000);
  const cut = connection.exchanges.filter(({ failure }) => failure === ExchangeFailure.cancelled);
  assert.ok(cut.length >= 16, 'all that had something waiting');
});

test('a head or a body that comes too slowly ends; so does a connection that says nothing', () => {
  const slowHead = new Connection();
  slowHead.send(frame(FrameType.headers, FrameFlag.endStream, 1, get));
  for (let index = 0; index < 4; index++) {
    slowHead.send(frame(FrameType.continuation, 0, 1, block(['x-a', 'b'])));
    slowHead.wait(500);
  }
  slowHead.wait(1_000);
  assert.ok(slowHead.isCut);

  const slowBody = new Connection();
  slowBody.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, Buffer.concat([post, block(['content-length', '100'])])));
  for (let index = 0; index < 4; index++) {
    slowBody.send(frame(FrameType.data, 0, 1, octetsOf('a')));
    slowBody.wait(500);
  }
  assert.equal(slowBody.last.failure, ExchangeFailure.timeout);
  assert.equal(
    slowBody
      .take()
      .find(({ type }) => type === FrameType.data)
      ?.payload.toString(),
    '408',
  );
  assert.ok(!slowBody.isCut);

  const silent = new Connection();
  silent.wait(idleTimeoutMs + 500);
  assert.deepEqual(silent.codes(), [[0, ErrorCode.noError]]);
  silent.wait(2_500);
  assert.ok(silent.isCut);
});

test('retire announces, drain says how far, and the connection ends behind the last answer', () => {
  const connection = new Connection();
  connection.send(frame(FrameType.headers, all, 1, get));
  connection.listener.retire();
  assert.deepEqual(connection.take()[0]?.payload.readUInt32BE(0), 0x7fffffff);
  connection.send(frame(FrameType.headers, all, 3, get));
  connection.listener.drain();
  assert.deepEqual(connection.take()[0]?.payload.readUInt32BE(0), 3);
  connection.send(frame(FrameType.headers, all, 5, get));
  assert.equal(connection.exchanges.length, 2);
  for (const exchange of connection.exchanges) exchange.answer(octetsOf('late'));
  assert.equal(connection.take().filter(({ type }) => type === FrameType.data).length, 2);
  assert.ok(connection.socket.application.ended);
  connection.socket.application.end();
  assert.ok(connection.isCut);
  assert.equal(connection.listener.active, 0);
});

test('an answer before the end of the request: the client need not send the rest', () => {
  const connection = new Connection();
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, post), frame(FrameType.data, 0, 1, octetsOf('some')));
  connection.last.answer(octetsOf('enough'));
  assert.deepEqual(connection.codes(), [[1, ErrorCode.noError]]);
  // What was under way is dropped.
  connection.send(frame(FrameType.data, 0, 1, octetsOf('more')), frame(FrameType.headers, all, 1, block(['x-a', 'b'])));
  assert.deepEqual(connection.codes(), []);
  assert.equal(connection.last.body, 'some');
});

test('WebSockets: a key is made up, what comes early waits, and each direction ends by itself', () => {
  const connection = new Connection();
  const head = block([':method', 'CONNECT'], [':protocol', 'websocket'], [':scheme', 'http'], [':path', '/chat'], [':authority', 'h']);
  connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, head), frame(FrameType.data, 0, 1, octetsOf('early')));
  const { last } = connection;
  assert.deepEqual([last.head.method, last.head.upgrade, last.body], ['GET', 'websocket', '']);
  assert.match(Buffer.from(last.head.fields).toString('latin1'), /sec-websocket-keykey$/);
  last.responder.head({ ...ok, status: 101, fields: buildFields([{ name: 'sec-websocket-accept', value: 'x' }]), upgrade: true });
  assert.equal(last.body, 'early');
  last.responder.end(undefined);
  connection.send(frame(FrameType.data, FrameFlag.endStream, 1, octetsOf(' later')));
  assert.deepEqual([last.body, last.ended], ['early later', true]);
  const frames = connection.take();
  assert.equal(frames[0]?.payload[0], 0x88, ':status 200');
  assert.ok(frames.every(({ payload }) => !payload.includes('websocket')));
  assert.equal(connection.listener.requests, 0);
});

test('failures: an answer of the network before the head, a status for gRPC behind it, else a reset', () => {
  const connection = new Connection();
  const grpc = Buffer.concat([post, block(['content-type', 'application/grpc'])]);
  const heads = [get, get, grpc];
  const [before, behind, called] = heads.map((head, index) => {
    connection.send(frame(FrameType.headers, all, index * 2 + 1, head));
    return connection.last;
  }) as [Exchange, Exchange, Exchange];
  before.responder.fail(ExchangeFailure.notProcessed, 'no server');
  assert.equal(
    connection
      .take()
      .find(({ type }) => type === FrameType.data)
      ?.payload.toString(),
    '503',
  );
  for (const { responder } of [behind, called]) {
    responder.head(ok);
    responder.data(octetsOf('some'), 0, 4);
    connection.take();
    responder.fail(ExchangeFailure.broken, 'it broke');
  }
  const frames = connection.take();
  assert.deepEqual(
    frames.map(({ streamId, type }) => [streamId, type]),
    [[5, FrameType.headers]],
  );
  assert.match(frames[0]?.payload.toString('latin1') ?? '', /grpc-status.14.*it broke/s);
});

for (const [name, frames] of Object.entries<readonly Uint8Array[]>({
  PING: [frame(FrameType.ping, 0, 0, new Uint8Array(8))],
  'SETTINGS that say nothing': [frame(FrameType.settings, 0, 0)],
  PRIORITY: [frame(FrameType.priority, 0, 1, new Uint8Array(5))],
  'windows without need': [frame(FrameType.windowUpdate, 0, 0, new Uint8Array([0, 0, 0, 1]))],
  'unknown frames': [frame(0x99, 0, 0, new Uint8Array(1))],
  'empty DATA': [frame(FrameType.data, 0, 1)],
  'CONTINUATION without octets': [
    frame(FrameType.headers, 0, 3, get),
    ...Array.from({ length: 70 }, () => frame(FrameType.continuation, 0, 3)),
  ],
})) {
  test(`a flood is cut: ${name}`, () => {
    const connection = new Connection();
    connection.send(frame(FrameType.headers, FrameFlag.endHeaders, 1, post));
    connection.flood(...frames);
    assert.deepEqual(connection.codes().at(-1), [0, ErrorCode.enhanceYourCalm]);
    assert.equal(connection.last.failure, ExchangeFailure.cancelled);
    assert.ok(!connection.isCut, 'it waits before it can come again');
    connection.wait(1_500);
    assert.ok(connection.isCut);
    assert.equal(connection.listener.active, 0);
  });
}
