import { getTestContext } from 'node:test';

/**
 * Calls `end` when the test that runs now is over, or cancelled because its time is: a test that hangs never comes to its own end, and what
 * it started would hold up the whole file. Outside of tests nothing happens.
 */
export function atEndOfTest(end: () => unknown): void {
  getTestContext()?.signal.addEventListener('abort', () => void end(), { once: true });
}
