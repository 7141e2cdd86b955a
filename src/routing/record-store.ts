import { OriginState } from './origin-state.ts';
import type { RouterIndex } from './router-index.ts';
import type { SignedRecord } from './signed-record.ts';

/**
 * The signed records known to one router, by origin. Lean, because a simulation holds a store for each of thousands of routers: per origin one
 * reference to what all routers share, and a few octets.
 */
export class RecordStore {
  readonly #index: RouterIndex;
  readonly #states: (OriginState | undefined)[] = [];
  /** 1 for origins that there is a path to. */
  #reachable = new Uint8Array(64);
  /** Sweeps since an origin was last reachable, at most 255. */
  #idleSweeps = new Uint8Array(64);
  #origins = 0;
  #bytes = 0;
  /** Sum of the digests of the origins that are reachable. */
  #digest = 0;

  constructor(index: RouterIndex) {
    this.#index = index;
  }

  /** Origins of which there are records. */
  get size(): number {
    return this.#origins;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A digest of the records of reachable origins: equal at two routers that hold the same. */
  get digest(): number {
    return this.#digest;
  }

  /** One more than the highest index in use. */
  get end(): number {
    return this.#states.length;
  }

  at(origin: number): OriginState | undefined {
    return this.#states[origin];
  }

  of(routerId: string): OriginState | undefined {
    const origin = this.#index.find(routerId);
    return origin < 0 ? undefined : this.#states[origin];
  }

  *all(): Generator<OriginState, void> {
    for (const state of this.#states) if (state !== undefined) yield state;
  }

  /** Stores a record that the origin's state wants. */
  put(origin: number, record: SignedRecord): OriginState {
    while (this.#states.length <= origin) this.#states.push(undefined);
    const before = this.#states[origin];
    if (before === undefined) {
      this.#reserve(origin);
      this.#origins++;
      this.#idleSweeps[origin] = 0;
    }
    const after = before?.with(record) ?? (record.firstState ??= new OriginState(record.origin, []).with(record));
    this.#replace(origin, before, after);
    return after;
  }

  remove(origin: number): void {
    const before = this.#states[origin];
    if (before === undefined) return;
    this.#origins--;
    this.#replace(origin, before, undefined);
    this.#reachable[origin] = 0;
  }

  /** What a neighbour that lacks it is to get: origins that can be reached, and those whose records have just come. */
  *current(): Generator<OriginState, void> {
    for (let origin = 0; origin < this.#states.length; origin++) {
      const state = this.#states[origin];
      if (state !== undefined && (this.#reachable[origin] === 1 || this.#idleSweeps[origin] === 0)) yield state;
    }
  }

  isReachable(origin: number): boolean {
    return this.#reachable[origin] === 1;
  }

  setReachable(origin: number, reachable: boolean): void {
    if (this.isReachable(origin) === reachable) return;
    this.#reserve(origin);
    const digest = this.#states[origin]?.digest ?? 0;
    this.#digest = (this.#digest + (reachable ? digest : -digest)) >>> 0;
    this.#reachable[origin] = reachable ? 1 : 0;
    this.#idleSweeps[origin] = 0;
  }

  /** Counts a sweep; the origins that have not been reachable for `sweeps` of them (at most 255). */
  sweep(sweeps: number): number[] {
    const idle: number[] = [];
    for (let origin = 0; origin < this.#states.length; origin++) {
      if (this.#reachable[origin] === 1 || this.#states[origin] === undefined) continue;
      const count = Math.min(255, (this.#idleSweeps[origin] ?? 0) + 1);
      this.#idleSweeps[origin] = count;
      if (count > sweeps) idle.push(origin);
    }
    return idle;
  }

  #replace(origin: number, before: OriginState | undefined, after: OriginState | undefined): void {
    this.#states[origin] = after;
    this.#bytes += (after?.bytes ?? 0) - (before?.bytes ?? 0);
    if (this.isReachable(origin)) this.#digest = (this.#digest + (after?.digest ?? 0) - (before?.digest ?? 0)) >>> 0;
  }

  #reserve(origin: number): void {
    if (origin < this.#reachable.length) return;
    const size = Math.max(this.#reachable.length * 2, origin + 1);
    const grow = (from: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const to = new Uint8Array(size);
      to.set(from);
      return to;
    };
    this.#reachable = grow(this.#reachable);
    this.#idleSweeps = grow(this.#idleSweeps);
  }
}
