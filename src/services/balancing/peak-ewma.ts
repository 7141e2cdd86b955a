/** What a server is taken to need before it has answered. */
const initialMs = 30;
/** Faster than this is all the same: below lies noise of the event loop. */
const floorMs = 1;
/** After this time an old sample counts for 1/e. */
const decayMs = 10_000;

/**
 * Time to first octet, weighted so that it jumps up with a slow answer at once and sinks slowly (peak EWMA). Reading decays as well, so that a
 * server which is avoided for one slow answer is tried again.
 */
export class PeakEwma {
  #valueMs = initialMs;
  #atMs = 0;
  #hasSample = false;

  read(nowMs: number): number {
    if (!this.#hasSample) return initialMs;
    return Math.max(floorMs, this.#valueMs * Math.exp(-(nowMs - this.#atMs) / decayMs));
  }

  observe(sampleMs: number, nowMs: number): void {
    const current = this.read(nowMs);
    if (!this.#hasSample || sampleMs > current) this.#valueMs = Math.max(floorMs, sampleMs);
    else {
      const share = 1 - Math.exp(-(nowMs - this.#atMs) / decayMs);
      this.#valueMs = Math.max(floorMs, current * (1 - share) + sampleMs * share);
    }
    this.#hasSample = true;
    this.#atMs = nowMs;
  }
}
