/** Something that must be over by a time. Its list keeps the last three fields. */
export interface Timed<Entry> {
  timedOut(nowMs: number): void;
  /** Infinity while it is in no list. */
  deadlineMs: number;
  previousTimed: Entry | undefined;
  nextTimed: Entry | undefined;
}

/**
 * Deadlines of one length: they end in the order in which they began, so a list in that order is a queue by time, and to leave it costs
 * nothing.
 */
export class Deadlines<Entry extends Timed<Entry>> {
  /** 0 = none: then nothing is ever kept. */
  readonly #durationMs: number;
  #first: Entry | undefined;
  #last: Entry | undefined;

  constructor(durationMs: number) {
    this.#durationMs = durationMs;
  }

  /** When the first is due; Infinity when there is none. */
  get dueMs(): number {
    return this.#first?.deadlineMs ?? Infinity;
  }

  start(entry: Entry, nowMs: number): void {
    if (this.#durationMs === 0) return;
    entry.deadlineMs = nowMs + this.#durationMs;
    const last = this.#last;
    entry.previousTimed = last;
    if (last === undefined) this.#first = entry;
    else last.nextTimed = entry;
    this.#last = entry;
  }

  /** Also for an entry that is not there. */
  end(entry: Entry): void {
    if (entry.deadlineMs === Infinity) return;
    entry.deadlineMs = Infinity;
    const { previousTimed, nextTimed } = entry;
    if (previousTimed === undefined) this.#first = nextTimed;
    else previousTimed.nextTimed = nextTimed;
    if (nextTimed === undefined) this.#last = previousTimed;
    else nextTimed.previousTimed = previousTimed;
    entry.previousTimed = undefined;
    entry.nextTimed = undefined;
  }

  /** Ends all that are due, and tells them. */
  expire(nowMs: number): void {
    for (let entry = this.#first; entry !== undefined && entry.deadlineMs <= nowMs; entry = this.#first) {
      this.end(entry);
      entry.timedOut(nowMs);
    }
  }
}
