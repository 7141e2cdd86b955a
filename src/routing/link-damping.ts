import { limits } from './limits.ts';

/** A router that is started again this soon does not stay. Its links are held for so long at most where they are the only way. */
const restlessMs = 5_000;
const restlessSoleHoldMs = 1_000;
/** Each loss counts as one, and one is forgotten in this time: eight a minute are no flapping. */
const forgottenMs = 7_500;
/** More losses than these change nothing: a link that has ceased to flap is forgiven everything within 40 s. */
const mostLosses = 5;
/** Back so soon after its loss, a link may well go again. */
const soonMs = 1_000;
/**
 * How long a link must stand before it is used, by the losses that count. The first is free, unless the link is back soon: then others have
 * hardly left it, and nobody gains by their coming back at once.
 */
const holdsMs: readonly number[] = [0, 0, 1_000, 4_000, 8_000, 8_000];
const holdSoonMs = 1_000;
/** The same for the only way to a neighbour: what stands for a moment is better than nothing. */
const soleHoldsMs: readonly number[] = [0, 0, 1_000, 2_000, 2_000, 2_000];

/** How long a link must go on working before it is used. */
export interface Hold {
  readonly ms: number;
  /** The same if there is no other way to its neighbour. */
  readonly soleMs: number;
}

const noHold: Hold = { ms: 0, soleMs: 0 };

interface Record {
  lostAtMs: number;
  /** The life of the neighbour (its start, in seconds) to which the lost link led. */
  instance: number;
  /** When it last came back in a new life. */
  rebornAtMs: number;
  /** Losses that counted at the last one, that one included. */
  losses: number;
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
      record.losses = Math.min(mostLosses, lossesThatCount(record, nowMs) + 1);
      record.lostAtMs = nowMs;
      record.instance = instance;
      return;
    }
    if (this.#records.size >= limits.links) this.#forgive(nowMs);
    // A neighbour beyond the limit is not held back: as many neighbours as links have lately been lost.
    if (this.#records.size < limits.links) {
      this.#records.set(routerId, { lostAtMs: nowMs, instance, rebornAtMs: -Infinity, losses: 1 });
    }
  }

  /** A link to this neighbour works again. */
  hold(routerId: string, instance: number, nowMs: number): Hold {
    const record = this.#records.get(routerId);
    if (record === undefined) return noHold;
    // A router that was started again says nothing about its links, unless it does not stay.
    const isReborn = instance !== record.instance;
    if (isReborn && nowMs - record.rebornAtMs >= restlessMs) {
      record.instance = instance;
      record.rebornAtMs = nowMs;
      return noHold;
    }
    const losses = Math.round(lossesThatCount(record, nowMs));
    // Remembered nevertheless: the next loss may come soon.
    if (losses === 0) return noHold;
    const isSoon = nowMs - record.lostAtMs < soonMs;
    const soleMs = soleHoldsMs[losses] ?? 0;
    return {
      ms: Math.max(holdsMs[losses] ?? 0, isSoon ? holdSoonMs : 0),
      soleMs: isReborn ? Math.min(soleMs, restlessSoleHoldMs) : soleMs,
    };
  }

  #forgive(nowMs: number): void {
    for (const [routerId, record] of this.#records) if (lossesThatCount(record, nowMs) === 0) this.#records.delete(routerId);
  }
}

/** A fraction while one is being forgotten. */
function lossesThatCount({ losses, lostAtMs }: Record, nowMs: number): number {
  return Math.max(0, losses - (nowMs - lostAtMs) / forgottenMs);
}
