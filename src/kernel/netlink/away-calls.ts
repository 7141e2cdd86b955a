import { NetlinkError } from './netlink-error.ts';

/** The kernel makes one change of links at a time; more threads would only wait there. One deletes while others create. */
const maxRunning = 4;
/** One for each interface that a host may have. */
const maxWaiting = 4096;

/** Calls on other threads: a few at a time, the others wait in their order. */
export class AwayCalls {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  /** `start` begins a call and gives its end. Rejects with NetlinkError `netlink-busy` when too many wait. */
  async run<Result>(what: string, start: () => Promise<Result>): Promise<Result> {
    if (this.#running < maxRunning) this.#running++;
    else {
      if (this.#waiting.length >= maxWaiting) {
        throw new NetlinkError('netlink-busy', `${what}: ${maxWaiting} calls wait already`, 0, { remedy: 'try again later' });
      }
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await start();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
