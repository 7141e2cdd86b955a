import type { Clock } from '../../base/clock.ts';

/** How many may come at once, and how many per second after that. */
interface Allowance {
  readonly burst: number;
  readonly perSecond: number;
}

/** Programs that measure the way's bandwidth send one for each DATA that they get, at most: those are not counted. */
const pings: Allowance = { burst: 2_000, perSecond: 1_000 };
/** Settings change once or twice in the life of a connection. */
const settings: Allowance = { burst: 32, perSecond: 1 };
/** Requests that were given up before their answer was complete: a browser that leaves a page, a deadline of many calls. */
const resets: Allowance = { burst: 1_000, perSecond: 33 };
/** Frames that neither bring anything nor are due to anything sent: empty DATA, PRIORITY, windows without need, unknown ones. */
const idleFrames: Allowance = { burst: 10_000, perSecond: 1_000 };
/** A head of so many fields costs as much as a request that is given up. */
const fieldsPerReset = 64;
/** A frame of DATA that was sent is answered by a window for its stream and one for the connection. */
const windowsPerFrame = 2;

/** What a peer may do at no cost of its own but some of ours. Each question is false when there has been too much: the connection is to be cut. */
export class FloodGuard {
  readonly #pings: Bucket;
  readonly #settings: Bucket;
  readonly #resets: Bucket;
  readonly #idleFrames: Bucket;

  constructor(clock: Clock) {
    this.#pings = new Bucket(clock, pings);
    this.#settings = new Bucket(clock, settings);
    this.#resets = new Bucket(clock, resets);
    this.#idleFrames = new Bucket(clock, idleFrames);
  }

  ping(): boolean {
    return this.#pings.take();
  }

  settings(): boolean {
    return this.#settings.take();
  }

  /** `fields`: of its head, as far as there was one. */
  reset(fields: number): boolean {
    return this.#resets.take(1 + Math.floor(fields / fieldsPerReset));
  }

  idleFrame(): boolean {
    return this.#idleFrames.take();
  }

  /** A frame of DATA has been sent. */
  dataSent(): void {
    this.#idleFrames.give(windowsPerFrame);
    this.#pings.give(1);
  }

  /** A request has been answered: who lets others be completed may give up as many. */
  completed(): void {
    this.#resets.give(1);
  }
}

class Bucket {
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  #left: number;
  /** Since when nothing has been added for the time that went by; the clock is asked only when nothing is left. */
  #sinceMs: number;

  constructor(clock: Clock, allowance: Allowance) {
    this.#clock = clock;
    this.#allowance = allowance;
    this.#left = allowance.burst;
    this.#sinceMs = clock.nowMs();
  }

  take(count = 1): boolean {
    if (this.#left < count) {
      const { burst, perSecond } = this.#allowance;
      const nowMs = this.#clock.nowMs();
      this.#left = Math.min(burst, this.#left + ((nowMs - this.#sinceMs) * perSecond) / 1000);
      this.#sinceMs = nowMs;
      if (this.#left < count) return false;
    }
    this.#left -= count;
    return true;
  }

  give(count: number): void {
    this.#left = Math.min(this.#allowance.burst, this.#left + count);
  }
}
