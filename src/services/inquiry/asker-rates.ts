/** Askers remembered: more routers than ask at the same time anywhere. The one that asked longest ago is forgotten. */
const maxAskers = 1_024;

export interface RateLimits {
  /** Questions of one asker a second, and how many of them may come at once. */
  readonly perSecond: number;
  readonly burst: number;
  /** The same for all askers together. */
  readonly allPerSecond: number;
  readonly allBurst: number;
}

interface Bucket {
  left: number;
  atMs: number;
}

/** Counts what each router asks, so that none can make this one work for it without end. */
export class AskerRates {
  readonly #limits: RateLimits;
  readonly #askers = new Map<string, Bucket>();
  readonly #all: Bucket;

  constructor(limits: RateLimits) {
    this.#limits = limits;
    this.#all = { left: limits.allBurst, atMs: -Infinity };
  }

  /** Takes one question of `asker`; false when it asks too much, or all together do. */
  take(asker: string, nowMs: number): boolean {
    const { perSecond, burst, allPerSecond, allBurst } = this.#limits;
    let own = this.#askers.get(asker);
    // Moved behind the others: the first is the one that asked longest ago.
    if (own !== undefined) this.#askers.delete(asker);
    own ??= { left: burst, atMs: nowMs };
    this.#askers.set(asker, own);
    if (this.#askers.size > maxAskers) {
      const [oldest] = this.#askers.keys();
      if (oldest !== undefined) this.#askers.delete(oldest);
    }
    refill(own, perSecond, burst, nowMs);
    refill(this.#all, allPerSecond, allBurst, nowMs);
    if (own.left < 1 || this.#all.left < 1) return false;
    own.left--;
    this.#all.left--;
    return true;
  }
}

function refill(bucket: Bucket, perSecond: number, burst: number, nowMs: number): void {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.left = Math.min(burst, bucket.left + (passedMs * perSecond) / 1000);
  bucket.atMs = nowMs;
}
