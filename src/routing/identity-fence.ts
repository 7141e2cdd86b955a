import { compareBytes } from './signed-record.ts';

/** New epochs are asked for at most this often, however often a process with the same identity takes one. */
const askIntervalMs = 1_000;

/** What is to be done about a record of this router that it has not made. */
export interface FenceOutcome {
  /** Ask the owner for an epoch above this one. */
  readonly epochAbove: number | undefined;
  /** The other process lives: it has answered an epoch of this one with a higher one. */
  readonly conflict: boolean;
  /** This process is the one to give way. */
  readonly fenced: boolean;
}

/**
 * Hears records of this router's identity that are newer than its own. Once that is its own past, of which it has lost the memory: it takes a
 * higher epoch. When they come again with a higher epoch still, another process has the same identity and lives: of
 * the two the one with the lower nonce gives way; with equal nonces both do, because then nobody can tell them apart.
 */
export class IdentityFence {
  readonly #nonce: Uint8Array;
  #askedMs = -Infinity;
  /** Epochs taken because of what was heard. */
  #answers = 0;
  /** Of the other process last heard. */
  #othersEpoch = 0;
  #othersNonce = new Uint8Array(8);

  constructor(nonce: Uint8Array) {
    this.#nonce = nonce;
  }

  /** `ownEpoch` is the epoch in use. */
  hear(epoch: number, nonce: Uint8Array, ownEpoch: number, nowMs: number): FenceOutcome {
    const order = compareBytes(this.#nonce, nonce);
    const isSame = compareBytes(this.#othersNonce, nonce) === 0;
    const lives = this.#answers > 0 && isSame && epoch > this.#othersEpoch;
    this.#othersEpoch = isSame ? Math.max(this.#othersEpoch, epoch) : epoch;
    this.#othersNonce = nonce.slice();
    if (lives && order <= 0) return { epochAbove: undefined, conflict: true, fenced: true };
    if (nowMs - this.#askedMs < askIntervalMs) return { epochAbove: undefined, conflict: lives, fenced: false };
    this.#askedMs = nowMs;
    return { epochAbove: Math.max(epoch, ownEpoch), conflict: lives, fenced: false };
  }

  /** The owner has given a new epoch. */
  answered(): void {
    this.#answers++;
  }
}
