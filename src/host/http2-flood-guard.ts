/** How many may come at once, and how many per second after that. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/** Clients that measure the way's bandwidth send one per window of data. */
const pings: Allowance = { burst: 2_000, perSecond: 1_000 };
/** Settings change once or twice in the life of a connection. */
const settings: Allowance = { burst: 32, perSecond: 1 };
/** Requests that were given up before their answer was complete: a browser that leaves a page, a deadline of many calls. */
const resets: Allowance = { burst: 1_000, perSecond: 33 };

/** What a client may do at no cost of its own but some of ours. */
export class FloodGuard {
  readonly #pings = new Bucket(pings);
  readonly #settings = new Bucket(settings);
  readonly #resets = new Bucket(resets);

  /** Each is false when there have been too many: the connection is to be cut. */
  ping(nowMs: number): boolean {
    return this.#pings.take(nowMs);
  }

  settings(nowMs: number): boolean {
    return this.#settings.take(nowMs);
  }

  reset(nowMs: number): boolean {
    return this.#resets.take(nowMs);
  }

  /** A request has been answered: who lets others be completed may give up as many. */
  completed(): void {
    this.#resets.give();
  }
}

class Bucket {
  readonly #allowance: Allowance;
  #left: number;
  #sinceMs = 0;

  constructor(allowance: Allowance) {
    this.#allowance = allowance;
    this.#left = allowance.burst;
  }

  take(nowMs: number): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) * perSecond) / 1000);
    this.#sinceMs = nowMs;
    this.#left--;
    return this.#left >= 0;
  }

  give(): void {
    this.#left = Math.min(this.#allowance.burst, this.#left + 1);
  }
}
