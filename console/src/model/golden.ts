import type { Golden } from '../../../src/flows/network-snapshot.ts';

export type Tone = 'good' | 'fair' | 'poor' | 'none';

/** How a success ratio is coloured: from 99.9 % on good, from 95 % on fair. */
export function successTone(ratio: number | null): Tone {
  if (ratio === null) return 'none';
  if (ratio >= 0.999) return 'good';
  return ratio >= 0.95 ? 'fair' : 'poor';
}

export function hasTraffic({ perSecond, open, bytesFromClientPerSecond, bytesToClientPerSecond }: Golden): boolean {
  return perSecond > 0 || open > 0 || bytesFromClientPerSecond + bytesToClientPerSecond > 0;
}

export interface Total {
  /** Of all requests together; null when none ended. */
  readonly successRatio: number | null;
  readonly perSecond: number;
  readonly open: number;
  readonly bytesPerSecond: number;
}

/** Sums. Percentiles of parts do not make one of the whole, so there is none. */
export function totalOf(parts: readonly Golden[]): Total {
  let ended = 0;
  let succeeded = 0;
  let perSecond = 0;
  let open = 0;
  let bytesPerSecond = 0;
  for (const part of parts) {
    perSecond += part.perSecond;
    open += part.open;
    bytesPerSecond += part.bytesFromClientPerSecond + part.bytesToClientPerSecond;
    if (part.successRatio === null) continue;
    ended += part.perSecond;
    succeeded += part.perSecond * part.successRatio;
  }
  return { successRatio: ended === 0 ? null : succeeded / ended, perSecond, open, bytesPerSecond };
}
