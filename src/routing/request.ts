import { limits, requestRetryMaximumMs, requestRetryMs } from './limits.ts';

/**
 * Something to be asked of another router, repeated with growing pauses while unanswered. The request or its answer is lost
 * whenever a router on the way does not know the path yet, which is usual while a network forms.
 */
export class PendingRequest {
  /** When to ask (again); Infinity when there is nothing to ask or after the last attempt. */
  dueMs: number = Infinity;
  #attempts = 0;
  #wanted = -1;

  /** Ask at `dueMs`. */
  ask(dueMs: number): void {
    this.#attempts = 0;
    this.dueMs = dueMs;
  }

  /**
   * The other router advertises `sequence`, newer than what is known: ask at `dueMs`, unless it is being asked for just that
   * already. Copies of one advertisement come over many paths.
   */
  askFor(sequence: number, dueMs: number): void {
    const underWay = this.dueMs < Infinity && this.#attempts > 0 && this.#wanted >= sequence;
    const soonEnough = this.dueMs <= dueMs && this.#attempts === 0;
    this.#wanted = Math.max(this.#wanted, sequence);
    if (!underWay && !soonEnough) this.ask(dueMs);
  }

  /** It was asked; `repeat` if there is reason to expect an answer. */
  sent(nowMs: number, repeat: boolean): void {
    this.#attempts++;
    const pauseMs = Math.min(requestRetryMs * 2 ** (this.#attempts - 1), requestRetryMaximumMs);
    this.dueMs = repeat && this.#attempts < limits.requestAttempts ? nowMs + pauseMs : Infinity;
  }

  /** How often it was asked since it was last answered or had to be asked anew. */
  get attempts(): number {
    return this.#attempts;
  }

  answered(): void {
    this.dueMs = Infinity;
    this.#attempts = 0;
    this.#wanted = -1;
  }
}
