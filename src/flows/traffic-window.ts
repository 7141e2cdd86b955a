import { addCell, emptyCell, isEmptyCell, subtractCell, takePart, type TrafficCell } from './traffic-total.ts';

/** Windows up to here are made of fine slots; they are what is looked at live. */
const fineSpanMs = 120_000;
/** A quarter of an hour in slots of ten seconds: the longest window; beyond it there is history. */
const coarseSlotMs = 10_000;
const coarseSpanMs = 900_000;
/** Of the slots of one length. A cell takes some 500 octets: 130 MB at most. Beyond that the oldest slots go, and windows cover less. */
const maxCells = 262_144;
/** Different lengths of windows that are kept up to date: those that pages and commands ask for again and again. */
const maxRunning = 6;

export type SeriesCells = ReadonlyMap<number, Readonly<TrafficCell>>;

/** What part of a window is there, and what it adds up to, by series. Valid until the next increase is added. */
export interface WindowSums {
  readonly coveredMs: number;
  readonly cells: SeriesCells;
}

/** Increases of series by time, for windows that end now. */
export class TrafficWindow {
  readonly #fine: SlotRing;
  readonly #coarse: SlotRing;

  constructor(startMs: number, fineSlotMs: number) {
    this.#fine = new SlotRing(startMs, fineSlotMs, fineSpanMs);
    this.#coarse = new SlotRing(startMs, coarseSlotMs, coarseSpanMs);
  }

  /** Adds an increase that was told now. Time that goes back counts as the newest slot. */
  add(series: number, increase: Readonly<TrafficCell>, nowMs: number): void {
    this.#fine.add(series, increase, nowMs);
    this.#coarse.add(series, increase, nowMs);
  }

  /** Adds an increase that came evenly from `sinceMs` until now. */
  spread(series: number, increase: Readonly<TrafficCell>, sinceMs: number, nowMs: number): void {
    this.#fine.spread(series, increase, sinceMs, nowMs);
    this.#coarse.spread(series, increase, sinceMs, nowMs);
  }

  /**
   * What came in `windowMs` until `nowMs`, to the precision of a slot. When that is past, because more has been told since, the slots that
   * began later, and the one that was not full, do not count.
   */
  sums(windowMs: number, nowMs: number): WindowSums {
    return (windowMs <= fineSpanMs ? this.#fine : this.#coarse).sums(windowMs, nowMs);
  }
}

interface Slot {
  /** Number of the slot since observing began. */
  readonly ordinal: number;
  readonly cells: Map<number, TrafficCell>;
}

/** The sum of all slots from one on: what is added to a slot is added here, what leaves the window is taken away. */
interface RunningSum {
  from: number;
  readonly cells: Map<number, TrafficCell>;
}

/** Slots of one length. */
class SlotRing {
  readonly #startMs: number;
  readonly #slotMs: number;
  readonly #slotLimit: number;
  /** Oldest first. */
  readonly #slots: Slot[] = [];
  /** By length of the window, the one that was asked for last at the end. */
  readonly #running = new Map<number, RunningSum>();
  #cellCount = 0;
  /** Slots below were forgotten. */
  #first = 0;

  constructor(startMs: number, slotMs: number, spanMs: number) {
    this.#startMs = startMs;
    this.#slotMs = slotMs;
    // One more: the newest slot is not full.
    this.#slotLimit = spanMs / slotMs + 1;
  }

  add(series: number, increase: Readonly<TrafficCell>, nowMs: number): void {
    const newest = this.#slots.at(-1)?.ordinal ?? 0;
    this.#addAt(series, increase, Math.max(this.#ordinal(nowMs), newest));
  }

