import type { SeededRandom } from '../../src/sim/seeded-random.ts';

/** Numbers at which decoders break. */
const edges = [0, 1, 2, 4, 7, 8, 127, 128, 255, 256, 511, 512, 65_535, 65_536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Some of `bytes` changed, moved, repeated, cut or joined with part of `other`. At most `maxLength` bytes. */
export function mutate(bytes: Uint8Array, other: Uint8Array, random: SeededRandom, maxLength: number): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let round = 1 + random.below(4); round > 0; round--) result = mutateOnce(result, other, random);
  return result.length > maxLength ? result.subarray(0, maxLength) : result;
}

function mutateOnce(bytes: Uint8Array, other: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = random.below(Math.min(32, bytes.length - at) + 1);
  switch (random.below(9)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = random.pick(edges) & 0xff;
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, random.pick(edges));
      return bytes;
    case 4:
      return join(bytes.subarray(0, at), bytes.subarray(at + length));
    case 5:
      return join(bytes.subarray(0, at + length), bytes.subarray(at));
    case 6: {
      const inserted = new Uint8Array(1 + random.below(16));
      random.fill(inserted);
      return join(bytes.subarray(0, at), inserted, bytes.subarray(at));
    }
    case 7: {
      const from = random.below(other.length + 1);
      return join(bytes.subarray(0, at), other.subarray(from, from + random.below(256)), bytes.subarray(at + length));
    }
    default:
      return bytes.subarray(0, at);
  }
}

export function join(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}
