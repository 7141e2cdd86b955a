/** What is told covers between one and two of these. */
const windowMs = 60_000;

/**
 * How many of the HELLOs that a neighbour sends at regular times come late by a whole period, or not at all. Links are streams: nothing is
 * lost for good on them, but what is lost below has to be sent again, and that is late.
 */
export class ProbeLoss {
  #windowEndMs = -Infinity;
  #expected = 0;
  #late = 0;
  #previousExpected = 0;
  #previousLate = 0;

  /** A HELLO has come, so long after the one before. */
  heard(sinceMs: number, intervalMs: number, nowMs: number): void {
    if (nowMs >= this.#windowEndMs) {
      this.#previousExpected = this.#expected;
      this.#previousLate = this.#late;
      this.#expected = 0;
      this.#late = 0;
      this.#windowEndMs = nowMs + windowMs;
    }
    const periods = Math.max(1, Math.round(sinceMs / intervalMs));
    this.#expected += periods;
    this.#late += periods - 1;
  }

  /** 0 to 1. */
  get ratio(): number {
    const expected = this.#expected + this.#previousExpected;
    return expected === 0 ? 0 : (this.#late + this.#previousLate) / expected;
  }
}
