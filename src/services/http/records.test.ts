import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProtocolViolation } from '../../base/errors.ts';
import { ValueReader } from '../../amqp/value-reader.ts';
import { decodeHead } from '../../forwarding/message-head.ts';
import type { RequestHead, ResponseHead } from './exchange.ts';
import { buildFields, fieldBlockProblem, findField, noFields, readFields, removeField } from './field-block.ts';
import {
  beginRequestHead,
  decodeAnswerHead,
  decodeInterimFields,
  decodeInterimStatus,
  decodeRequestHead,
  encodeAnswerHead,
  encodeInterimHead,
} from './head-codec.ts';
import { MessageWriter, RecordKind, httpContentType } from './message-writer.ts';
import { RecordReader, maxHeadRecordBytes } from './record-reader.ts';
import { decodeServers, decodeWatch, encodeServers, encodeWatch } from './server-view-codec.ts';

const token = fc
  .stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
  .filter((name) => !/^(?:te|host|expect|upgrade|connection|keep-alive)$/.test(name));
const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
const fields = fc.array(fc.record({ name: token, value }), { maxLength: 8 }).map((list) => buildFields(list));
const requestHeads: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'M-SEARCH', 'x'),
  scheme: fc.constantFrom('http', 'https'),
  authority: fc.constantFrom('', 'a', 'shop.example:8080', '[2001:db8::1]:1'),
  path: fc.constantFrom('/', '*', '/a?b=c&d=%20', `/${'x'.repeat(3000)}`),
  fields,
  contentLength: fc.constantFrom(-1, 0, 1, 4_294_967_296, Number.MAX_SAFE_INTEGER),
  expectContinue: fc.boolean(),
  upgrade: fc.constant(''),
  client: fc.constantFrom('', '192.0.2.1', '2001:db8::1'),
});
const answerHeads: fc.Arbitrary<ResponseHead> = fc.record({
  status: fc.constantFrom(200, 204, 304, 404, 599),
  fields,
  contentLength: fc.constantFrom(-1, 0, 5, 10_000_000_000),
  hasBody: fc.boolean(),
  upgrade: fc.boolean(),
});

/** The records of a message as a reader finds them, when its octets come in pieces of these sizes. */
function read(message: Uint8Array, skip: number, sizes: readonly number[]): string[] {
  const found: string[] = [];
  let body = '';
  const reader = new RecordReader(
    {
      record(kind, bytes, start, end) {
        if (body !== '') found.push(`body ${body}`);
        body = '';
        found.push(`${kind} ${Buffer.from(bytes.subarray(start, end)).toString('hex')}`);
      },
      body(bytes, start, end) {
        body += Buffer.from(bytes.subarray(start, end)).toString('hex');
      },
    },
    skip,
  );
  let turn = 0;
  for (let at = 0; at < message.length;) {
    const end = Math.min(message.length, at + (sizes[turn++ % sizes.length] ?? 1));
    reader.read(message, at, end);
    at = end;
  }
  if (body !== '') found.push(`body ${body}`);
  assert.equal(reader.inRecord, false);
  return found;
}

