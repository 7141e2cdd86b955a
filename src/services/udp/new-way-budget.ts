import { newWaysPerSecond } from './limits.ts';

/** How many ways may begin now: as many as in one second at once, then as many per second. */
export class NewWayBudget {
  #left = newWaysPerSecond;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#left = Math.min(newWaysPerSecond, this.#left + ((nowMs - this.#atMs) / 1000) * newWaysPerSecond);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
