import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildFields, fieldBlockProblem, readFields as fieldsOf } from '../services/http/field-block.ts';
import { HttpViolation } from '../services/http1/http-violation.ts';
import { appendFields, readFields, trailerFields } from './http2-fields.ts';
import { readRequestHead, readResponseHead } from './http2-heads.ts';

const name = fc.stringMatching(/^x-[a-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.stringMatching(/^(?:[!-~\u0080-\u00ff](?:[\t !-~\u0080-\u00ff]{0,30}[!-~\u0080-\u00ff])?)?$/);

test('fields go to a block and back as they are', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), (fields) => {
      const raw = fields.flat();
      const { block } = readFields([':status', '200', ...raw]);
      assert.equal(fieldBlockProblem(block, 0, block.length), undefined);
      const back: string[] = [];
      appendFields(back, block);
      assert.deepEqual(back, raw);
    }),
  );
});

test('any octets make a block that is valid, or a violation', () => {
  const text = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (texts) => {
      const raw = texts.length % 2 === 0 ? texts : [...texts, ''];
      try {
        const { block } = readFields(raw);
        assert.equal(fieldBlockProblem(block, 0, block.length), undefined);
      } catch (error) {
        assert.ok(error instanceof HttpViolation);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('crumbs of cookies become one field, blanks around values go', () => {
  const { block } = readFields(['cookie', 'a=b', 'x-a', ' \tv ', 'cookie', 'c=d', 'te', 'Trailers']);
  assert.deepEqual(fieldsOf(block), [
    { name: 'x-a', value: 'v' },
    { name: 'te', value: 'trailers' },
    { name: 'cookie', value: 'a=b; c=d' },
  ]);
});

test('trailers keep names that objects have themselves, and repeated ones', () => {
  const block = buildFields([
    { name: '__proto__', value: 'a' },
    { name: 'x', value: '1' },
    { name: 'x', value: '2' },
  ]);
  const fields = trailerFields(block);
  assert.deepEqual(Object.keys(fields), ['__proto__', 'x']);
  assert.deepEqual(fields['x'], ['1', '2']);
});

const get = [':method', 'GET', ':scheme', 'http', ':authority', 'h:1', ':path', '/'];
const malformed: Readonly<Record<string, readonly string[]>> = {
  'a name in upper case': [...get, 'X-A', '1'],
  'an empty name': [...get, '', '1'],
  'a blank in a name': [...get, 'x a', '1'],
  'a name of 256 octets': [...get, 'n'.repeat(256), '1'],
  'a line break in a value': [...get, 'x-a', '1\r\nx-b: 2'],
  'NUL in a value': [...get, 'x-a', '1\0'],
  'a connection field': [...get, 'connection', 'close'],
  'transfer-encoding': [...get, 'transfer-encoding', 'chunked'],
  upgrade: [...get, 'upgrade', 'h2c'],
  'te other than trailers': [...get, 'te', 'gzip'],
  'two lengths': [...get, 'content-length', '1', 'content-length', '2'],
  'a length that is no number': [...get, 'content-length', '+1'],
  'a list as length': [...get, 'content-length', '1, 1'],
  'a host that is not the authority': [...get, 'host', 'other'],
  'a pseudo field behind others': ['x-a', '1', ...get],
  'a path that is none': [':method', 'GET', ':path', 'nowhere'],
  'a path with a blank': [':method', 'GET', ':path', '/a b'],
  'a path with a fragment': [':method', 'GET', ':path', '/a#b'],
  'an asterisk for GET': [':method', 'GET', ':path', '*'],
  'no path': [':method', 'GET'],
  'no method': [':path', '/'],
  'a method that is no token': [':method', 'GE T', ':path', '/'],
  'an authority that is none': [':method', 'GET', ':path', '/', ':authority', 'a@b'],
  'a protocol without CONNECT': [':method', 'GET', ':path', '/', ':protocol', 'websocket'],
};

for (const [what, raw] of Object.entries(malformed)) {
  test(`malformed: ${what}`, () => {
    assert.throws(() => readRequestHead(raw, true, { scheme: 'http', client: '', checkedAuthority: '' }), { status: 400 });
  });
}

test('heads of requests', () => {
  const side = { scheme: 'https', client: '192.0.2.1', checkedAuthority: '' } as const;
  const head = readRequestHead([...get, 'content-length', '5', 'expect', '100-continue', 'host', 'h:1'], true, { ...side });
  assert.deepEqual(
    { ...head, fields: head.fields.length },
    {
      method: 'GET',
      scheme: 'https',
      authority: 'h:1',
      path: '/',
      fields: 0,
      contentLength: 5,
      expectContinue: true,
      upgrade: '',
      client: '192.0.2.1',
    },
  );
  assert.equal(readRequestHead(get, true, { ...side }).contentLength, -1);
  assert.equal(readRequestHead(get, false, { ...side }).contentLength, 0);
  assert.throws(() => readRequestHead([':method', 'CONNECT', ':authority', 'h:1'], true, { ...side }), { status: 501 });
});

test('heads of answers', () => {
  const request = readRequestHead(get, false, { scheme: 'http', client: '', checkedAuthority: '' });
  const body = readResponseHead([':status', '200', 'content-length', '5'], true, request);
  assert.deepEqual([body.status, body.contentLength, body.hasBody], [200, 5, true]);
  const none = readResponseHead([':status', '304', 'content-length', '5'], false, request);
  assert.deepEqual([none.status, none.contentLength, none.hasBody], [304, 5, false]);
  const toHead = readResponseHead([':status', '200', 'content-length', '5'], false, { ...request, method: 'HEAD' });
  assert.deepEqual([toHead.contentLength, toHead.hasBody], [5, false]);
  for (const status of ['101', '600', '20', '2000', 'abc']) {
    assert.throws(() => readResponseHead([':status', status], true, request), HttpViolation);
  }
});
