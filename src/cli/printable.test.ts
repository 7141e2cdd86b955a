import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { printableLine, printableText } from './printable.ts';

test('characters that steer a terminal become visible', () => {
  assert.equal(printableLine('a\u001b[2Jb\u009bc\rd\ne\tf\u007f'), 'a\\x1b[2Jb\\x9bc\\x0dd\\ne\\x09f\\x7f');
  assert.equal(printableLine('abc\u202edef\u2066'), 'abc\\u202edef\\u2066');
  assert.equal(printableText('one\ntwo'), 'one\ntwo');
  assert.equal(printableLine('grüße ╰─ 東京'), 'grüße ╰─ 東京');
});

test('whatever comes in, no control character goes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(printableLine(text), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});
