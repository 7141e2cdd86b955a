import { randomFillSync } from 'node:crypto';
import type { Random } from '../base/random.ts';

/** Random bytes are fetched in blocks: most requests are for a name of a few bytes. */
const blockBytes = 4096;

/** The operating system's randomness. */
export function processRandom(): Random {
  const block = new Uint8Array(blockBytes);
  let used = blockBytes;
  return {
    fill(target: Uint8Array): void {
      const { length } = target;
      if (length > blockBytes) {
        randomFillSync(target);
        return;
      }
      if (used + length > blockBytes) {
        randomFillSync(block);
        used = 0;
      }
      target.set(block.subarray(used, used + length));
      // What has been given out must not be found in memory later.
      block.fill(0, used, used + length);
      used += length;
    },
    number: () => Math.random(),
  };
}
