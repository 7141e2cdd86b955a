import type { Random } from '../../base/random.ts';

/** Draws from one source of randomness, so that a seed determines a run. */
export class Draws {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.random.number() * limit);
  }

  between(least: number, most: number): number {
    return least + this.random.number() * (most - least);
  }

  chance(probability: number): boolean {
    return this.random.number() < probability;
  }

  /** Undefined when there is nothing to pick from. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(items.length)];
  }
}
