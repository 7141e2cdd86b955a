import { mismatch, type Schema } from '../management/schema.ts';

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Longest duration that means anything here: ten years, the life of a network's root. */
const longestMs = 3650 * 86_400_000;

/**
 * Milliseconds of a duration as Kubernetes and Go write them (`90s`, `15m`, `1h30m`, `1.5h`), with `d` for days besides.
 * Undefined when `text` is none, or longer than ten years.
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,6})?(?:ms|s|m|h|d)){1,5}$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) total += Number(amount) * (unitMs[unit ?? ''] ?? 0);
  return total > longestMs ? undefined : Math.round(total);
}

/** A duration longer than nothing, kept as it is written. */
export function duration(): Schema<string> {
  const type = 'duration such as 90s, 15m or 1h30m';
  return {
    type,
    read(value, path): string {
      const milliseconds = typeof value === 'string' ? parseDuration(value) : undefined;
      if (typeof value !== 'string' || milliseconds === undefined || milliseconds === 0) throw mismatch(path, `a ${type}`, value);
      return value;
    },
  };
}
