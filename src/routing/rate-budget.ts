/**
 * Lets a burst through at once and then a steady rate (token bucket). What does not fit waits and is coalesced by the owner,
 * so that a flapping link or consumer cannot make this router flood the network.
 */
export class RateBudget {
  readonly #burst: number;
  readonly #refillMs: number;
  #tokens: number;
  #countedAtMs = 0;

  /** `burst` tokens at first and at most; one more every `refillMs`. */
  constructor(burst: number, refillMs: number) {
    this.#burst = burst;
    this.#refillMs = refillMs;
    this.#tokens = burst;
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** When `take` will succeed. */
  availableAtMs(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens >= 1 ? nowMs : this.#countedAtMs + this.#refillMs;
  }

  /** Whether nothing has been taken lately. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.#burst;
  }

  #refill(nowMs: number): void {
    const gained = Math.floor((nowMs - this.#countedAtMs) / this.#refillMs);
    if (gained <= 0) return;
    this.#tokens += gained;
    this.#countedAtMs += gained * this.#refillMs;
    if (this.#tokens >= this.#burst) {
      this.#tokens = this.#burst;
      this.#countedAtMs = nowMs;
    }
  }
}
