import { InputError } from '../base/errors.ts';
import { parseDuration } from '../site/duration.ts';

/** Windows of the network that events tell: a few, because each costs a snapshot every two seconds while somebody reads it. */
const windowsMs: readonly number[] = [10_000, 60_000, 600_000];
export const usualWindowMs = 60_000;

/** What `window` of a question for events says. Throws InputError `bad-request`. */
export function eventWindowMs(query: URLSearchParams): number {
  const text = query.get('window') ?? '';
  if (text === '') return usualWindowMs;
  const windowMs = parseDuration(text);
  if (windowMs !== undefined && windowsMs.includes(windowMs)) return windowMs;
  throw new InputError('bad-request', 'window', `must be one of ${windowsMs.map((value) => `${value / 1000}s`).join(', ')}`);
}
