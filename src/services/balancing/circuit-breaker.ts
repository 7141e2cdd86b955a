import type { Random } from '../../base/random.ts';

/** Failures in a row that eject a server. */
const consecutiveFailures = 5;
/** A server is ejected as well when it fails at least half of so many requests or more within the window. */
const sampleRequests = 20;
const failureShare = 0.5;
const windowMs = 10_000;
/** The first ejection lasts this long; each further one without a success between them twice as long. */
const firstPenaltyMs = 1_000;
const maxPenaltyMs = 60_000;
/** Penalties are longer by up to this share, so that routers do not try a server at the same moment. */
const jitter = 0.5;

/** How a request to a server ended. */
export const RequestResult = {
  success: 0,
  /** The server answered that it failed, or broke off. */
  failure: 1,
  /** The server could not be connected to: certainly nothing was processed. */
  unreachable: 2,
  /** The client gave up, or the network had to end it: says nothing of the server. */
  withdrawn: 3,
} as const;
export type RequestResult = (typeof RequestResult)[keyof typeof RequestResult];

/**
 * Keeps requests from a server that fails. Closed: all pass. Ejected: none until the penalty is over. Then exactly one request tries the
 * server (probe): its success closes the breaker, its failure ejects for twice as long.
 */
export class CircuitBreaker {
  readonly #random: Random;
  #failuresInRow = 0;
  #requests = 0;
  #failures = 0;
  #windowStartMs = -Infinity;
  #ejectedUntilMs = -Infinity;
  #isEjected = false;
  #isProbing = false;
  #penaltyMs = firstPenaltyMs;
  /** Whether the last ejection is for a server that could not be connected to. */
  unreachable = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether a request may be sent now. */
  allows(nowMs: number): boolean {
    return !this.#isEjected || (!this.#isProbing && nowMs >= this.#ejectedUntilMs);
  }

  get isEjected(): boolean {
    return this.#isEjected;
  }

  /** The time from which a probe may be sent; -Infinity when closed. */
  get ejectedUntilMs(): number {
    return this.#isEjected ? this.#ejectedUntilMs : -Infinity;
  }

  /** A request is sent. True when it is the probe. */
  started(nowMs: number): boolean {
    if (!this.#isEjected || this.#isProbing || nowMs < this.#ejectedUntilMs) return false;
    this.#isProbing = true;
    return true;
  }

  ended(result: RequestResult, isProbe: boolean, nowMs: number): void {
    if (isProbe) this.#isProbing = false;
    if (result === RequestResult.withdrawn) return;
    if (this.#isEjected) {
      // Requests from before the ejection say nothing new.
      if (isProbe) this.#judgeProbe(result, nowMs);
      return;
    }
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#requests = 0;
      this.#failures = 0;
    }
    this.#requests++;
    if (result === RequestResult.success) {
      this.#failuresInRow = 0;
      this.#penaltyMs = firstPenaltyMs;
      return;
    }
    this.#failuresInRow++;
    this.#failures++;
    const failsOften = this.#requests >= sampleRequests && this.#failures >= this.#requests * failureShare;
    if (this.#failuresInRow >= consecutiveFailures || failsOften) this.#eject(result, nowMs);
  }

  #judgeProbe(result: RequestResult, nowMs: number): void {
    if (result !== RequestResult.success) {
      this.#eject(result, nowMs);
      return;
    }
    this.#isEjected = false;
    this.#failuresInRow = 0;
    this.#requests = 0;
    this.#failures = 0;
    this.#windowStartMs = nowMs;
  }

  #eject(result: RequestResult, nowMs: number): void {
    this.#isEjected = true;
    this.unreachable = result === RequestResult.unreachable;
    this.#ejectedUntilMs = nowMs + this.#penaltyMs * (1 + jitter * this.#random.number());
    this.#penaltyMs = Math.min(maxPenaltyMs, this.#penaltyMs * 2);
    this.#failuresInRow = 0;
  }
}
