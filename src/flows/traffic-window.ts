import { addCell, emptyCell, type TrafficCell, type TrafficTotal } from './traffic-total.ts';

/** Two minutes in slots of two seconds, for windows that are looked at live. */
const fineSlots = 60;
/** A quarter of an hour in slots of ten seconds: the longest window; beyond it there is history. */
const coarseSlotMs = 10_000;
const coarseSlots = 90;
/** A cell takes some 300 octets: 80 MB at most. Beyond that the oldest slots go, and windows cover less. */
const maxCells = 262_144;

interface Slot {
  /** Number of the slot since observing began. */
  readonly ordinal: number;
  readonly cells: Map<number, TrafficCell>;
}

/** Slots of one length. */
class SlotRing {
  readonly lengthMs: number;
  readonly #limit: number;
  /** Oldest first. */
  readonly slots: Slot[] = [];
  cellCount = 0;
  /** Slots below were dropped. */
  firstOrdinal = 0;

  constructor(lengthMs: number, limit: number) {
    this.lengthMs = lengthMs;
    this.#limit = limit;
  }

  add(series: number, increase: Readonly<TrafficCell>, ordinal: number): void {
    let slot = this.slots.at(-1);
    if (slot === undefined || slot.ordinal < ordinal) {
      slot = { ordinal, cells: new Map() };
      this.slots.push(slot);
      this.forget(ordinal);
    }
    let cell = slot.cells.get(series);
    if (cell === undefined) {
      cell = emptyCell();
      slot.cells.set(series, cell);
      this.cellCount++;
    }
    addCell(cell, increase);
  }

  forget(ordinal: number): void {
    const oldest = ordinal - this.#limit + 1;
    while ((this.slots[0]?.ordinal ?? Infinity) < oldest) this.drop();
    this.firstOrdinal = Math.max(this.firstOrdinal, oldest);
  }

  drop(): void {
    const slot = this.slots.shift();
    if (slot === undefined) return;
    this.cellCount -= slot.cells.size;
    this.firstOrdinal = slot.ordinal + 1;
  }
}

/** What part of a window is there, and the slots to add up for it. */
export interface WindowSlots {
  readonly coveredMs: number;
  readonly slots: readonly ReadonlyMap<number, Readonly<TrafficCell>>[];
}

/** Increases of series by time, for windows that end now. Every increase is kept in a fine and in a coarse slot: few slots make a sum. */
export class TrafficWindow {
  readonly #startMs: number;
  readonly #fine: SlotRing;
  readonly #coarse = new SlotRing(coarseSlotMs, coarseSlots);

  /** `fineSlotMs` must divide ten seconds. */
  constructor(startMs: number, fineSlotMs: number) {
    this.#startMs = startMs;
    this.#fine = new SlotRing(fineSlotMs, fineSlots);
  }

  /** Adds an increase that was told now. Time that goes back counts as the newest slot. */
  add(series: number, increase: Readonly<TrafficCell>, nowMs: number): void {
    for (const ring of [this.#fine, this.#coarse]) {
      const ordinal = Math.max(this.#ordinal(ring, nowMs), ring.slots.at(-1)?.ordinal ?? 0);
      ring.add(series, increase, ordinal);
    }
    while (this.#fine.cellCount + this.#coarse.cellCount > maxCells && this.#coarse.slots.length > 1) this.#coarse.drop();
    while (this.#fine.cellCount + this.#coarse.cellCount > maxCells && this.#fine.slots.length > 1) this.#fine.drop();
  }

  /** The slots that make up the last `windowMs`. */
  slots(windowMs: number, nowMs: number): WindowSlots {
    const fromMs = Math.max(nowMs - windowMs, this.#startMs);
    this.#fine.forget(this.#ordinal(this.#fine, nowMs));
    this.#coarse.forget(this.#ordinal(this.#coarse, nowMs));
    const coarseFrom = Math.max(this.#boundary(this.#coarse, fromMs), this.#coarse.firstOrdinal);
    const fineFrom = Math.max(this.#boundary(this.#fine, fromMs), this.#fine.firstOrdinal);
    const coarseFromMs = this.#startMs + coarseFrom * coarseSlotMs;
    const fineFromMs = this.#startMs + fineFrom * this.#fine.lengthMs;
    if (coarseFromMs >= nowMs) {
      return {
        coveredMs: Math.max(0, nowMs - fineFromMs),
        slots: this.#fine.slots.filter((s) => s.ordinal >= fineFrom).map((s) => s.cells),
      };
    }
    const coarse = this.#coarse.slots.filter(({ ordinal }) => ordinal >= coarseFrom);
    const fineEnd = (coarseFrom * coarseSlotMs) / this.#fine.lengthMs;
    const fine = this.#fine.slots.filter(({ ordinal }) => ordinal >= fineFrom && ordinal < fineEnd);
    return { coveredMs: nowMs - Math.min(coarseFromMs, fineFromMs), slots: [...fine, ...coarse].map(({ cells }) => cells) };
  }

  /** Whether any slot still has something of a series. */
  has(series: number): boolean {
    return this.#coarse.slots.some(({ cells }) => cells.has(series)) || this.#fine.slots.some(({ cells }) => cells.has(series));
  }

  #ordinal(ring: SlotRing, nowMs: number): number {
    return Math.max(0, Math.floor((nowMs - this.#startMs) / ring.lengthMs));
  }

  /** The first slot that begins at `fromMs` or later. */
  #boundary(ring: SlotRing, fromMs: number): number {
    return Math.ceil((fromMs - this.#startMs) / ring.lengthMs);
  }
}

/** Adds what `slots` have of a series to `total`. */
export function addSeries(total: TrafficTotal, slots: WindowSlots['slots'], series: number): void {
  for (const cells of slots) {
    const cell = cells.get(series);
    if (cell !== undefined) total.addCell(cell);
  }
}
