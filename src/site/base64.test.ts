import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';

/** RFC 4648 section 10. */
const vectors: readonly (readonly [string, string])[] = [
  ['', ''],
  ['f', 'Zg=='],
  ['fo', 'Zm8='],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg=='],
  ['fooba', 'Zm9vYmE='],
  ['foobar', 'Zm9vYmFy'],
];

test('the test vectors of the RFC', () => {
  for (const [text, encoded] of vectors) {
    assert.equal(encodeBase64(new TextEncoder().encode(text)), encoded);
    assert.equal(new TextDecoder().decode(decodeBase64(encoded)), text);
  }
});

test('the same as the platform, for any bytes, also in lines', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = encodeBase64(bytes);
      assert.equal(text, Buffer.from(bytes).toString('base64'));
      assert.deepEqual(decodeBase64(text), bytes);
      assert.deepEqual(decodeBase64(`${text.replaceAll(/.{1,76}/g, '$&\r\n')} `), bytes);
    }),
  );
});

test('what is not base64 is refused, not guessed', () => {
  for (const text of ['Zg', 'Zg=', 'Z===', '====', '=', 'Zm9v=', 'Zg==Zg==', 'Zm-_', 'Zm9%', 'Zmé=', '\u{1f600}', 'Z=g=']) {
    assert.equal(decodeBase64(text), undefined, text);
  }
});
