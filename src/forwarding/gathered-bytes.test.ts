import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatheredBytes } from './gathered-bytes.ts';

test('pieces are put together in order, and views stay as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }), (pieces) => {
      const gathered = new GatheredBytes();
      const views: [Uint8Array, number[]][] = [];
      for (const piece of pieces) {
        gathered.add(Uint8Array.of(1, ...piece, 2), 1, piece.length + 1);
        views.push([gathered.bytes, [...gathered.bytes]]);
      }
      assert.deepEqual(
        [...gathered.bytes],
        pieces.flatMap((piece) => [...piece]),
      );
      assert.equal(gathered.length, gathered.bytes.length);
      for (const [view, content] of views) assert.deepEqual([...view], content);
    }),
  );
});

test('a large message in single bytes costs no more than some copies of it', () => {
  const gathered = new GatheredBytes();
  const startedMs = performance.now();
  for (let count = 0; count < 262_144; count++) gathered.add(Uint8Array.of(count), 0, 1);
  assert.equal(gathered.length, 262_144);
  assert.ok(performance.now() - startedMs < 1000);
});
