/** Retries for each original request, at most. */
const ratio = 0.2;
/** Time that a request counts for. */
const windowMs = 10_000;
/** Retries that are allowed whatever the number of requests: otherwise a service with few requests could never retry. */
const minimumPerSecond = 10;
/** Steps in which the window moves. */
const slots = 10;
const slotMs = windowMs / slots;

/**
 * Bounds retries to a share of the requests, so that a service in trouble is not given several times its load. Numbers as Gateway API's and
 * Linkerd's default: 20 % of the requests of the last 10 s, and 10 a second besides.
 */
export class RetryBudget {
  readonly #requests: Float64Array<ArrayBuffer> = new Float64Array(slots);
  readonly #retries: Float64Array<ArrayBuffer> = new Float64Array(slots);
  #slot = 0;
  #slotStartMs = -Infinity;

  #advance(nowMs: number): void {
    if (nowMs - this.#slotStartMs >= windowMs) {
      this.#requests.fill(0);
      this.#retries.fill(0);
      this.#slotStartMs = nowMs;
      return;
    }
    while (nowMs - this.#slotStartMs >= slotMs) {
      this.#slot = (this.#slot + 1) % slots;
      this.#requests[this.#slot] = 0;
      this.#retries[this.#slot] = 0;
      this.#slotStartMs += slotMs;
    }
  }

  /** A request that is not a retry. */
  deposit(nowMs: number): void {
    this.#advance(nowMs);
    this.#requests[this.#slot]++;
  }

  /** Takes one retry; false when there is none left. */
  withdraw(nowMs: number): boolean {
    this.#advance(nowMs);
    let requests = 0;
    let retries = 0;
    for (let slot = 0; slot < slots; slot++) {
      requests += this.#requests[slot];
      retries += this.#retries[slot];
    }
    if (retries >= requests * ratio + (minimumPerSecond * windowMs) / 1000) return false;
    this.#retries[this.#slot]++;
    return true;
  }
}
