import type { Checker } from './checker.ts';

/** A new set of all checkers. */
export function allCheckers(): readonly Checker[] {
  return [];
}
