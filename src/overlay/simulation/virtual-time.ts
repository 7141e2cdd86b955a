/** Time that jumps from event to event. Events of one tenth of a millisecond happen in the order in which they were asked for. */
export class VirtualTime {
  readonly #events = new Map<number, (() => void)[]>();
  #tick = 0;

  get nowMs(): number {
    return this.#tick / ticksOfMs;
  }

  at(atMs: number, run: () => void): void {
    const tick = Math.max(this.#tick + 1, Math.ceil(atMs * ticksOfMs));
    const events = this.#events.get(tick);
    if (events === undefined) this.#events.set(tick, [run]);
    else events.push(run);
  }

  /** Runs what happens until then; `isOver` ends it early. */
  run(untilMs: number, isOver: () => boolean = () => false): void {
    const end = Math.ceil(untilMs * ticksOfMs);
    while (this.#tick < end && !isOver()) {
      this.#tick++;
      const events = this.#events.get(this.#tick);
      if (events === undefined) continue;
      this.#events.delete(this.#tick);
      for (const event of events) event();
    }
  }
}

const ticksOfMs = 10;
