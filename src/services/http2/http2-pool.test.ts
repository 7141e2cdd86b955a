/** Both ends back to back in memory; and the client's end with a server that says frames. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualSocket } from '../../sim/virtual-socket.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { buildFields, noFields, readFields } from '../http/field-block.ts';
import { octetsOf } from '../http1/octets.ts';
import { preface } from './frame-reader.ts';
import { FrameFlag, FrameType } from './frames.ts';
import { Http2Listener } from './http2-listener.ts';
import { Http2Pool } from './http2-pool.ts';
import { ErrorCode } from './http2-violation.ts';
import { maxResetsPerSession, openTimeoutMs, pingTimeoutMs, silenceMs } from './limits.ts';

const get: RequestHead = {
  method: 'GET',
  scheme: 'http',
  authority: 'h:1',
  path: '/',
  fields: noFields,
  contentLength: 0,
  expectContinue: false,
  upgrade: '',
  client: '',
};
const ok: ResponseHead = { status: 200, fields: noFields, contentLength: -1, hasBody: true, upgrade: false };

/** What came back for a request. */
class Answer implements Responder {
  readonly interims: number[] = [];
  response: ResponseHead | undefined;
  body = '';
  trailers: FieldBlock | undefined;
  ended = false;
  failure: ExchangeFailure | undefined;
  reason = '';
  relieved = 0;
  pendingBytes = 0;

  interim(status: number): void {
    this.interims.push(status);
  }

  head(head: ResponseHead): void {
    assert.equal(this.response, undefined, 'two heads');
    this.response = head;
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

  fail(failure: ExchangeFailure, reason: string): void {
    assert.ok(!this.ended && this.failure === undefined, 'two ends');
    this.failure = failure;
    this.reason = reason;
  }

  requestRelieved(): void {
    this.relieved++;
  }
}

/** Work of one virtual time. */
class Turns {
  readonly later: (() => void)[] = [];
  nowMs = 0;

  readonly host = {
    clock: { nowMs: () => this.nowMs, wallMs: () => 784_111_777_000 },
    turns: { add: (task: { endOfTurn: () => void }) => void this.later.push(() => task.endOfTurn()), touch: () => {} },
    keys: { make: () => 'key', proofOf: (key: string) => `proof of ${key}` },
  };

  settle(): void {
    for (let work = this.later.shift(); work !== undefined; work = this.later.shift()) work();
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

const settings = frame(FrameType.settings, 0, 0);
const uint32 = (...values: readonly number[]): Uint8Array => {
  const octets = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) octets.writeUInt32BE(value, index * 4);
  return octets;
};
const status200 = Uint8Array.of(0x88);

/** A pool whose server is the test. */
class Server {
  readonly turns = new Turns();
  readonly sockets: VirtualSocket[] = [];
  readonly pool: Http2Pool;

  constructor(saysSettings = true) {
    this.pool = new Http2Pool(
      { scheme: 'http', host: 'server:1', idleTimeoutMs: 60_000 },
      {
        ...this.turns.host,
        connect: (connected) => {
          this.turns.later.push(() => {
            const socket = new VirtualSocket((work) => this.turns.later.push(work));
            this.sockets.push(socket);
            connected(socket);
            if (saysSettings) socket.application.write(settings);
          });
          return () => {};
        },
        wakeAt: () => {},
      },
    );
  }

  ask(head: Partial<RequestHead> = {}): { sink: RequestSink; answer: Answer } {
    const answer = new Answer();
    const sink = this.pool.handle({ ...get, ...head }, answer);
    this.turns.settle();
    return { sink, answer };
  }

  say(...frames: readonly Uint8Array[]): void {
    this.sockets.at(-1)?.application.write(Buffer.concat(frames));
    this.turns.settle();
  }

  /** Types and streams of the frames that the last connection got. */
  heard(): [number, number, number][] {
    const octets = Buffer.from(this.sockets.at(-1)?.application.bytes ?? []).subarray(preface.length);
    const found: [number, number, number][] = [];
    for (let at = 0; at < octets.length; at += 9 + octets.readUIntBE(at, 3)) {
      found.push([octets[at + 3] ?? 0, octets[at + 4] ?? 0, octets.readUInt32BE(at + 5)]);
    }
    return found.filter(([type]) => type !== FrameType.settings && type !== FrameType.windowUpdate);
  }

