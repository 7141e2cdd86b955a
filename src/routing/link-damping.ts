import { limits } from './limits.ts';

/** A link that comes up again this soon after its loss is unsteady. */
const unsteadyMs = 5_000;
/** A neighbour without losses for this long is steady again. */
const forgivenMs = 30_000;
/** How long an unsteady link must stand before it is used: once for free, then longer each time. */
const holdsMs: readonly number[] = [0, 250, 1_000, 4_000, 8_000];
/** The longest hold of a link that is the only way to its neighbour: what stands for a second is better than nothing. */
export const soleHoldMs = 1_000;

interface Record {
  lostAtMs: number;
  /** The life of the neighbour (its start, in seconds) to which the lost link led. */
  instance: number;
  /** When it last came back in a new life. */
  rebornAtMs: number;
  /** Index into `holdsMs` of the next hold. */
  level: number;
}

/**
 * Holds back links that come and go, so that the network does not recompute without end. A loss is always acted upon at once; only
 * the return waits. Remembered per neighbour, because each return is a new connection.
 */
export class LinkDamping {
  readonly #records = new Map<string, Record>();

  /** A confirmed link to this neighbour is lost, which started at `instance`. */
  lost(routerId: string, instance: number, nowMs: number): void {
    const record = this.#records.get(routerId);
    if (record !== undefined) {
      if (nowMs - record.lostAtMs >= forgivenMs) record.level = 0;
      record.lostAtMs = nowMs;
      record.instance = instance;
      return;
    }
    if (this.#records.size >= limits.links) this.#forgive(nowMs);
    // A neighbour beyond the limit is not held back: as many neighbours as links have lately been lost.
    if (this.#records.size < limits.links) {
      this.#records.set(routerId, { lostAtMs: nowMs, instance, rebornAtMs: -Infinity, level: 0 });
    }
  }

  /** A link to this neighbour works again: how long it must go on working before it is used. */
  holdMs(routerId: string, instance: number, nowMs: number): number {
    const record = this.#records.get(routerId);
    if (record === undefined) return 0;
    // A router that was started again says nothing about its links, unless it does not stay.
    if (instance !== record.instance && nowMs - record.rebornAtMs >= unsteadyMs) {
      record.instance = instance;
      record.rebornAtMs = nowMs;
      return 0;
    }
    const quietMs = nowMs - record.lostAtMs;
    if (quietMs >= forgivenMs) this.#records.delete(routerId);
    if (quietMs >= unsteadyMs) return 0;
    const holdMs = holdsMs[record.level] ?? 0;
    record.level = Math.min(record.level + 1, holdsMs.length - 1);
    return holdMs;
  }

  #forgive(nowMs: number): void {
    for (const [routerId, { lostAtMs }] of this.#records) if (nowMs - lostAtMs >= forgivenMs) this.#records.delete(routerId);
  }
}
