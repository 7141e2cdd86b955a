import type { SeededRandom } from '../../src/sim/seeded-random.ts';

/** One decoder under test. New ones are added to `targets.ts`. */
export interface FuzzTarget {
  readonly name: string;
  /** Makes the next input. */
  input(random: SeededRandom): Uint8Array;
  /**
   * Feeds the input. Throws only what is a defect: errors that the decoder is allowed to give are caught here. What it returns is held
   * while memory is measured.
   */
  run(input: Uint8Array): unknown;
}

/** Longest time that one input may take. */
export const maxInputMs = 50;
/** What may be kept for one input: ten times its bytes, and a base for the machine itself. */
export const maxRetainedPerByte = 10;
export const retainedBaseBytes = 65_536;
