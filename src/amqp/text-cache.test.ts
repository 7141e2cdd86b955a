import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextCache } from './text-cache.ts';
import { ValueReader } from './value-reader.ts';
import { ValueWriter } from './value-writer.ts';

test('a text that is kept is found by its octets, and by no others', () => {
  const cache = new TextCache();
  const bytes = new TextEncoder().encode('..0/router-one..');
  assert.equal(cache.find(bytes, 2, 12), undefined);
  assert.equal(cache.keep(bytes, 2, 12, '0/router-one'), '0/router-one');
  assert.equal(cache.find(bytes, 2, 12), '0/router-one');
  assert.equal(cache.find(bytes, 2, 11), undefined);
  bytes[5] = 0x58;
  assert.equal(cache.find(bytes, 2, 12), undefined);
});

test('octets beyond ASCII are never taken for characters of the same number', () => {
  const cache = new TextCache();
  const latin = Uint8Array.of(0xe9, 0xe9);
  cache.keep(latin, 0, 2, '\u00e9\u00e9');
  assert.equal(cache.find(latin, 0, 2), undefined);
});

test('a reader with a cache reads what one without it reads', () => {
  const cache = new TextCache();
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 140 }), fc.constantFrom('application/vnd.caravan.http', '0/near-router-12'));
  fc.assert(
    fc.property(fc.array(text, { maxLength: 8 }), (texts) => {
      const writer = new ValueWriter(64);
      for (const one of texts) writer.string(one);
      const bytes = writer.take();
      const plain = new ValueReader(bytes);
      const cached = new ValueReader(bytes, 0, bytes.length, cache);
      for (const one of texts) {
        assert.equal(plain.readText(4096), one);
        assert.equal(cached.readText(4096), one);
      }
    }),
  );
});
