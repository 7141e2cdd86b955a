import type { Clock } from '../base/clock.ts';

/** The clocks of this process. */
export const processClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
};
