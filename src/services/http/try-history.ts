import type { BalancedServer } from '../balancing/balanced-server.ts';
import type { NetworkErrorCode } from './network-error.ts';

/**
 * Pauses before a request whose way was lost is sent again: the first is the way of routes that change this moment. A change of routes ends a
 * pause early.
 */
const retryPausesMs: readonly number[] = [1, 5, 10, 20, 50, 100, 200];
/** A request waits this long for a way at most, from the first failure. */
const patienceMs = 2_000;
/** Tries at servers that certainly did not process the request, at most. */
const maxElsewhere = 16;
/** Tries altogether, however often routes change. */
const maxTries = 64;

/** What has failed of one request. Made with its first failure: most requests have none. */
export class TryHistory {
  /** Servers that are not tried again, or only when nothing else is left: those whose way was lost. */
  tried: BalancedServer[] = [];
  #lost: BalancedServer[] = [];
  #tries = 0;
  #triesProcessed = 0;
  #triesElsewhere = 0;
  #waitingSinceMs = Infinity;
  #pauses = 0;
  /** Of the last failure. */
  code: NetworkErrorCode;
  reason: string;

  constructor(code: NetworkErrorCode, reason: string) {
    this.code = code;
    this.reason = reason;
  }

  failed(server: BalancedServer | undefined, isWayLost: boolean, code: NetworkErrorCode, reason: string): void {
    this.#tries++;
    this.code = code;
    this.reason = reason;
    if (server === undefined) return;
    this.tried.push(server);
    if (isWayLost) this.#lost.push(server);
  }

  /** Whether a request may be sent again that a server may have processed, of which `limit` tries are allowed. */
  mayRepeat(limit: number): boolean {
    return this.#tries < maxTries && ++this.#triesProcessed < limit;
  }

  /** Whether one may be that certainly was not processed. Where the network chooses, it may choose the same server again: then `limit` tries. */
  mayGoElsewhere(isWayLost: boolean, isChosen: boolean, limit: number): boolean {
    return this.#tries < maxTries && (isWayLost || ++this.#triesElsewhere < (isChosen ? maxElsewhere : limit));
  }

  /** A way was lost, so that it is worth waiting for another. */
  get awaitsWay(): boolean {
    return this.#lost.length > 0 || this.#waitingSinceMs < Infinity;
  }

  /** How long to wait for another way now; undefined when it has taken too long. Servers may be reached by another way then. */
  nextPauseMs(nowMs: number): number | undefined {
    this.#waitingSinceMs = Math.min(this.#waitingSinceMs, nowMs);
    if (nowMs - this.#waitingSinceMs >= patienceMs) return undefined;
    const lost = this.#lost;
    if (lost.length > 0) this.tried = this.tried.filter((server) => !lost.includes(server));
    this.#lost = [];
    return retryPausesMs[this.#pauses++] ?? retryPausesMs.at(-1);
  }

  /** The request goes to another address, which has other servers. */
  addressChanged(): void {
    this.tried = [];
    this.#lost = [];
  }
}
