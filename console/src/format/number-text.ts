/** Shown where there is no value: no traffic, not known. */
export const noValue = '–';

/** Three digits that matter, without a trailing point: `0.25`, `1.25`, `12.4`, `124`. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 99.95) return value.toFixed(0);
  if (size >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}

/** A number per second or a count, short: `0`, `0.25`, `12.4`, `1.24k`, `3.10M`. */
export function shortNumber(value: number): string {
  if (value === 0) return '0';
  if (value < 0.01) return '<0.01';
  if (value < 999.5) return threeDigits(value);
  if (value < 999_500) return `${threeDigits(value / 1e3)}k`;
  return `${threeDigits(value / 1e6)}M`;
}

/** Two digits that matter, for where there is little room: `0.42`, `3.1`, `72`, `1.2k`. */
export function roughNumber(value: number): string {
  if (value === 0) return '0';
  if (value < 0.01) return '<0.01';
  if (value < 0.995) return value.toFixed(2);
  if (value < 9.95) return value.toFixed(1);
  if (value < 999.5) return value.toFixed(0);
  if (value < 9950) return `${(value / 1e3).toFixed(1)}k`;
  return value < 999_500 ? `${(value / 1e3).toFixed(0)}k` : `${(value / 1e6).toFixed(1)}M`;
}

/** Whole things: `0`, `12`, `1,024`. */
export function countText(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `99.96%`. Rounded down: what is not whole never looks whole. Null is no traffic. */
export function percentText(ratio: number | null): string {
  if (ratio === null) return noValue;
  return `${(Math.floor(ratio * 10_000 + 1e-6) / 100).toFixed(2)}%`;
}

/** A part of a whole without decimals: `33%`, `<1%`. */
export function shareText(ratio: number | null): string {
  if (ratio === null) return noValue;
  if (ratio > 0 && ratio < 0.01) return '<1%';
  if (ratio < 1 && ratio > 0.99) return '>99%';
  return `${Math.round(ratio * 100)}%`;
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `0 B`, `512 B`, `1.25 kB`, `12.4 MB`, in powers of 1,000. */
export function bytesText(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value).toString() : threeDigits(value)} ${byteUnits[unit] ?? 'B'}`;
}

export function byteRateText(bytesPerSecond: number): string {
  return `${bytesText(bytesPerSecond)}/s`;
}