test('heads are read as they were written, and the records are the same however a message is cut', () => {
  const writer = new MessageWriter();
  fc.assert(
    fc.property(
      requestHeads,
      answerHeads,
      fields,
      fc.uint8Array({ maxLength: 300 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (request, answer, block, body, sizes) => {
        writer.reset();
        writer.sections('amqp:/_topo/0/östlich/server.1', 'amqp:/_topo/0/b/temp.2', 'id-3');
        const skip = writer.written;
        const start = beginRequestHead(writer, request);
        writer.raw(request.fields, 0, request.fields.length);
        writer.endRecord(start);
        writer.recordHeader(RecordKind.body, body.length);
        writer.raw(body, 0, body.length);
        encodeInterimHead(writer, 103, block);
        encodeAnswerHead(writer, answer);
        writer.trailers(block);
        const taken = writer.take();
        const message = taken.bytes.slice(taken.start, taken.end);
        const head = decodeHead(new ValueReader(message));
        assert.deepEqual(
          [head.to, head.replyTo, head.correlationId, head.contentType, head.bodyStart],
          ['amqp:/_topo/0/östlich/server.1', 'amqp:/_topo/0/b/temp.2', 'id-3', httpContentType, skip],
        );
        const records = read(message, skip, [message.length]);
        assert.deepEqual(read(message, skip, sizes), records);
        const payloads = records
          .filter((record) => !record.startsWith('body'))
          .map((record) => new Uint8Array(Buffer.from(record.split(' ')[1] ?? '', 'hex')));
        const [first, interim, last, trailers] = payloads;
        assert.deepEqual(decodeRequestHead(first, 0, first.length), { ...request });
        assert.equal(decodeInterimStatus(interim, 0, interim.length), 103);
        assert.deepEqual(decodeInterimFields(interim, 0, interim.length), block);
        assert.deepEqual(decodeAnswerHead(last, 0, last.length), { ...answer });
        assert.deepEqual(trailers, block);
      },
    ),
  );
});

test('messages are written one behind another, and what was taken stays as it is', () => {
  const writer = new MessageWriter();
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { maxLength: 30 }), (lengths) => {
      const messages = lengths.map((length, index) => {
        writer.reset();
        const octets = new Uint8Array(length).fill(index + 1);
        // In two parts, so that room is made in the middle of a message.
        writer.raw(octets, 0, length >> 1);
        writer.raw(octets, length >> 1, length);
        assert.equal(writer.written, length);
        return writer.take();
      });
      for (const [index, { bytes, start, end }] of messages.entries()) {
        assert.equal(end - start, lengths[index]);
        assert.ok(bytes.subarray(start, end).every((byte) => byte === index + 1));
      }
    }),
  );
});

test('fields that would change how a message is read are refused', () => {
  for (const [name, text] of [
    ['Upper', 'x'],
    ['a b', 'x'],
    ['', 'x'],
    ['a:', 'x'],
    ['a\r', 'x'],
    ['a', ' x'],
    ['a', 'x '],
    ['a', 'x\ty\t'],
    ['a', 'x\r\nb: c'],
    ['a', 'x\0'],
    ['a', 'x\x7f'],
    ['host', 'x'],
    ['content-length', '5'],
    ['transfer-encoding', 'chunked'],
    ['connection', 'x'],
    ['keep-alive', 'x'],
    ['proxy-connection', 'x'],
    ['upgrade', 'x'],
    ['expect', 'x'],
    ['te', 'gzip'],
  ]) {
    const block = buildFields([
      { name: 'before', value: 'x' },
      { name, value: text },
    ]);
    assert.notEqual(fieldBlockProblem(block, 0, block.length), undefined, `${name}: ${text}`);
  }
  const good = buildFields([
    { name: 'te', value: 'trailers' },
    { name: 'empty', value: '' },
    { name: 'x', value: 'ä \t b' },
  ]);
  assert.equal(fieldBlockProblem(good, 0, good.length), undefined);
  for (let end = 1; end < good.length; end++) {
    assert.equal(fieldBlockProblem(good, 0, end) === undefined, end === 13 || end === 21, `cut at ${end}`);
  }
});

test('fields are found and removed by name', () => {
  const block = buildFields([
    { name: 'a', value: '1' },
    { name: 'b', value: '2' },
    { name: 'a', value: '3' },
    { name: 'c', value: '4' },
  ]);
  assert.deepEqual([findField(block, 'a'), findField(block, 'c'), findField(block, 'd')], ['1', '4', undefined]);
  assert.deepEqual(readFields(removeField(block, 'a')), [
    { name: 'b', value: '2' },
    { name: 'c', value: '4' },
  ]);
  assert.equal(removeField(block, 'x'), block);
});

