import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RequestHead, ResponseHead } from '../http/exchange.ts';
import { buildFields, readFields } from '../http/field-block.ts';
import type { Field } from '../http/field-block.ts';
import { HeadWriter } from './head-writer.ts';
import { DateLine } from './http-date.ts';
import { ParseEvent } from './message-parser.ts';
import type { MessageParser } from './message-parser.ts';
import { OctetPool } from './octet-pool.ts';
import { RequestParser } from './request-parser.ts';
import { ResponseParser } from './response-parser.ts';

/** What a parser makes of a message. */
interface Message {
  readonly head: RequestHead | ResponseHead | undefined;
  readonly body: string;
  readonly trailers: readonly Field[];
}

const tokenChars = Array.from("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
const special = new Set(['te', 'host', 'date', 'expect', 'upgrade', 'connection', 'keep-alive', 'content-length', 'content_length']);
const token = fc.string({ unit: fc.constantFrom(...tokenChars), minLength: 1, maxLength: 20 });
const name = token.filter((text) => !special.has(text));
const visible = fc.string({
  unit: fc.constantFrom(...Array.from({ length: 94 }, (_, index) => String.fromCharCode(index + 0x21))),
  maxLength: 30,
});
const value = fc.array(visible, { maxLength: 4 }).map((words) => words.join(' \t').trim());
const fields = fc.array(fc.record({ name, value }), { maxLength: 12 });
const path = visible.map((text) => `/${text.replaceAll('#', '')}`);
const authority = fc.constantFrom('h', 'a.b-c_d:80', '[::1]', '[fe80::1]:65535', '192.0.2.1:8080');
const body = fc.uint8Array({ maxLength: 300 });
/** Lengths of the pieces that octets come in. */
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });

const pool = new OctetPool();
const writer = new HeadWriter(pool);
const dateLine = new DateLine({ nowMs: () => 0, wallMs: () => 0 });

/** What the writer has written last. */
function written(): Uint8Array {
  return writer.bytes.subarray(writer.start, writer.end);
}

/** Feeds octets in pieces; gives every message that is complete. */
function messages(parser: MessageParser & { head: Message['head'] }, octets: Uint8Array, lengths: readonly number[]): Message[] {
  const found: Message[] = [];
  let text = '';
  for (let at = 0, piece = 0; at < octets.length; piece++) {
    const end = at + (lengths[piece % lengths.length] ?? 1);
    parser.push(octets.slice(at, end));
    at = end;
    for (let event = parser.next(); event !== ParseEvent.more; event = parser.next()) {
      if (event === ParseEvent.data) text += Buffer.from(parser.dataBytes.subarray(parser.dataStart, parser.dataEnd)).toString('latin1');
      else if (event === ParseEvent.end) {
        found.push({ head: parser.head, body: text, trailers: readFields(parser.trailers ?? buildFields([])) });
        text = '';
      }
    }
  }
  assert.equal(parser.inMessage, false);
  assert.equal(parser.waitingBytes, 0);
  return found;
}

/** A body as it follows a head. */
function framed(octets: Uint8Array, chunked: boolean, pieces: readonly number[], trailers: readonly Field[]): Uint8Array {
  if (!chunked) return octets;
  const chunks: Uint8Array[] = [];
  for (let at = 0, piece = 0; at < octets.length; piece++) {
    const end = Math.min(octets.length, at + (pieces[piece % pieces.length] ?? 1));
    writer.chunk(octets, at, end);
    chunks.push(written());
    at = end;
  }
  writer.lastChunk(trailers.length > 0 ? buildFields(trailers) : undefined);
  return Buffer.concat([...chunks, written()]);
}

test('a request that is written is read as itself, however it is cut', () => {
  const request = fc.record({
    method: token,
    authority,
    path,
    fields,
    body,
    chunked: fc.boolean(),
    expectContinue: fc.boolean(),
    sum: value,
  });
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), cuts, (requests, lengths) => {
      const expected: Message[] = [];
      const octets: Uint8Array[] = [];
      for (const { chunked, sum, ...one } of requests) {
        const contentLength = chunked ? -1 : one.body.length;
        const expectContinue = one.expectContinue && contentLength !== 0;
        const trailers = chunked && sum !== '' ? [{ name: 'sum', value: sum }] : [];
        const head: RequestHead = {
          method: one.method,
          scheme: 'https',
          authority: one.authority,
          path: one.path,
          fields: buildFields(one.fields),
          contentLength,
          expectContinue,
          upgrade: '',
          client: '192.0.2.1',
        };
        writer.request(head, '');
        octets.push(written(), framed(one.body, chunked, lengths, trailers));
        expected.push({ head, body: Buffer.from(one.body).toString('latin1'), trailers });
      }
      const parser = new RequestParser(new OctetPool(), 16_384, 'https', '192.0.2.1');
      const found = messages(parser, Buffer.concat(octets), lengths);
      assert.deepEqual(found.map(comparable), expected.map(comparable));
    }),
  );
});

test('an answer that is written is read as itself, however it is cut', () => {
  const answer = fc.record({ status: fc.integer({ min: 200, max: 599 }), fields, body, chunked: fc.boolean(), sum: value });
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 3 }), cuts, (answers, lengths) => {
      const expected: Message[] = [];
      const octets: Uint8Array[] = [];
      for (const { status, chunked, sum, ...one } of answers) {
        const hasBody = status !== 204 && status !== 304;
        const contentLength = chunked || !hasBody ? -1 : one.body.length;
        const trailers = hasBody && chunked && sum !== '' ? [{ name: 'sum', value: sum }] : [];
        const framing = { contentLength, chunked: hasBody && chunked, close: false, keepAlive: false, upgrade: '' };
        const all = [{ name: 'date', value: 'D' }, ...one.fields];
        writer.answer(status, buildFields(all), framing, dateLine);
        octets.push(written());
        if (hasBody) octets.push(framed(one.body, chunked, lengths, trailers));
        expected.push({
          head: { status, fields: buildFields(all), contentLength: status === 204 ? 0 : contentLength, hasBody, upgrade: false },
          body: hasBody ? Buffer.from(one.body).toString('latin1') : '',
          trailers,
        });
      }
      const parser = new ResponseParser(new OctetPool(), 16_384);
      parser.expect('GET', '');
      const found = messages(parser, Buffer.concat(octets), lengths);
      assert.deepEqual(found.map(comparable), expected.map(comparable));
    }),
  );
});

function comparable({ head, body, trailers }: Message): unknown {
  return { head: { ...head, fields: readFields(head?.fields ?? buildFields([])) }, body, trailers };
}

test('a head of the longest allowed size is read, one octet more is not', () => {
  const limit = 2_000;
  const read = (length: number, lengths: readonly number[]): Message[] => {
    const start = 'GET / HTTP/1.1\r\nHost: h\r\nA: ';
    const octets = Buffer.from(`${start}${'x'.repeat(length - start.length - 4)}\r\n\r\n`);
    return messages(new RequestParser(new OctetPool(), limit, 'http', ''), octets, lengths);
  };
  for (const lengths of [[1], [7], [limit - 1], [limit], [limit + 1]]) {
    assert.equal(read(limit, lengths).length, 1);
    assert.throws(() => read(limit + 1, lengths), { name: 'HttpViolation', status: 431 });
  }
});
