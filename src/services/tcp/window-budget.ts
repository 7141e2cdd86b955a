import { windowBytes } from './tcp-stream.ts';

/**
 * Octets that streams from this router should have sent and not acknowledged together, as long as they have not proven that their receivers
 * read. They lie at routers near receivers that do not, where each costs two to three times its length.
 */
export const sharedWindowBytes = 12_582_912;
/** The same for streams that have: receivers that stall leave them room, and if all of these stall, too, this is what they hold. */
export const provenWindowBytes = 33_554_432;
/** Acknowledged by a receiver that reads: systems take some 3 MiB for one that does not, which acknowledges as if it were read. */
export const provenBytes = 8_388_608;
/** A stream may take this part of what is left: six full windows fit, of a hundred stalled streams each holds some 120 KiB. */
const shareOfRest = 1 / 8;

/**
 * The windows of the streams that begin at one router. Each stream may have a part of what is left of the shared octets under way (the dynamic
 * threshold of switches with shared memory): few streams get full windows, and many that stall leave room for those that do not.
 */
export class WindowBudget {
  #unacknowledged = 0;

  /**
   * How much a stream may have under way now, of which `acknowledgedBytes` have been acknowledged so far. A stream adds what its receiver needs
   * to acknowledge anything at all.
   */
  windowOf(acknowledgedBytes: number): number {
    const shared = acknowledgedBytes >= provenBytes ? provenWindowBytes : sharedWindowBytes;
    return Math.max(0, Math.min(windowBytes, (shared - this.#unacknowledged) * shareOfRest));
  }

  sent(bytes: number): void {
    this.#unacknowledged += bytes;
  }

  acknowledged(bytes: number): void {
    this.#unacknowledged -= bytes;
  }
}
