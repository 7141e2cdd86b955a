import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { internetChecksum, onesComplementSum, pseudoHeaderSum, updatedChecksum } from './checksum.ts';
import { writeU16 } from './octets.ts';

test('the sum of the example in RFC 1071', () => {
  assert.equal(onesComplementSum(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7)), 0xddf2);
  assert.equal(onesComplementSum(Uint8Array.of(0x00, 0x01, 0xf2)), 0xf201);
});

test('over octets with their right checksum it is 0', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 80 }), (octets) => {
      const packet = octets.slice();
      writeU16(packet, 0, 0);
      writeU16(packet, 0, internetChecksum(packet));
      assert.equal(internetChecksum(packet), 0);
    }),
  );
});

test('a word that changes changes the checksum as a new count would', () => {
  const word = fc.nat(0xffff);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 64 }), word, (octets, newWord) => {
      // A first octet that is not 0: only octets that are all 0 have the sum 0, and a header never is.
      const packet = Uint8Array.of(0x45, 0, ...octets.subarray(0, octets.length & ~1));
      const before = internetChecksum(packet);
      const oldWord = (packet[2]! << 8) | packet[3]!;
      writeU16(packet, 2, newWord);
      assert.equal(updatedChecksum(before, oldWord, newWord), internetChecksum(packet));
    }),
  );
});

test('the pseudo-header has addresses, length and protocol', () => {
  const source = Uint8Array.of(10, 0, 0, 1);
  const destination = Uint8Array.of(10, 0, 0, 2);
  assert.equal(pseudoHeaderSum(source, destination, 17, 9), 0x0a00 + 1 + 0x0a00 + 2 + 9 + 17);
  assert.equal(pseudoHeaderSum(new Uint8Array(16), new Uint8Array(16), 58, 0x10002), 1 + 2 + 58);
});
