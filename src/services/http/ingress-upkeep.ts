import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { BalancingPolicy } from '../balancing/server-set.ts';
import { RetryQueue } from '../tcp/retry-queue.ts';
import type { IngressExchange } from './ingress-exchange.ts';
import type { IngressTry } from './ingress-try.ts';
import type { MessageWriter } from './message-writer.ts';
import { Deadlines } from './request-deadlines.ts';
import { ServerWatch } from './server-watch.ts';

export interface IngressUpkeepOptions {
  readonly balancing: BalancingPolicy;
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  readonly forwarder: Forwarder;
  readonly random: Random;
  readonly writer: MessageWriter;
  readonly clock: Clock;
  readonly wakeAt: (dueMs: number) => void;
}

/** What a listener of HTTP looks after besides its requests: who the servers are, what is to be sent again, and what has to be over. */
export class IngressUpkeep {
  readonly retries: RetryQueue<IngressExchange>;
  readonly requestDeadlines: Deadlines<IngressExchange>;
  readonly tryDeadlines: Deadlines<IngressTry>;
  readonly #options: IngressUpkeepOptions;
  readonly #watches = new Map<string, ServerWatch>();
  #retryDueMs = Infinity;
  /** Of the owner's own. */
  #alsoDueMs = Infinity;
  #wakeAtMs = Infinity;

  constructor(options: IngressUpkeepOptions) {
    this.#options = options;
    this.requestDeadlines = new Deadlines(options.requestTimeoutMs);
    this.tryDeadlines = new Deadlines(options.tryTimeoutMs);
    this.retries = new RetryQueue(options.clock, (dueMs) => {
      this.#retryDueMs = dueMs;
      this.deadlinesChanged();
    });
  }

  /** The watch of an address; begins it. */
  watch(address: string): ServerWatch {
    return this.#watches.get(address) ?? this.#begin(address);
  }

  /** Undefined while nobody has asked for its servers. */
  watchOf(address: string): ServerWatch | undefined {
    return this.#watches.get(address);
  }

  get watches(): Iterable<readonly [address: string, watch: ServerWatch]> {
    return this.#watches;
  }

  #begin(address: string): ServerWatch {
    const { forwarder, random, writer, clock, balancing } = this.#options;
    const watch = new ServerWatch(address, balancing, {
      forwarder,
      random,
      writer,
      nowMs: () => clock.nowMs(),
      dueChanged: () => this.deadlinesChanged(),
    });
    this.#watches.set(address, watch);
    watch.routesChanged(clock.nowMs());
    this.deadlinesChanged();
    return watch;
  }

  /** The owner is to be woken then, too. */
  alsoAt(dueMs: number): void {
    this.#alsoDueMs = Math.min(this.#alsoDueMs, dueMs);
    this.deadlinesChanged();
  }

  deadlinesChanged(): void {
    let dueMs = Math.min(this.#retryDueMs, this.#alsoDueMs, this.requestDeadlines.dueMs, this.tryDeadlines.dueMs);
    for (const watch of this.#watches.values()) dueMs = Math.min(dueMs, watch.dueMs);
    // One that is asked for too early costs a look; asking anew for each request would cost more.
    if (dueMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = dueMs;
    this.#options.wakeAt(dueMs);
  }

  /** Does what is due; `also`: what the owner wanted to be woken for. */
  handleTimeout(nowMs: number, also?: () => void): void {
    this.#wakeAtMs = Infinity;
    this.requestDeadlines.expire(nowMs);
    this.tryDeadlines.expire(nowMs);
    for (const watch of this.#watches.values()) watch.handleTimeout(nowMs);
    if (this.#alsoDueMs <= nowMs) {
      this.#alsoDueMs = Infinity;
      also?.();
    }
    if (this.#retryDueMs <= nowMs) this.#sendAgain(nowMs);
    this.deadlinesChanged();
  }

  /** Routes or local consumers have changed: requests whose servers are severed leave them, and what waits is tried at once. */
  routesChanged(nowMs: number, exchanges: Iterable<IngressExchange>): void {
    for (const watch of this.#watches.values()) watch.routesChanged(nowMs);
    for (const exchange of [...exchanges]) exchange.leaveSevered();
    this.#sendAgain(Infinity);
    this.deadlinesChanged();
  }

  #sendAgain(untilMs: number): void {
    this.#retryDueMs = Infinity;
    for (const exchange of this.retries.take(untilMs)) exchange.sendAgain();
  }

  stop(): void {
    for (const watch of this.#watches.values()) watch.stop();
    this.#watches.clear();
  }
}
