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

/**
 * Octets that neither were bodies nor came with requests or with answers going out, e.g. window updates without need, heads that are refused,
 * empty frames. Node tells of no such frame by itself.
 */
const overhead: Allowance = { burst: 1_048_576, perSecond: 65_536 };
/** What a chunk of a body may cost besides itself in each direction: its frame, or the news that it was taken. */
const chunkBytes = 64;
/** What an answer may cost besides: windows for it are told in pieces of a kilobyte at least. */
const answerShare = 64;

/** What a client may do at no cost of its own but some of ours. */
export class FloodGuard {
  readonly #pings = new Bucket(pings);
  readonly #settings = new Bucket(settings);
  readonly #resets = new Bucket(resets);
  readonly #overhead = new Bucket(overhead);
  #readBytes = 0;
  /** Octets that there was reason for, since the last look. */
  #usefulBytes = 0;

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

  /** `readBytes`: all that the connection has brought so far. */
  octets(nowMs: number, readBytes: number): boolean {
    const useless = readBytes - this.#readBytes - this.#usefulBytes;
    this.#readBytes = readBytes;
    this.#usefulBytes = 0;
    return this.#overhead.take(nowMs, Math.max(useless, 0));
  }

  /** A request has come, with a head of this length at most. */
  requested(headBytes: number): void {
    this.#usefulBytes += headBytes;
  }

  /** A piece of a request's body has come. */
  received(bytes: number): void {
    this.#usefulBytes += bytes + chunkBytes;
  }

  /** A piece of an answer has gone. */
  sent(bytes: number): void {
    this.#usefulBytes += bytes / answerShare + chunkBytes;
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

  take(nowMs: number, count = 1): boolean {
    const { burst, perSecond } = this.#allowance;
    this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) * perSecond) / 1000);
    this.#sinceMs = nowMs;
    this.#left -= count;
    return this.#left >= 0;
  }

  give(): void {
    this.#left = Math.min(this.#allowance.burst, this.#left + 1);
  }
}