  spread(series: number, increase: Readonly<TrafficCell>, sinceMs: number, nowMs: number): void {
    const last = this.#ordinal(nowMs);
    const rest = emptyCell();
    addCell(rest, increase);
    let fromMs = Math.min(sinceMs, nowMs);
    for (let ordinal = this.#ordinal(fromMs); ordinal < last; ordinal++) {
      const endMs = this.#startMs + (ordinal + 1) * this.#slotMs;
      const part = takePart(rest, (endMs - fromMs) / (nowMs - fromMs));
      fromMs = endMs;
      if (ordinal >= this.#first && !isEmptyCell(part)) this.#addAt(series, part, ordinal);
    }
    if (!isEmptyCell(rest)) this.#addAt(series, rest, Math.max(last, this.#first));
  }

  #ordinal(timeMs: number): number {
    return Math.max(0, Math.floor((timeMs - this.#startMs) / this.#slotMs));
  }

  #addAt(series: number, increase: Readonly<TrafficCell>, ordinal: number): void {
    let place = this.#slots.length;
    while (place > 0 && (this.#slots[place - 1]?.ordinal ?? 0) > ordinal) place--;
    let slot = this.#slots[place - 1];
    if (slot?.ordinal !== ordinal) {
      slot = { ordinal, cells: new Map() };
      this.#slots.splice(place, 0, slot);
      this.#forgetBefore(ordinal - this.#slotLimit + 1);
    }
    if (addTo(slot.cells, series, increase)) this.#cellCount++;
    for (const { from, cells } of this.#running.values()) if (ordinal >= from) addTo(cells, series, increase);
    while (this.#cellCount > maxCells && this.#slots.length > 1) this.#forgetBefore((this.#slots[0]?.ordinal ?? 0) + 1);
  }

  sums(windowMs: number, nowMs: number): WindowSums {
    const from = Math.max(this.#first, Math.ceil((nowMs - windowMs - this.#startMs) / this.#slotMs));
    const end = this.#ordinal(nowMs);
    if ((this.#slots.at(-1)?.ordinal ?? 0) > end) {
      return { coveredMs: Math.max(0, (end - from) * this.#slotMs), cells: this.#sum(from, end).cells };
    }
    let running = this.#running.get(windowMs);
    if (running === undefined || running.from > from) running = this.#sum(from);
    else this.#advance(running, from);
    this.#running.delete(windowMs);
    this.#running.set(windowMs, running);
    const [oldest] = this.#running.keys();
    if (oldest !== undefined && this.#running.size > maxRunning) this.#running.delete(oldest);
    return { coveredMs: Math.max(0, nowMs - this.#startMs - running.from * this.#slotMs), cells: running.cells };
  }

  #sum(from: number, end: number = Infinity): RunningSum {
    const cells = new Map<number, TrafficCell>();
    for (const slot of this.#slots) {
      if (slot.ordinal >= from && slot.ordinal < end) for (const [series, cell] of slot.cells) addTo(cells, series, cell);
    }
    return { from, cells };
  }

  #advance(running: RunningSum, from: number): void {
    for (const slot of this.#slots) {
      if (slot.ordinal >= from) break;
      if (slot.ordinal >= running.from) takeAway(running, slot);
    }
    running.from = Math.max(running.from, from);
  }

  #forgetBefore(ordinal: number): void {
    for (let slot = this.#slots[0]; slot !== undefined && slot.ordinal < ordinal; slot = this.#slots[0]) {
      this.#slots.shift();
      this.#cellCount -= slot.cells.size;
      for (const running of this.#running.values()) if (slot.ordinal >= running.from) takeAway(running, slot);
    }
    this.#first = Math.max(this.#first, ordinal);
    for (const running of this.#running.values()) running.from = Math.max(running.from, ordinal);
  }
}

/** Whether the series is new there. */
function addTo(cells: Map<number, TrafficCell>, series: number, increase: Readonly<TrafficCell>): boolean {
  const known = cells.get(series);
  const cell = known ?? emptyCell();
  if (known === undefined) cells.set(series, cell);
  addCell(cell, increase);
  return known === undefined;
}

function takeAway(running: RunningSum, slot: Slot): void {
  for (const [series, part] of slot.cells) {
    const cell = running.cells.get(series);
    if (cell === undefined) continue;
    subtractCell(cell, part);
    if (isEmptyCell(cell)) running.cells.delete(series);
  }
}
