/** What was lost lately is known by the second, and what was lost before by the minute. */
const fineSpanMs = 900_000;
const fineMs = 1000;
const coarseMs = 60_000;
/** As long as history is kept unless something else is said. */
const keptMs: number = 7 * 86_400_000;

interface Slot {
  readonly endMs: number;
  count: number;
}

/** How many single requests and connections were not recorded, since observing began. At most 11,000 slots. */
export class DroppedFlows {
  /** Oldest first. */
  readonly #fine: Slot[] = [];
  readonly #coarse: Slot[] = [];
  total = 0;

  add(count: number, nowMs: number): void {
    if (count <= 0) return;
    this.total += count;
    put(this.#fine, count, slotEnd(nowMs, fineMs));
    put(this.#coarse, count, slotEnd(nowMs, coarseMs));
    drop(this.#fine, nowMs - fineSpanMs);
    drop(this.#coarse, nowMs - keptMs);
  }

  /** In the `windowMs` until `nowMs`, to a second; to a minute beyond a quarter of an hour. */
  within(windowMs: number, nowMs: number): number {
    let count = 0;
    for (const slot of windowMs <= fineSpanMs ? this.#fine : this.#coarse) if (slot.endMs > nowMs - windowMs) count += slot.count;
    return count;
  }
}

function slotEnd(nowMs: number, lengthMs: number): number {
  return (Math.floor(nowMs / lengthMs) + 1) * lengthMs;
}

/** A clock that goes back adds to the newest slot. */
function put(slots: Slot[], count: number, endMs: number): void {
  const newest = slots.at(-1);
  if (newest !== undefined && newest.endMs >= endMs) newest.count += count;
  else slots.push({ endMs, count });
}

function drop(slots: Slot[], untilMs: number): void {
  const first = slots.findIndex(({ endMs }) => endMs > untilMs);
  if (first > 0) slots.splice(0, first);
}
