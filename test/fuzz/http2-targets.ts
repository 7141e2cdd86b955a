import assert from 'node:assert/strict';
import type { RequestHead, RequestSink, Responder, ResponseHead } from '../../src/services/http/exchange.ts';
import { buildFields, fieldBlockProblem, noFields } from '../../src/services/http/field-block.ts';
import { preface } from '../../src/services/http2/frame-reader.ts';
import { FrameFlag, FrameType } from '../../src/services/http2/frames.ts';
import { HpackDecoder } from '../../src/services/http2/hpack-decoder.ts';
import { HpackEncoder } from '../../src/services/http2/hpack-encoder.ts';
import { Http2Listener } from '../../src/services/http2/http2-listener.ts';
import { Http2Pool } from '../../src/services/http2/http2-pool.ts';
import { http2Shared } from '../../src/services/http2/http2-shared.ts';
import { Http2Violation } from '../../src/services/http2/http2-violation.ts';
import { tableBytes } from '../../src/services/http2/limits.ts';
import { VirtualSocket } from '../../src/sim/virtual-socket.ts';
import { field, frame, requestBlock } from '../conformance/http2-frames.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 4_096;
/** Small, so that limits are met. */
const maxHeaderBytes = 1_024;

/** Heads one after another, as an encoder writes them: `u16 length, head`. */
function written(...heads: readonly (readonly { name: string; value: string }[])[]): Uint8Array {
  const encoder = new HpackEncoder();
  const target = new Uint8Array(maxInputBytes);
  let at = 0;
  for (const fields of heads) {
    encoder.begin(target, at + 2);
    encoder.path('/path');
    encoder.authority('host:1');
    encoder.fields(buildFields(fields));
    new DataView(target.buffer).setUint16(at, encoder.at - at - 2);
    at = encoder.at;
  }
  return target.slice(0, at);
}

const some = [
  { name: 'content-type', value: 'application/grpc' },
  { name: 'x-a', value: 'b' },
  { name: 'cookie', value: 'a=b' },
  { name: 'cookie', value: 'c=d' },
  { name: 'content-length', value: '5' },
];
const huffman = Buffer.from('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'.replaceAll(' ', ''), 'hex');
const headSeeds: readonly Uint8Array[] = [
  written(some, some, some),
  written([{ name: 'x-long', value: 'l'.repeat(900) }], some, [{ name: 'x-long', value: 'l'.repeat(900) }]),
  new Uint8Array(Buffer.concat([Buffer.from([0, huffman.length]), huffman, Buffer.from([0, 2, 0x3f, 0x00])])),
];

const noSettings = frame(FrameType.settings, 0, 0);
const hello = Buffer.from('hello');
const requestSeeds: readonly Uint8Array[] = [
  [frame(FrameType.headers, 5, 1, requestBlock()), frame(FrameType.headers, 5, 3, requestBlock('/b'))],
  [frame(FrameType.headers, 4, 1, requestBlock('/', 'POST')), frame(FrameType.data, 0, 1, hello), frame(FrameType.data, 1, 1, hello)],
  [frame(FrameType.headers, 4, 1, requestBlock('/', 'POST')), frame(FrameType.headers, 5, 1, field('x-end', 'a'))],
  [frame(FrameType.headers, 1, 1, requestBlock()), frame(FrameType.continuation, 4, 1, field('x-a', 'b'))],
  [frame(FrameType.headers, 4, 1, requestBlock('/', 'POST')), frame(FrameType.resetStream, 0, 1, Buffer.from([0, 0, 0, 8]))],
  [frame(FrameType.ping, 0, 0, Buffer.alloc(8)), frame(FrameType.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1])), noSettings],
].map((frames) => new Uint8Array(Buffer.concat([preface, noSettings, ...frames])));

const status = Buffer.from([0x88]);
const answerSeeds: readonly Uint8Array[] = [
  [frame(FrameType.headers, 4, 1, status), frame(FrameType.data, 1, 1, hello)],
  [frame(FrameType.headers, 4, 1, status), frame(FrameType.data, 0, 1, hello), frame(FrameType.headers, 5, 1, field('grpc-status', '0'))],
  [frame(FrameType.headers, 4, 1, field(':status', '103')), frame(FrameType.headers, 5, 1, status)],
  [frame(FrameType.resetStream, 0, 1, Buffer.from([0, 0, 0, 7])), frame(FrameType.headers, 5, 3, status)],
  [frame(FrameType.goaway, 0, 0, Buffer.alloc(8)), frame(FrameType.headers, FrameFlag.endHeaders, 3, status)],
].map((frames) => new Uint8Array(Buffer.concat([noSettings, ...frames])));

