import { windowBytes } from './tcp-stream.ts';

/**
 * Octets that all streams from this router should have sent and not acknowledged together. They lie at routers near receivers that do
 * not read, where each costs about one and a half times its length.
 */
export const sharedWindowBytes = 16_777_216;
/** A stream may take this part of what is left: nine full windows fit, of a hundred stalled streams each holds some 150 KiB. */
const shareOfRest = 1 / 8;

/**
 * The windows of the streams that begin at one router. Each stream may have a part of what is left of the shared octets under way (the dynamic
 * threshold of switches with shared memory): few streams get full windows, and many that stall leave room for those that do not.
 */
export class WindowBudget {
  #unacknowledged = 0;

  /** How much one stream may have under way now. A stream adds what its receiver needs to acknowledge anything at all. */
  get bytes(): number {
    return Math.max(0, Math.min(windowBytes, (sharedWindowBytes - this.#unacknowledged) * shareOfRest));
  }

  sent(bytes: number): void {
    this.#unacknowledged += bytes;
  }

  acknowledged(bytes: number): void {
    this.#unacknowledged -= bytes;
  }
}
