import { BoundedMap } from './bounded-map.ts';
import { limits } from './limits.ts';
import type { OriginState } from './origin-state.ts';
import { linkStateSlot, type SignedRecord } from './signed-record.ts';

/**
 * Minutes without a new link state after which an origin is gone, however others speak of it: everybody signs anew every 27 to 33 minutes
 * (own-records.ts), so that two renewals must have been missed.
 */
const maxAgeMinutes = 70;

/** What is remembered of an origin that was dropped. */
interface Dropped {
  readonly epoch: number;
  /** Of its link state. */
  readonly sequence: number;
  /** The highest of all its records. */
  readonly lastSequence: number;
  /** The minute in which its link state came. */
  readonly renewedMinute: number;
}

/**
 * How long ago each origin has last signed its link state, in minutes of this router. A router that is gone can be kept in the paths by whoever
 * goes on to name it as a neighbour, or says again what it once signed; it cannot be made to sign.
 *
 * Lean, because a simulation holds one for each of thousands of routers: an octet for each origin.
 */
export class OriginRenewals {
  #minute = 0;
  #ages = new Uint8Array(64);
  readonly #dropped = new BoundedMap<string, Dropped>(limits.signedRouters);

  /** Whether a record of an origin that was dropped says only what was known then. */
  isReplay(record: SignedRecord): boolean {
    const dropped = this.#dropped.size === 0 ? undefined : this.#dropped.get(record.origin);
    if (dropped === undefined || record.epoch > dropped.epoch) return false;
    if (record.epoch < dropped.epoch) return true;
    if (this.#minute - dropped.renewedMinute >= maxAgeMinutes) return record.sequence <= dropped.lastSequence;
    return record.slot === linkStateSlot && record.sequence < dropped.sequence;
  }

  /** A link state has been taken. One that comes back is as old as it was. */
  renewed(origin: number, record: SignedRecord): void {
    const dropped = this.#dropped.size === 0 ? undefined : this.#dropped.get(record.origin);
    const isSame = dropped?.epoch === record.epoch && dropped.sequence === record.sequence;
    if (dropped !== undefined && !isSame) this.#dropped.delete(record.origin);
    this.#reserve(origin);
    this.#ages[origin] = isSame ? Math.min(255, this.#minute - dropped.renewedMinute) : 0;
  }

  /** An origin is dropped because it cannot be reached, or has not renewed its link state. */
  remember(origin: number, state: OriginState): void {
    const { linkState } = state;
    if (linkState === undefined) return;
    let lastSequence = 0;
    for (const { epoch, sequence } of state.records()) if (epoch === linkState.epoch) lastSequence = Math.max(lastSequence, sequence);
    const { epoch, sequence } = linkState;
    this.#dropped.set(state.origin, { epoch, sequence, lastSequence, renewedMinute: this.#minute - (this.#ages[origin] ?? 0) });
  }

  minutePassed(): void {
    this.#minute++;
    const ages = this.#ages;
    for (let origin = 0; origin < ages.length; origin++) ages[origin] = Math.min(255, (ages[origin] ?? 0) + 1);
  }

  isOverdue(origin: number): boolean {
    return (this.#ages[origin] ?? 0) >= maxAgeMinutes;
  }

  #reserve(origin: number): void {
    if (origin < this.#ages.length) return;
    const ages = new Uint8Array(Math.max(this.#ages.length * 2, origin + 1));
    ages.set(this.#ages);
    this.#ages = ages;
  }
}