/** Work of one virtual time, and what the ends need of a host. */
class Turns {
  readonly #later: (() => void)[] = [];
  readonly later = (work: () => void): void => void this.#later.push(work);
  readonly host = {
    clock: { nowMs: () => 0, wallMs: () => 0 },
    turns: { add: (task: { endOfTurn: () => void }) => void this.#later.push(() => task.endOfTurn()), touch: () => {} },
    keys: { make: () => 'key', proofOf: () => 'proof' },
  };

  settle(): void {
    for (let work = this.#later.shift(); work !== undefined; work = this.#later.shift()) work();
  }
}

/** Cuts that depend on the input alone. */
function cut(input: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let step = 1 + ((input.length * 7) % 23);
  for (let at = 0; at < input.length;) {
    pieces.push(input.slice(at, at + step));
    at += step;
    step = 1 + ((step * 13 + at) % 41);
  }
  return pieces;
}

const ok: ResponseHead = { status: 200, fields: noFields, contentLength: -1, hasBody: true, upgrade: false };

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/** What a listener's handler gets of octets: one line for each request that came to its end. */
function requestsOf(pieces: readonly Uint8Array[]): string[] {
  const turns = new Turns();
  const socket = new VirtualSocket(turns.later);
  const requests: string[] = [];
  const handle = (head: RequestHead, responder: Responder): RequestSink => {
    const { fields } = head;
    assert.equal(fieldBlockProblem(fields, 0, fields.length), undefined);
    let body = '';
    return {
      data: (bytes, start, end) => (body += text(bytes, start, end)),
      end: (trailers) => {
        if (trailers !== undefined) assert.equal(fieldBlockProblem(trailers, 0, trailers.length), undefined);
        assert.ok(head.contentLength < 0 || head.contentLength === body.length);
        requests.push(`${head.method} ${head.path} ${head.authority} ${text(fields, 0, fields.length)} ${body}`);
        responder.head(ok);
        responder.data(hello, 0, hello.length);
        responder.end(undefined);
      },
      abort: () => {},
      responseWritten: () => {},
      congested: false,
    };
  };
  const options = { scheme: 'http', maxHeaderBytes, headerTimeoutMs: 1_000, idleTimeoutMs: 1_000 } as const;
  const errorAnswer = (): { fields: Uint8Array; body: Uint8Array } => ({ fields: noFields, body: hello });
  new Http2Listener({ handle }, turns.host, { ...options, errorAnswer }).accept(socket, '', undefined);
  for (const piece of pieces) {
    socket.application.write(piece);
    turns.settle();
  }
  socket.application.reset();
  turns.settle();
  return requests;
}

/** What becomes of a request whose server says these octets. */
function answerOf(pieces: readonly Uint8Array[]): string {
  const turns = new Turns();
  let events = '';
  let isOver = false;
  const say = (event: string): void => {
    assert.ok(!isOver, `${event} behind the end`);
    events += event;
  };
  const end = (event: string): void => {
    say(event);
    isOver = true;
  };
  const pool = new Http2Pool(
    { scheme: 'http', host: 'h:1', idleTimeoutMs: 1_000 },
    {
      ...turns.host,
      connect: (connected) => {
        turns.later(() => {
          const socket = new VirtualSocket(turns.later);
          connected(socket);
          turns.settle();
          for (const piece of pieces) {
            socket.application.write(piece);
            turns.settle();
          }
          socket.application.reset();
        });
        return () => {};
      },
      wakeAt: () => {},
    },
  );
  const head = { method: 'GET', scheme: 'http', authority: '', path: '/', fields: noFields, contentLength: 0 } as const;
  pool.handle(
    { ...head, expectContinue: false, upgrade: '', client: '' },
    {
      interim: (status, fields) => say(`\n${status} ${text(fields, 0, fields.length)}`),
      head: ({ status, fields }) => {
        assert.equal(fieldBlockProblem(fields, 0, fields.length), undefined);
        say(`\n${status} ${text(fields, 0, fields.length)}\n`);
      },
      data: (bytes, start, stop) => say(text(bytes, start, stop)),
      end: (trailers) => end(`\nend ${text(trailers ?? noFields, 0, trailers?.length ?? 0)}`),
      fail: (failure) => end(`\nfailure ${failure}`),
      requestRelieved: () => {},
      pendingBytes: 0,
    },
  );
  turns.settle();
  assert.ok(isOver, 'every request has an end');
  return events;
}

/** Heads within bounds, and the same requests and answers whatever the cuts; every request has one end. */
export const http2Targets: readonly FuzzTarget[] = [
  {
    name: 'http2 heads',
    input: (random) => mutate(random.pick(headSeeds), random.pick(headSeeds), random, maxInputBytes),
    run: (input): unknown => {
      const decoder = new HpackDecoder();
      const { heads } = http2Shared(new Turns().host, maxHeaderBytes);
      try {
        for (let at = 0; at + 2 <= input.length;) {
          const start = at + 2;
          const stop = Math.min(input.length, start + (((input[at] ?? 0) << 8) | (input[at + 1] ?? 0)));
          const trailers = heads.trailers(decoder, input, start, stop);
          if (trailers !== undefined) assert.equal(fieldBlockProblem(trailers, 0, trailers.length), undefined);
          assert.ok(decoder.table.size <= tableBytes);
          at = stop;
        }
      } catch (error) {
        if (!(error instanceof Http2Violation)) throw error;
      }
      return decoder;
    },
  },
  {
    name: 'http2 requests',
    input: (random) => mutate(random.pick(requestSeeds), random.pick(requestSeeds), random, maxInputBytes),
    run: (input): unknown => {
      const requests = requestsOf([input]);
      // What is given up, or followed by a violation, in the same piece reaches nobody; nothing else is otherwise.
      const ofCuts = requestsOf(cut(input));
      for (const request of requests) assert.ok(ofCuts.includes(request), request);
      return requests;
    },
  },
  {
    name: 'http2 answers',
    input: (random) => mutate(random.pick(answerSeeds), random.pick(answerSeeds), random, maxInputBytes),
    run: (input): unknown => {
      const events = answerOf([input]);
      assert.equal(answerOf(cut(input)), events);
      return events;
    },
  },
];
