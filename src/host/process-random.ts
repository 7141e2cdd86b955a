import { randomFillSync } from 'node:crypto';
import type { Random } from '../base/random.ts';

/** The operating system's randomness. */
export const processRandom: Random = {
  fill(target: Uint8Array): void {
    randomFillSync(target);
  },
  number: () => Math.random(),
};
