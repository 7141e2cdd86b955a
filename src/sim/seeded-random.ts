import type { Random } from '../base/random.ts';

/** Randomness that a seed determines (mulberry32): the same seed gives the same run. */
export class SeededRandom implements Random {
  readonly #seed: number;
  #state: number;

  constructor(seed: number) {
    this.#seed = seed >>> 0;
    this.#state = this.#seed;
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  fill(target: Uint8Array): void {
    for (let at = 0; at < target.length; at++) target[at] = this.below(256);
  }

  /** An integer in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.number() * limit);
  }

  /** A number in [least, most). */
  between(least: number, most: number): number {
    return least + this.number() * (most - least);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.number() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** Randomness of its own for one part: it depends on the seed and the name alone, so a draw more in one part changes no other. */
  split(name: string): SeededRandom {
    let hash = this.#seed ^ 0x811c9dc5;
    for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    return new SeededRandom(hash ^ (hash >>> 13));
  }
}
