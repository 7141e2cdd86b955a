import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InputError } from '../base/errors.ts';
import { parseJson, type JsonValue } from './json-text.ts';

function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item as JsonValue)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

test('reads what the platform writes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      assert.deepEqual(plain(parseJson(text, 'x').value), JSON.parse(text));
    }),
  );
});

test('accepts exactly what the platform accepts, but for keys that stand twice', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"b',
    '"',
    '\\',
    '1',
    '-',
    '.5',
    'e9',
    'true',
    'nul',
    'null',
    ' ',
    '\n',
    '\u0001',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      let expected: unknown;
      let valid = true;
      try {
        expected = JSON.parse(text);
      } catch {
        valid = false;
      }
      try {
        assert.deepEqual(plain(parseJson(text, 'x').value), expected);
        assert.ok(valid, `accepted ${text}`);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        assert.ok(!valid || error.message.includes('stands twice'), `refused ${text}`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('knows the lines of containers', () => {
  const document = parseJson('[\n  {},\n\n  [1]\n]', 'x');
  assert.ok(Array.isArray(document.value));
  assert.deepEqual(
    [document.value, ...(document.value as object[])].map((container) => document.lineOf(container)),
    [1, 2, 4],
  );
});
