/** The first time a router is kept out; doubles with each time, up to the longest. */
const firstMs = 10_000;
const longestMs = 600_000;
/** Without another violation for this long after it was let in again, a router starts anew. */
const forgivenMs = 1_800_000;
/** Routers kept in mind: more than a network has neighbours of one router. */
const maxRouters = 1_024;

interface Entry {
  untilMs: number;
  durationMs: number;
}

/** Routers that broke the rules of routing as neighbours, by proven id: they are let in again after a while that grows. */
export class Quarantine {
  readonly #entries = new Map<string, Entry>();

  /** Keeps a router out; for how long. */
  add(routerId: string, nowMs: number): number {
    const known = this.#entries.get(routerId);
    this.#forget(nowMs);
    const again = known !== undefined && nowMs - known.untilMs < forgivenMs;
    const durationMs = again ? Math.min(longestMs, known.durationMs * 2) : firstMs;
    this.#entries.set(routerId, { untilMs: nowMs + durationMs, durationMs });
    return durationMs;
  }

  /** Milliseconds until a router is let in again; 0 if it is. */
  leftMs(routerId: string, nowMs: number): number {
    return Math.max(0, (this.#entries.get(routerId)?.untilMs ?? 0) - nowMs);
  }

  /** Makes room: for those whose time is over first, then for the oldest. */
  #forget(nowMs: number): void {
    if (this.#entries.size < maxRouters) return;
    for (const [routerId, { untilMs }] of this.#entries) if (nowMs - untilMs >= forgivenMs) this.#entries.delete(routerId);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= maxRouters && oldest !== undefined) this.#entries.delete(oldest);
  }
}
