import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeOnePem, decodePem, encodePem, encodePemChain, maxPemBytes } from './pem.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Uint8Array.from(array));

test('chains of blocks survive, with text around them', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 5 }), (blocks) => {
      const text = `subject: x\r\n${encodePemChain(blocks).replaceAll('\n', '\r\n')}trailing`;
      assert.deepEqual(decodePem('CERTIFICATE', text, 'x', 5), blocks);
    }),
  );
});

test('lines have 64 characters', () => {
  const lines = encodePem('PRIVATE KEY', new Uint8Array(100)).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.length),
    [27, 64, 64, 8, 25],
  );
});

test('other labels, damage and too many blocks are refused', () => {
  const one = encodePem('CERTIFICATE', Uint8Array.of(1, 2, 3));
  for (const text of [
    '',
    encodePem('PRIVATE KEY', Uint8Array.of(1)),
    one.slice(0, -6),
    one.replace('AQID', 'AQ!D'),
    one.replace('AQID', 'AQI'),
    one + one,
  ]) {
    assert.throws(() => decodeOnePem('CERTIFICATE', text, 'x'), { code: 'bad-pem' }, text);
  }
  assert.throws(() => decodePem('CERTIFICATE', `${' '.repeat(maxPemBytes)}${one}`, 'x', 1), { code: 'bad-pem' });
});
