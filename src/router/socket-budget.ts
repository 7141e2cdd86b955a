/** A link, its dialling, its certificates, management and the process itself need files even when services have taken all others. */
const leastReserve = 64;
/** As many links as a router may have, and what it needs for itself. */
const mostReserve = 1088;
/** Of the limit, kept between these two. */
const reservedShare = 1 / 4;
/** That sockets are refused is logged at most this often. */
const logIntervalMs = 10_000;
/** Refusals count as recent for this long. */
const recentMs = 300_000;

/**
 * The sockets of services, of which there may be as many as the process may have open files, less a reserve: clients that come in thousands must not
 * keep the router from accepting and dialling links.
 */
export class SocketBudget {
  /** How many files the process may have open; Infinity where nobody knows. */
  readonly limit: number;
  /** Of them, how many are kept for links and for the router itself. */
  readonly reserved: number;
  #open = 0;
  #refused = 0;
  #refusedAtMs = -Infinity;
  #loggedAtMs = -Infinity;

  /** `openFileLimit`: undefined if the system does not tell. */
  constructor(openFileLimit: number | undefined) {
    this.limit = openFileLimit ?? Infinity;
    const share = Math.floor(this.limit * reservedShare);
    // A limit that is less than the reserve leaves half for services.
    this.reserved = Math.min(Math.max(leastReserve, Math.min(mostReserve, share)), Math.ceil(this.limit / 2));
  }

  get open(): number {
    return this.#open;
  }

  get isFull(): boolean {
    return this.#open >= this.limit - this.reserved;
  }

  /** Takes room for one socket; give it back with `release`. False, and nothing taken, when there is none. */
  take(): boolean {
    if (this.isFull) return false;
    this.#open++;
    return true;
  }

  release(): void {
    this.#open--;
  }

  /** A socket has been refused. True if it is time to log it. */
  refused(nowMs: number): boolean {
    if (nowMs - this.#refusedAtMs > recentMs) this.#refused = 0;
    this.#refused++;
    this.#refusedAtMs = nowMs;
    if (nowMs - this.#loggedAtMs < logIntervalMs) return false;
    this.#loggedAtMs = nowMs;
    return true;
  }

  /** Sockets refused, if the last was refused in the last minutes. */
  refusedLately(nowMs: number): number {
    return nowMs - this.#refusedAtMs > recentMs ? 0 : this.#refused;
  }
}