  wait(durationMs: number): void {
    this.turns.nowMs += durationMs;
    this.pool.handleTimeout();
    this.turns.settle();
  }
}

test('a request that is refused or not looked at goes out again, with its body; one that was looked at does not', () => {
  const server = new Server();
  const { sink, answer } = server.ask({ method: 'POST', contentLength: -1 });
  sink.data(octetsOf('body'), 0, 4);
  sink.end(undefined);
  server.turns.settle();
  assert.deepEqual(server.heard(), [
    [FrameType.headers, FrameFlag.endHeaders, 1],
    [FrameType.data, 0, 1],
    [FrameType.data, FrameFlag.endStream, 1],
  ]);
  server.say(frame(FrameType.resetStream, 0, 1, uint32(ErrorCode.refusedStream)));
  assert.deepEqual(server.heard().slice(3), [
    [FrameType.headers, FrameFlag.endHeaders, 3],
    [FrameType.data, FrameFlag.endStream, 3],
  ]);
  server.say(frame(FrameType.goaway, 0, 0, uint32(1, ErrorCode.noError)));
  assert.equal(server.sockets.length, 2, 'another connection');
  assert.deepEqual(server.heard(), [
    [FrameType.headers, FrameFlag.endHeaders, 1],
    [FrameType.data, FrameFlag.endStream, 1],
  ]);
  server.say(frame(FrameType.headers, FrameFlag.endHeaders, 1, status200), frame(FrameType.data, 1, 1, octetsOf('done')));
  assert.deepEqual([answer.response?.status, answer.body, answer.ended], [200, 'done', true]);

  const processed = server.ask();
  server.sockets.at(-1)?.application.reset();
  server.turns.settle();
  assert.equal(processed.answer.failure, ExchangeFailure.broken);
});

test('a third refusal, or one of a body that is not kept any more, is for others to deal with', () => {
  const server = new Server();
  const { answer } = server.ask();
  for (const streamId of [1, 3, 5]) server.say(frame(FrameType.resetStream, 0, streamId, uint32(ErrorCode.refusedStream)));
  assert.equal(answer.failure, ExchangeFailure.notProcessed);
  const long = server.ask({ method: 'POST', contentLength: -1 });
  long.sink.data(new Uint8Array(70_000), 0, 70_000);
  server.turns.settle();
  server.say(frame(FrameType.resetStream, 0, 7, uint32(ErrorCode.refusedStream)));
  assert.equal(long.answer.failure, ExchangeFailure.notProcessed);
  assert.equal(server.pool.requests, 0);
});

test('a server that allows no request gets one connection, and the requests that wait when it allows some', () => {
  const server = new Server(false);
  const maxConcurrentStreams = (limit: number): Uint8Array => Buffer.concat([Uint8Array.of(0, 3), uint32(limit)]);
  for (let count = 0; count < 5; count++) server.ask();
  server.say(frame(FrameType.settings, 0, 0, maxConcurrentStreams(0)));
  assert.deepEqual([server.sockets.length, server.pool.waiting, server.pool.requests], [1, 5, 0]);
  server.say(frame(FrameType.settings, 0, 0, maxConcurrentStreams(3)));
  assert.equal(server.pool.requests, 3);
  assert.equal(server.sockets.length, 2, 'it is full: another');
});

test('what is wrong with an answer ends the exchange, and the connection goes on', () => {
  const cases: Readonly<Record<string, readonly Uint8Array[]>> = {
    'a head without status': [frame(FrameType.headers, 4, 1, Uint8Array.of(0x82))],
    'status 101': [frame(FrameType.headers, 4, 1, Buffer.concat([Uint8Array.of(8, 3), octetsOf('101')]))],
    'a body before the head': [frame(FrameType.data, 0, 1, octetsOf('a'))],
    'a second head': [frame(FrameType.headers, 4, 1, status200), frame(FrameType.headers, 4, 1, status200)],
    'a status in trailers': [frame(FrameType.headers, 4, 1, status200), frame(FrameType.headers, 5, 1, status200)],
    'a body longer than its head says': [
      frame(FrameType.headers, 4, 1, Buffer.concat([status200, Uint8Array.of(0x0f, 13, 1), octetsOf('1')])),
      frame(FrameType.data, 0, 1, octetsOf('ab')),
    ],
    'a body shorter than its head says': [
      frame(FrameType.headers, 4, 1, Buffer.concat([status200, Uint8Array.of(0x0f, 13, 1), octetsOf('2')])),
      frame(FrameType.data, 1, 1, octetsOf('a')),
    ],
  };
  for (const [name, frames] of Object.entries(cases)) {
    const server = new Server();
    const { answer } = server.ask();
    server.say(...frames);
    assert.equal(answer.failure, ExchangeFailure.protocolError, name);
    const next = server.ask();
    server.say(frame(FrameType.headers, 5, 3, status200));
    assert.ok(next.answer.ended, name);
    assert.equal(server.sockets.length, 1);
  }
});

test('too many interim answers, and interim answers that come', () => {
  const server = new Server();
  const { answer } = server.ask();
  const early = frame(FrameType.headers, 4, 1, Buffer.concat([Uint8Array.of(8, 3), octetsOf('103')]));
  server.say(early, early);
  assert.deepEqual(answer.interims, [103, 103]);
  server.say(...Array.from({ length: 63 }, () => early));
  assert.equal(answer.failure, ExchangeFailure.protocolError);
});

test('time: a server that says no settings, one that is silent, and one that answers PING', () => {
  const mute = new Server(false);
  const waiting = mute.ask();
  mute.wait(openTimeoutMs + 1);
  assert.equal(waiting.answer.failure, ExchangeFailure.unreachable);

  const server = new Server();
  const first = server.ask();
  server.wait(silenceMs + 1);
  assert.deepEqual(server.heard().at(-1), [FrameType.ping, 0, 0]);
  server.say(frame(FrameType.ping, FrameFlag.ack, 0, new Uint8Array(8)));
  server.wait(pingTimeoutMs + 1);
  assert.equal(first.answer.failure, undefined);
  server.wait(400_000);
  server.wait(pingTimeoutMs + 1);
  assert.equal(first.answer.failure, ExchangeFailure.broken);
  assert.match(first.answer.reason, /does not answer/);
});

test('a connection on which many requests were given up takes no more', () => {
  const server = new Server();
  const kept = server.ask();
  for (let index = 0; index < maxResetsPerSession; index++) server.ask().sink.abort(ExchangeFailure.cancelled);
  assert.equal(server.pool.requests, 1);
  server.ask();
  assert.equal(server.sockets.length, 2);
  assert.equal(kept.answer.failure, undefined);
});

test('an answer that is not taken holds its window', () => {
  const server = new Server();
  const { sink, answer } = server.ask();
  const windows = (): number => {
    const octets = Buffer.from(server.sockets[0]?.application.bytes ?? []);
    return octets.toString('hex').split('00000408').length - 2;
  };
  answer.pendingBytes = maxPendingBytes;
  server.say(frame(FrameType.headers, 4, 1, status200));
  for (let sent = 0; sent < 245_760; sent += 16_384) server.say(frame(FrameType.data, 0, 1, new Uint8Array(16_384)));
  assert.equal(windows(), 0);
  answer.pendingBytes = 0;
  sink.responseWritten();
  server.turns.settle();
  assert.equal(windows(), 1);
});

/** A pool and a listener with nothing but memory between them, cut anywhere. */
class BackToBack implements HttpHandler {
  readonly turns = new Turns();
  readonly pool: Http2Pool;
  readonly listener: Http2Listener;
  readonly requests: { head: RequestHead; body: string; trailers: FieldBlock | undefined }[] = [];
  answers: { interim: boolean; body: Uint8Array; pieceBytes: number; fields: FieldBlock; trailers: FieldBlock | undefined } | undefined;
  readonly #cuts: readonly number[];

