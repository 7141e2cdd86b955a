import type { Random } from '../../base/random.ts';
import type { TrafficSeries } from '../../flows/metering.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { RequestResult } from './circuit-breaker.ts';
import { PeakEwma } from './peak-ewma.ts';

/** What a router tells of one of its servers. */
export interface ServerView {
  /** Unique at its router, for as long as the server is offered. */
  readonly id: string;
  readonly ready: boolean;
  /** Requests in progress from other routers than the one that is told. */
  readonly others: number;
  /** 0 is the first choice; servers of the next number are used when those are unready, or past their overflow. */
  readonly priority: number;
  /** The next priority is used as well from this backlog on; 0 = never. */
  readonly overflow: number;
  /** Requests that it takes at a time. */
  readonly maxRequests: number;
}

/** A server behind some router, as the router sees it where requests enter. */
export class BalancedServer {
  readonly routerId: string;
  readonly id: string;
  /** Where requests for it are sent. */
  readonly address: string;
  view: ServerView;
  /** Of the path to its router. */
  cost: number;
  /** Own requests in progress. */
  inFlight = 0;
  /** Not offered any more; requests in progress go on. */
  gone = false;
  /** Sums of the requests that go to it, for those who keep them. */
  traffic: TrafficSeries | undefined = undefined;
  readonly #latency = new PeakEwma();
  readonly #breaker: CircuitBreaker;

  constructor(routerId: string, view: ServerView, cost: number, random: Random) {
    this.routerId = routerId;
    this.id = view.id;
    this.address = `amqp:/_topo/0/${routerId}/${view.id}`;
    this.view = view;
    this.cost = cost;
    this.#breaker = new CircuitBreaker(random);
  }

  /** Its backlog: requests in progress from everywhere, as far as known. */
  get load(): number {
    return this.view.others + this.inFlight;
  }

  get isFull(): boolean {
    return this.load >= this.view.maxRequests;
  }

  /** Whether its backlog is past the point from which the next priority helps. */
  get overflows(): boolean {
    return this.view.overflow > 0 && this.load >= this.view.overflow;
  }

  /** Whether it is kept out for its failures. */
  get isEjected(): boolean {
    return this.#breaker.isEjected;
  }

  /** Kept out because it could not be connected to: then it is not used even if nothing else is left. */
  get isUnreachable(): boolean {
    return this.#breaker.isEjected && this.#breaker.unreachable;
  }

  allows(nowMs: number): boolean {
    return this.#breaker.allows(nowMs);
  }

  latencyMs(nowMs: number): number {
    return this.#latency.read(nowMs);
  }

  /** A request goes to it. The result goes back into `ended`: whether it is the one that tries an ejected server. */
  started(nowMs: number): boolean {
    this.inFlight++;
    return this.#breaker.started(nowMs);
  }

  /** The answer begins, so long after the start. */
  firstByte(elapsedMs: number, nowMs: number): void {
    this.#latency.observe(elapsedMs, nowMs);
  }

  ended(result: RequestResult, isProbe: boolean, nowMs: number): void {
    this.inFlight--;
    // What fails at once must not look fast.
    if (result === RequestResult.failure || result === RequestResult.unreachable) this.#latency.observe(failurePenaltyMs, nowMs);
    this.#breaker.ended(result, isProbe, nowMs);
  }
}

/** A failed request counts as one that took this long. */
const failurePenaltyMs = 5_000;
