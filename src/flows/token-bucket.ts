/** What the time has brought is granted together: work that is done a few times in a row is done faster. */
const grantEveryMicroseconds = 100_000;

/** Grants a number of things a second, and as many at once after a pause. Times are of the wall: they may jump, which grants one second's. */
export class TokenBucket {
  #perSecond: number;
  #tokens: number;
  #atMicroseconds = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
  }

  get perSecond(): number {
    return this.#perSecond;
  }

  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
    this.#tokens = Math.min(this.#tokens, perSecond);
  }

  take(wallMicroseconds: number): boolean {
    const passed = wallMicroseconds - this.#atMicroseconds;
    if (passed >= grantEveryMicroseconds || passed < 0) {
      this.#atMicroseconds = wallMicroseconds;
      if (passed > 0) this.#tokens = Math.min(this.#perSecond, this.#tokens + (passed * this.#perSecond) / 1_000_000);
    }
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