  constructor(cuts: readonly number[]) {
    this.#cuts = cuts;
    this.listener = new Http2Listener(this, this.turns.host, {
      scheme: 'http',
      maxHeaderBytes: 65_535,
      headerTimeoutMs: 1_000,
      idleTimeoutMs: 5_000,
      errorAnswer: () => ({ fields: noFields, body: new Uint8Array(0) }),
    });
    this.pool = new Http2Pool(
      { scheme: 'http', host: 'server:1', idleTimeoutMs: 60_000 },
      {
        ...this.turns.host,
        connect: (connected) => {
          this.turns.later.push(() => {
            const near = new VirtualSocket((work) => this.turns.later.push(work));
            const far = new VirtualSocket((work) => this.turns.later.push(work));
            this.#join(near, far);
            this.#join(far, near);
            this.listener.accept(far, '', undefined);
            connected(near);
          });
          return () => {};
        },
        wakeAt: () => {},
      },
    );
  }

  #join(from: VirtualSocket, to: VirtualSocket): void {
    let count = 0;
    from.application.keepChunks = false;
    from.application.onData = (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const end = at + (this.#cuts[count++ % this.#cuts.length] ?? 1);
        to.application.write(bytes.slice(at, end));
        at = end;
      }
    };
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    let body = '';
    return {
      data: (bytes, start, end) => {
        body += Buffer.from(bytes.subarray(start, end)).toString('latin1');
      },
      end: (trailers) => {
        this.requests.push({ head, body, trailers });
        const { answers } = this;
        if (answers === undefined) return;
        if (answers.interim) responder.interim(103, answers.fields);
        responder.head({ ...ok, fields: answers.fields });
        for (let at = 0; at < answers.body.length; at += answers.pieceBytes) {
          responder.data(answers.body, at, Math.min(answers.body.length, at + answers.pieceBytes));
        }
        responder.end(answers.trailers);
      },
      abort: () => {},
      responseWritten: () => {},
      congested: false,
    };
  }
}

const name = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.stringMatching(/^(?:[!-~](?:[\t !-~]{0,30}[!-~])?)?$/);
const fieldBlock = fc.array(fc.record({ name, value }), { maxLength: 12 }).map((fields) => buildFields(fields));
const trailerBlock = fc.option(
  fieldBlock.filter(({ length }) => length > 0),
  { nil: undefined },
);
const message = fc.record({
  fields: fieldBlock,
  body: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 1, max: 300_000 }).map((length) => new Uint8Array(length).fill(0x61)),
  ),
  pieceBytes: fc.integer({ min: 1, max: 40_000 }),
  trailers: trailerBlock,
});
const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1_000, max: 60_000 })), { minLength: 1, maxLength: 8 });

