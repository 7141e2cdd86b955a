import { addSums, emptySums, type TrafficDelta, type TrafficSums } from './traffic-sums.ts';

/** Lengths of the rollups, in seconds: for the last hours, for weeks, and for long views. Each divides the next. */
export const rollupSteps = [10, 60, 3600] as const;

/** Rollups that are not written yet. While the disk is full, those that are closed go first. */
const maxPending = 60_000;
/** A delta over a longer time is spread over the rollups of that time, at most so far back. */
const maxSpreadMs = 3_600_000;

export interface Rollup {
  readonly step: number;
  /** Seconds since the epoch. */
  readonly start: number;
  readonly series: number;
  readonly sums: TrafficSums;
  /** Most that were under way. */
  open: number;
  isChanged: boolean;
  /** Whether the file was asked for what it has of it already. */
  isLoaded: boolean;
}

/** The rollups that grow, and those that are not written yet. */
export class Rollups {
  readonly #rollups = new Map<string, Rollup>();
  #lost = 0;

  /** Rollups that were given up because they could not be written. */
  get lost(): number {
    return this.#lost;
  }

  add(series: number, delta: TrafficDelta): void {
    const fromMs = Math.max(Math.min(delta.fromMs, delta.toMs), delta.toMs - maxSpreadMs);
    for (const step of rollupSteps) {
      const stepMs = step * 1000;
      const first = Math.floor(fromMs / stepMs);
      const last = Math.floor(delta.toMs / stepMs);
      // What happened within one rollup and the start of the next belongs to the next: that is where the time of a record lies.
      const parts = last - first <= 1 ? 1 : last - first;
      for (let part = 0; part < parts; part++) {
        const rollup = this.#rollup(step, (last - parts + 1 + part) * step, series);
        addSums(rollup.sums, delta.sums, part, parts);
        rollup.open = Math.max(rollup.open, delta.open);
        rollup.isChanged = true;
      }
    }
  }

  changed(): Rollup[] {
    return [...this.#rollups.values()].filter(({ isChanged }) => isChanged);
  }

  /** What `changed` gave is written. Rollups that end before `nowMs` are forgotten. */
  written(nowMs: number): void {
    for (const [key, rollup] of this.#rollups) {
      rollup.isChanged = false;
      if ((rollup.start + rollup.step) * 1000 <= nowMs) this.#rollups.delete(key);
    }
  }

  /** Gives up what is not written. */
  clear(): void {
    this.#lost += this.changed().length;
    this.#rollups.clear();
  }

  #rollup(step: number, start: number, series: number): Rollup {
    const key = `${step} ${start} ${series}`;
    const known = this.#rollups.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#rollups.keys();
    if (this.#rollups.size >= maxPending && oldest !== undefined) {
      this.#rollups.delete(oldest);
      this.#lost++;
    }
    const rollup: Rollup = { step, start, series, sums: emptySums(), open: 0, isChanged: true, isLoaded: false };
    this.#rollups.set(key, rollup);
    return rollup;
  }
}