test('heads that no honest router writes are refused', () => {
  const good: RequestHead = {
    method: 'GET',
    scheme: 'http',
    authority: 'a',
    path: '/',
    fields: noFields,
    contentLength: 0,
    expectContinue: false,
    upgrade: '',
    client: '',
  };
  for (const [change, what] of [
    [{ method: '' }, /no method/],
    [{ method: 'GE T' }, /method/],
    [{ method: 'G\r\n' }, /method/],
    [{ path: '' }, /path/],
    [{ path: 'x' }, /path/],
    [{ path: '/ HTTP/1.1\r\nx:' }, /path/],
    [{ path: '/\x7f' }, /path/],
    [{ authority: 'a b' }, /authority/],
    [{ authority: 'a/b' }, /authority/],
    [{ authority: 'user@a' }, /authority/],
    [{ upgrade: 'a\r\nb' }, /upgrade/],
    [{ upgrade: 'websocket', contentLength: 5 }, /upgrade/],
    [{ client: 'x;for=y' }, /client/],
  ] as const) {
    const writer = new MessageWriter();
    writer.reset();
    const start = beginRequestHead(writer, { ...good, ...change });
    writer.endRecord(start);
    const { bytes, end } = writer.take();
    assert.throws(() => decodeRequestHead(bytes, 9, end), what, JSON.stringify(change));
  }
  for (const status of [0, 99, 100, 103, 199, 600, 65_535, 101]) {
    const writer = new MessageWriter();
    writer.reset();
    encodeAnswerHead(writer, { status, fields: noFields, contentLength: 0, hasBody: true, upgrade: false });
    const { bytes, end } = writer.take();
    assert.throws(() => decodeAnswerHead(bytes, 9, end), ProtocolViolation);
  }
});

test('a record that announces more than a head may have is refused before anything is kept for it', () => {
  const reader = new RecordReader({ record() {}, body() {} }, 0);
  const header = (length: number, kind: number): Uint8Array =>
    Uint8Array.of(0, 0x53, 0x75, 0xb0, length >>> 24, length >>> 16, length >>> 8, length, kind);
  assert.throws(() => reader.read(header(maxHeadRecordBytes + 2, RecordKind.requestHead), 0, 9), /at most/);
  for (const octets of [header(0, RecordKind.body), Uint8Array.of(0, 0x53, 0x77, 0x40, 0, 0, 0, 0, 0)]) {
    assert.throws(() => new RecordReader({ record() {}, body() {} }, 0).read(octets, 0, 9), ProtocolViolation);
  }
});

test('lists of servers are read as they were written; others are refused', () => {
  const views = [
    { id: 'server.aA+_1.0', ready: true, others: 7, priority: 0, overflow: 0, maxRequests: 1024 },
    { id: 'x', ready: false, others: 4_000_000_000, priority: 65_535, overflow: 5, maxRequests: 1 },
  ];
  const writer = new MessageWriter();
  writer.reset();
  encodeServers(writer, views);
  const { bytes, end } = writer.take();
  assert.deepEqual(decodeServers(bytes, 9, end), views);
  for (let cut = 9; cut < end; cut++) assert.throws(() => decodeServers(bytes, 9, cut), ProtocolViolation);
  assert.throws(() => decodeServers(Uint8Array.from([...bytes.subarray(9, end), 0]), 0, end - 8), ProtocolViolation);
  for (const id of ['', 'a/b', 'a b', 'a.', 'ä', 'x'.repeat(65)]) {
    writer.reset();
    encodeServers(writer, [{ ...views[0], id }]);
    const wrong = writer.take();
    assert.throws(() => decodeServers(wrong.bytes, wrong.start + 9, wrong.end), /id/, id);
  }
  writer.reset();
  encodeWatch(writer, 'dienst für alle');
  const watch = writer.take();
  assert.equal(decodeWatch(watch.bytes, watch.start + 9, watch.end), 'dienst für alle');
  assert.throws(() => decodeWatch(Uint8Array.of(0xff), 0, 1), ProtocolViolation);
  assert.throws(() => decodeWatch(new Uint8Array(1025), 0, 1025), ProtocolViolation);
});