test('requests and answers arrive as they are, whatever the pieces', () => {
  fc.assert(
    fc.property(message, message, fc.boolean(), cuts, (request, answers, interim, lengths) => {
      const pieceBytes = {
        request: Math.max(request.pieceBytes, request.body.length >> 8),
        answer: Math.max(answers.pieceBytes, answers.body.length >> 8),
      };
      // Octet by octet only what is short.
      const ends = new BackToBack(request.body.length + answers.body.length > 2_000 ? lengths.map((length) => length + 500) : lengths);
      ends.answers = { ...answers, interim, pieceBytes: pieceBytes.answer };
      const responders: Answer[] = [];
      for (let index = 0; index < 3; index++) {
        const responder = new Answer();
        responders.push(responder);
        const sink = ends.pool.handle({ ...get, method: 'POST', contentLength: -1, path: `/${index}`, fields: request.fields }, responder);
        for (let at = 0; at < request.body.length; at += pieceBytes.request) {
          sink.data(request.body, at, Math.min(request.body.length, at + pieceBytes.request));
        }
        sink.end(request.trailers);
      }
      ends.turns.settle();
      assert.equal(ends.requests.length, 3);
      for (const { head, body, trailers } of ends.requests) {
        const isEmpty = body === '' && request.trailers === undefined;
        assert.deepEqual([head.method, head.authority, head.contentLength], ['POST', 'h:1', isEmpty ? 0 : -1]);
        assert.deepEqual(head.fields, request.fields);
        assert.ok(body === Buffer.from(request.body).toString('latin1'));
        assert.deepEqual(trailers, request.trailers);
      }
      for (const { response, body, trailers, ended, interims } of responders) {
        assert.ok(ended);
        assert.deepEqual(interims, interim ? [103] : []);
        const fields = readFields(response?.fields ?? noFields).filter(({ name: text }) => text !== 'date');
        assert.deepEqual(fields, readFields(answers.fields));
        assert.ok(body === Buffer.from(answers.body).toString('latin1'));
        assert.deepEqual(trailers, answers.trailers);
      }
      assert.deepEqual([ends.pool.requests, ends.listener.requests], [0, 0]);
    }),
    { numRuns: 60 },
  );
});
