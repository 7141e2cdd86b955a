import type { OriginState } from './origin-state.ts';
import type { SignedRecord } from './signed-record.ts';

/** Octets of all records of one origin: 10,000 addresses of 90 characters. */
export const maxOriginOctets = 1_048_576;
/** Octets of all origins; beyond it an origin may have no more than its even share. */
export const maxOctetsInAll = 268_435_456;
/** Records admitted from one origin in a row: everything it has under a new epoch, and some changes. */
const updateBurst = 200;
/** Then so many a second: more than an honest origin makes (own-records.ts), and a few milliseconds of verifying. */
const updatesPerSecond = 40;

/** What each origin may make this router store and verify. Counted after verification, so that nobody can use up another's quota. */
export class OriginQuotas {
  #updates = new Uint8Array(64);
  #anyUpdates = false;

  /** Whether one more update of this origin is too many for now. */
  isBusy(origin: number): boolean {
    return (this.#updates[origin] ?? 0) >= updateBurst;
  }

  countUpdate(origin: number): void {
    if (origin >= this.#updates.length) {
      const updates = new Uint8Array(Math.max(this.#updates.length * 2, origin + 1));
      updates.set(this.#updates);
      this.#updates = updates;
    }
    this.#updates[origin] = Math.min(255, (this.#updates[origin] ?? 0) + 1);
    this.#anyUpdates = true;
  }

  /** A second has passed. */
  refill(): void {
    if (!this.#anyUpdates) return;
    this.#anyUpdates = false;
    for (let origin = 0; origin < this.#updates.length; origin++) {
      const left = (this.#updates[origin] ?? 0) - updatesPerSecond;
      this.#updates[origin] = Math.max(0, left);
      if (left > 0) this.#anyUpdates = true;
    }
  }
}

/** Whether a record fits: among those of its origin, and among those of all (`octetsInAll` of `origins`). */
export function hasRoom(state: OriginState | undefined, record: SignedRecord, octetsInAll: number, origins: number): boolean {
  const gained = record.octets - (state?.slot(record.slot)?.octets ?? 0);
  if (gained <= 0) return true;
  const own = (state?.bytes ?? 0) + gained;
  return own <= maxOriginOctets && (octetsInAll + gained <= maxOctetsInAll || own <= maxOctetsInAll / Math.max(1, origins));
}
