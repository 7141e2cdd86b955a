/** Pauses between computations of paths while changes keep coming: the first ones belong to one event told by several routers. */
const pausesMs: readonly number[] = [20, 100, 500, 2_000, 5_000];
/** No pause is longer than this, and a millisecond for so many routers: to compute few paths costs less than to go on with wrong ones. */
const longestPauseMs = 500;
const routersPerLongestPauseMs = 2;
/** After at least this long without a computation, and twice the last pause, the next change is acted upon at once again. */
const leastQuietMs = 1_000;
/**
 * A router this young among routers that do not sign learns the network step by step, and each step needs paths: it pauses only for what
 * comes at the same moment. Signed records need no paths; they come in hundreds, and paths for each few would cost more than all else.
 */
const learningMs = 10_000;
const learningPauseMs = 1;
/**
 * Who could not be reached and now can, or what passes through a router that is about to leave, waits no longer than this: nobody gains by
 * the pause, and somebody may have no other way.
 */
const pressingPauseMs = 100;
/** The same after so many computations without rest: that is more than one event takes, and what comes and goes will do so again. */
const restlessRuns = 6;
const restlessPauseMs = 300;
/** That pause is longer by a millisecond for so many routers: where all paths take milliseconds, the pause stays a hundred times that. */
const routersPerPauseMs = 20;

/**
 * When paths are computed anew (in the spirit of RFC 8405): at once after quiet, then with growing pauses while the network does not
 * come to rest. What is urgent, the loss of an own link, never waits.
 */
export class PathSchedule {
  #startedMs: number | undefined;
  #level = 0;
  #nextMs = -Infinity;
  /** The same for what is not pressing. */
  #pauseEndMs = -Infinity;
  #quietAtMs = -Infinity;
  #lastMs = -Infinity;
  /** Computations since the network was last at rest. */
  #runs = 0;

  /** There is something to compute: true if now is the time, which counts as done. `stepwise`: what is asked for needs paths first. `routers`: as many are known. */
  take(urgent: boolean, stepwise: boolean, routers: number, nowMs: number): boolean {
    if (!urgent && nowMs < this.#nextMs) return false;
    if (!urgent && nowMs < this.#pauseEndMs) {
      // What is pressing comes in between, and the pause for all else goes on.
      this.#nextMs = this.#pauseEndMs;
      this.#lastMs = nowMs;
      this.#runs++;
      return true;
    }
    this.#startedMs ??= nowMs;
    if (nowMs >= this.#quietAtMs) {
      this.#level = 0;
      this.#runs = 0;
    }
    this.#runs++;
    const learning = stepwise && nowMs - this.#startedMs < learningMs;
    const longestMs = longestPauseMs + routers / routersPerLongestPauseMs;
    const pauseMs = learning ? learningPauseMs : Math.min(pausesMs[this.#level] ?? 0, longestMs);
    this.#level = Math.min(this.#level + 1, pausesMs.length - 1);
    this.#lastMs = nowMs;
    // Others tell of an urgent loss, too: until that is computed, this router may believe in ways that come back to it.
    this.#nextMs = nowMs + (urgent ? Math.min(pauseMs, pressingPauseMs) : pauseMs);
    this.#pauseEndMs = this.#nextMs;
    this.#quietAtMs = nowMs + Math.max(leastQuietMs, 2 * pauseMs);
    return true;
  }

  /** What waits to be computed leads to somebody who could not be reached, in a network of so many routers. */
  hasten(routers: number): void {
    const pauseMs = this.#runs < restlessRuns ? pressingPauseMs : restlessPauseMs;
    this.#nextMs = Math.min(this.#nextMs, this.#lastMs + pauseMs + routers / routersPerPauseMs);
  }

  /** When `take` will succeed; may be in the past. */
  get dueMs(): number {
    return this.#nextMs;
  }
}
