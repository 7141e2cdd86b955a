import assert from 'node:assert/strict';
import { ProtocolViolation } from '../../src/base/errors.ts';
import { buildFields, noFields } from '../../src/services/http/field-block.ts';
import {
  beginRequestHead,
  decodeAnswerHead,
  decodeInterimFields,
  decodeInterimStatus,
  decodeRequestHead,
  encodeAnswerHead,
  encodeInterimHead,
  readFieldBlock,
} from '../../src/services/http/head-codec.ts';
import { MessageWriter, RecordKind } from '../../src/services/http/message-writer.ts';
import { RecordReader } from '../../src/services/http/record-reader.ts';
import { decodeServers, decodeWatch, encodeServers, encodeWatch } from '../../src/services/http/server-view-codec.ts';
import { HeadWriter } from '../../src/services/http1/head-writer.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import { outcomeOf } from '../conformance/smuggling-front.ts';
import { mutate } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

const maxInputBytes = 4_096;
const fields = buildFields([
  { name: 'accept', value: '*/*' },
  { name: 'te', value: 'trailers' },
  { name: 'x-empty', value: '' },
]);

/** Records as routers write them. */
function written(write: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter();
  writer.reset();
  write(writer);
  const { bytes, start, end } = writer.take();
  return bytes.slice(start, end);
}

const seeds: readonly Uint8Array[] = [
  written((writer) => {
    const head = {
      method: 'POST',
      scheme: 'http',
      authority: 'a:80',
      path: '/x?y',
      fields,
      contentLength: 3,
      expectContinue: false,
      upgrade: '',
      client: '::1',
    } as const;
    const start = beginRequestHead(writer, head);
    writer.raw(fields, 0, fields.length);
    writer.endRecord(start);
    writer.recordHeader(RecordKind.body, 3);
    writer.raw(Uint8Array.of(1, 2, 3), 0, 3);
    writer.trailers(fields);
  }),
  written((writer) => {
    encodeInterimHead(writer, 103, fields);
    encodeAnswerHead(writer, { status: 200, fields, contentLength: -1, hasBody: true, upgrade: false });
    writer.recordHeader(RecordKind.body, 0);
    encodeAnswerHead(writer, { status: 101, fields: noFields, contentLength: 0, hasBody: true, upgrade: true });
  }),
  written((writer) => {
    encodeWatch(writer, 'service');
    encodeServers(writer, [{ id: 'server.x.1', ready: true, others: 1, priority: 0, overflow: 0, maxRequests: 9 }]);
  }),
];

/** Reads records as the routers of clients and of servers do; returns what was understood. */
function understood(input: Uint8Array, step: number): string[] {
  const found: string[] = [];
  const reader = new RecordReader(
    {
      record(kind, bytes, start, end): void {
        switch (kind) {
          case RecordKind.requestHead:
            found.push(asServersRead(bytes, start, end));
            return;
          case RecordKind.interimHead:
            found.push(`${decodeInterimStatus(bytes, start, end)} ${decodeInterimFields(bytes, start, end).join()}`);
            return;
          case RecordKind.answerHead: {
            const { status, contentLength, hasBody, upgrade } = decodeAnswerHead(bytes, start, end);
            found.push(`${status} ${contentLength} ${hasBody} ${upgrade}`);
            return;
          }
          case RecordKind.trailers:
            found.push(readFieldBlock(bytes, start, end).join());
            return;
          case RecordKind.watch:
            found.push(decodeWatch(bytes, start, end));
            return;
          case RecordKind.servers:
            found.push(JSON.stringify(decodeServers(bytes, start, end)));
            return;
          default:
            found.push(`unknown ${kind}`);
        }
      },
      body(bytes, start, end): void {
        for (let at = start; at < end; at++) found.push(`octet ${bytes[at]}`);
      },
    },
    0,
  );
  try {
    for (let at = 0; at < input.length; at += step) reader.read(input, at, Math.min(input.length, at + step));
  } catch (error) {
    if (!(error instanceof ProtocolViolation)) throw error;
    found.push(error.message);
  }
  return found;
}

/** What another router sends as a request is one request for the server, however it is made. */
function asServersRead(bytes: Uint8Array, start: number, end: number): string {
  const head = { ...decodeRequestHead(bytes, start, end), contentLength: 0, expectContinue: false, upgrade: '' };
  if (head.method === 'CONNECT' || (head.path === '*') !== (head.method === 'OPTIONS' && head.path === '*'))
    return 'no request for a server';
  const writer = new HeadWriter(new OctetPool());
  writer.request(head, 'server');
  const octets = writer.bytes.slice(writer.start, writer.end);
  const text = Buffer.from(octets).toString('latin1');
  const { forwarded, statuses } = outcomeOf([octets], 65_535);
  if (forwarded.length !== 1) {
    // A strict reader may refuse a request that a lenient one lets pass; it must not see two.
    assert.ok(forwarded.length === 0 && statuses.every((status) => status >= 400), text);
  }
  assert.ok(text.startsWith(`${head.method} ${head.path} HTTP/1.1\r\n`));
  assert.equal(text.indexOf('\r\n\r\n'), text.length - 4, text);
  return text;
}

/** The same whatever the cuts; nothing that another router sends becomes two requests at a server. */
export const httpRecordTargets: readonly FuzzTarget[] = [
  {
    name: 'http records',
    input: (random) => mutate(random.pick(seeds), random.pick(seeds), random, maxInputBytes),
    run: (input): unknown => {
      const whole = understood(input, Math.max(1, input.length));
      assert.deepEqual(understood(input, 1 + (input.length % 13)), whole);
      return whole;
    },
  },
];
