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
      for (let index = 0; index < length; index++) {
        target[index] = block[used] as number;
        // What has been given out must not be found in memory later.
        block[used++] = 0;
      }
    },
    number: () => Math.random(),
  };
}
