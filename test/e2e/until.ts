import { setTimeout as sleep } from 'node:timers/promises';

const intervalMs = 10;

/**
 * Asks `condition` again and again until it gives something other than undefined and false, and returns that. Throws after `timeoutMs`
 * with `what` was awaited and with `detail`.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 10_000,
  detail?: () => string,
): Promise<Exclude<T, undefined | false>> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}${detail === undefined ? '' : `\n${detail()}`}`);
    await sleep(intervalMs);
  }
}
