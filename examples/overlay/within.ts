import { setTimeout as sleep } from 'node:timers/promises';

/** Looks again and again until something is true; false when it is not in that time. */
export async function within(timeoutMs: number, isTrue: () => Promise<boolean> | boolean): Promise<boolean> {
  for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await sleep(30)) if (await isTrue()) return true;
  return false;
}
