import type { Clock } from '../../base/clock.ts';

/** Streams of one listener that have no answer yet, and those among them that wait to be sent again. */
export class RetryQueue<Stream> {
  /** Streams without an answer. */
  readonly unanswered: Set<Stream> = new Set();
  readonly #clock: Clock;
  readonly #retryAt: (dueMs: number) => void;
  /** When each is due. */
  readonly #waiting = new Map<Stream, number>();
  #askedForMs = Infinity;

  constructor(clock: Clock, retryAt: (dueMs: number) => void) {
    this.#clock = clock;
    this.#retryAt = retryAt;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  add(stream: Stream, dueMs: number): void {
    this.#waiting.set(stream, dueMs);
    this.#ask(dueMs);
  }

  /** The stream has an answer, or is over. */
  remove(stream: Stream): void {
    this.unanswered.delete(stream);
    this.#waiting.delete(stream);
  }

  /** Those that are due until `untilMs`; they wait no more. */
  take(untilMs: number): Stream[] {
    const due: Stream[] = [];
    let nextMs = Infinity;
    for (const [stream, dueMs] of this.#waiting) {
      if (dueMs <= untilMs) due.push(stream);
      else nextMs = Math.min(nextMs, dueMs);
    }
    for (const stream of due) this.#waiting.delete(stream);
    this.#askedForMs = Infinity;
    if (nextMs < Infinity) this.#ask(nextMs);
    return due;
  }

  #ask(dueMs: number): void {
    if (dueMs >= this.#askedForMs) return;
    this.#askedForMs = dueMs;
    this.#retryAt(dueMs);
  }
}
