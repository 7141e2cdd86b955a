/** A measurement is forgotten after one to two windows, so that a link that has become slow is seen to be. */
const windowMs = 5_000;

/** The shortest round trip measured lately: the time of the way itself, without what a loss or a busy machine adds to some of them. */
export class ShortestTrip {
  #windowEndMs = -Infinity;
  #currentMs = Infinity;
  #previousMs = Infinity;

  measured(tripMs: number, nowMs: number): void {
    if (nowMs >= this.#windowEndMs) {
      this.#previousMs = this.#currentMs;
      this.#currentMs = Infinity;
      this.#windowEndMs = nowMs + windowMs;
    }
    this.#currentMs = Math.min(this.#currentMs, tripMs);
  }

  /** 0 before the first measurement. */
  get leastMs(): number {
    const leastMs = Math.min(this.#currentMs, this.#previousMs);
    return leastMs === Infinity ? 0 : leastMs;
  }
}
