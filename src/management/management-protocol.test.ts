import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  formatRequest,
  formatResponse,
  answerLimitBytes,
  parseRequest,
  parseResponse,
  queryPart,
  respond,
  statusCodes,
} from './management-protocol.ts';

test('a request survives the line', () => {
  const request = {
    id: 7,
    operation: 'CREATE',
    type: 'tcpListener',
    name: 'backend',
    attributes: new Map<string, unknown>([
      ['port', 8080],
      ['address', 'back\nend'],
    ]),
  };
  const line = formatRequest(request);
  assert.ok(line.endsWith('\n') && !line.slice(0, -1).includes('\n'));
  assert.deepEqual(parseRequest(line), { ok: true, request });
});

test('operations are read in any case', () => {
  const parsed = parseRequest('{"id": "a", "operation": "query", "type": "connection"}');
  assert.deepEqual(parsed, { ok: true, request: { id: 'a', operation: 'QUERY', type: 'connection', attributes: new Map() } });
});

const refused: readonly (readonly [string, number | string, RegExp])[] = [
  ['', '', /JSON object/],
  ['GET / HTTP/1.1', '', /JSON object/],
  ['[]', '', /JSON object/],
  ['{"operation": "QUERY"}', '', /'id'/],
  ['{"id": 1.5, "operation": "QUERY"}', '', /'id'/],
  [`{"id": "${'x'.repeat(65)}", "operation": "QUERY"}`, '', /'id'/],
  ['{"id": 3}', 3, /'operation'/],
  ['{"id": 3, "operation": "A B"}', 3, /'operation'/],
  ['{"id": 3, "operation": "READ", "type": 1}', 3, /'type'/],
  ['{"id": 3, "operation": "READ", "name": ""}', 3, /'name'/],
  ['{"id": 3, "operation": "READ", "attributes": []}', 3, /'attributes'/],
  ['{"id": 3, "operation": "READ", "nmae": "x"}', 3, /'nmae' is unknown/],
];

for (const [line, id, description] of refused) {
  test(`answers 400 to ${line.slice(0, 60)}`, () => {
    const parsed = parseRequest(line);
    assert.ok(!parsed.ok);
    assert.equal(parsed.response.id, id);
    assert.equal(parsed.response.statusCode, 400);
    assert.match(parsed.response.statusDescription, description);
  });
}

test('no line makes the parsers throw', () => {
  const hostile = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((value) => JSON.stringify({ id: 1, operation: 'READ', ...value })),
  );
  fc.assert(
    fc.property(hostile, (line) => {
      parseRequest(line);
      parseResponse(line);
    }),
  );
});

test('a response survives the line', () => {
  const response = respond(1, statusCodes.created, { name: 'a' });
  assert.deepEqual(parseResponse(formatResponse(response)), response);
  assert.equal(parseResponse('{"id": 1}'), undefined);
  assert.equal(parseResponse('hello'), undefined);
});

test('a response one byte over the line limit says how to ask for less', () => {
  const empty = formatResponse(respond(1, statusCodes.ok, '')).length;
  const fitting = formatResponse(respond(1, statusCodes.ok, 'x'.repeat(answerLimitBytes - empty)));
  assert.equal(fitting.length, answerLimitBytes);
  const tooLong = parseResponse(formatResponse(respond(1, statusCodes.ok, 'x'.repeat(answerLimitBytes - empty + 1))));
  assert.equal(tooLong?.statusCode, 500);
  assert.match(tooLong?.statusDescription ?? '', /offset and count/);
});

test('a query can be asked for in parts', () => {
  const rows = [1, 2, 3, 4, 5];
  assert.deepEqual(queryPart(rows, new Map()), { results: rows, total: 5 });
  assert.deepEqual(
    queryPart(
      rows,
      new Map([
        ['offset', 1],
        ['count', 2],
      ]),
    ),
    { results: [2, 3], total: 5 },
  );
  assert.equal(queryPart(rows, new Map([['offset', -1]])), undefined);
  assert.equal(queryPart(rows, new Map([['count', 'x']])), undefined);
});
