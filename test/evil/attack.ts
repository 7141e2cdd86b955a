import type { EvilRouter } from './evil-router.ts';

/** The neighbour ends its link and lets it in only after a while; ends its link; does not listen to it. In each case nobody believes anything. */
export type Expected = 'kept out' | 'cut off' | 'no effect';

/** One way to harm a network from within. */
export interface Attack {
  readonly name: string;
  /** What it tries, and what becomes of that. */
  readonly tries: string;
  readonly expected: Expected;
  /** What it needs: a key of the network, or none. */
  readonly signs: boolean;
  /** Does its work in steps; each gives the milliseconds until the next. It is cut off when its time is over. */
  readonly run: (evil: EvilRouter) => Generator<number, void, void>;
}
