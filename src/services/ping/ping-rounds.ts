import type { Forwarder } from '../../forwarding/forwarder.ts';
import { PingTry } from './ping-try.ts';
import type { PingResult, PingTarget } from './ping-try.ts';

export interface PingOptions {
  readonly forwarder: Forwarder;
  readonly nowMs: () => number;
  readonly targets: readonly PingTarget[];
  /** Pings to each target. */
  readonly count: number;
  readonly intervalMs: number;
  /** After this time an answer counts as lost. */
  readonly timeoutMs: number;
  /** Whether a router is of another kind, which answers its management instead; asked for routers on the way. */
  readonly isForeign: (routerId: string) => boolean;
  /** Told of each ping that has ended, perhaps during a call. */
  readonly ended: (result: PingResult) => void;
}

/** Pings some routers, all of them once in each interval. */
export class PingRounds {
  readonly #options: PingOptions;
  /** Where each target's last question went along, to say how far questions get that are not answered. */
  readonly #ways = new Map<string, readonly string[]>();
  readonly #able = new Set<string>();
  readonly #tries = new Set<PingTry>();
  #sequence = 0;
  #nextRoundMs: number;

  constructor(options: PingOptions) {
    this.#options = options;
    this.#nextRoundMs = options.nowMs();
    for (const { routerId, way } of options.targets) this.#ways.set(routerId, way);
  }

  /** Every ping has been sent and has ended. */
  get isDone(): boolean {
    return this.#sequence >= this.#options.count && this.#tries.size === 0;
  }

  /** When `handleTimeout` is needed; Infinity when it is not. */
  nextDeadlineMs(): number {
    let dueMs = this.#sequence < this.#options.count ? this.#nextRoundMs : Infinity;
    for (const { deadlineMs } of this.#tries) dueMs = Math.min(dueMs, deadlineMs);
    return dueMs;
  }

  handleTimeout(nowMs: number): void {
    for (const one of [...this.#tries]) if (one.deadlineMs <= nowMs) one.handleTimeout(nowMs);
    const { count, intervalMs, targets } = this.#options;
    if (this.#sequence >= count || nowMs < this.#nextRoundMs) return;
    this.#sequence++;
    this.#nextRoundMs = nowMs + intervalMs;
    for (const target of targets) this.#ping(target);
  }

  #ping(target: PingTarget): void {
    const { ended, ...context } = this.#options;
    const way = this.#ways.get(target.routerId) ?? target.way;
    const one: PingTry = new PingTry({ ...target, way, isAble: this.#able.has(target.routerId) }, this.#sequence, {
      ...context,
      ended: (result) => {
        this.#tries.delete(one);
        if (result.outcome === 'answered') {
          this.#able.add(target.routerId);
          this.#ways.set(
            target.routerId,
            result.hops.map(({ routerId }) => routerId),
          );
        }
        ended(result);
      },
    });
    this.#tries.add(one);
    one.start();
  }

  /** No more questions, and nothing more is told. */
  stop(): void {
    this.#sequence = this.#options.count;
    for (const one of this.#tries) one.stop();
    this.#tries.clear();
  }
}
