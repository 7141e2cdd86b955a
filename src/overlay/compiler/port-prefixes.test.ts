import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { portPrefixes } from './port-prefixes.ts';

const port = fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.constantFrom(0, 1, 65_535));

test('prefixes hold the ports of a range, each once, and no other', () => {
  fc.assert(
    fc.property(port, port, (one, other) => {
      const [first, last] = [Math.min(one, other), Math.max(one, other)];
      const prefixes = portPrefixes(first, last);
      assert.ok(prefixes.length <= 30);
      let next = first;
      for (const prefix of prefixes) {
        assert.equal(prefix.port, next);
        assert.equal(prefix.port % 2 ** (16 - prefix.length), 0);
        next = prefix.port + 2 ** (16 - prefix.length);
      }
      assert.equal(next, last + 1);
    }),
  );
});

test('one port is one prefix, all of them are one of no length', () => {
  assert.deepEqual(portPrefixes(80, 80), [{ port: 80, length: 16 }]);
  assert.deepEqual(portPrefixes(0, 65_535), [{ port: 0, length: 0 }]);
});
