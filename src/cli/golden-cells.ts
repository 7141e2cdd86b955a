import type { Golden } from '../flows/network-snapshot.ts';

/** Cells of the golden metrics, as every command shows them: `-` where there was no traffic. */
export const goldenColumns: readonly (readonly [title: string, cell: (golden: Golden) => string])[] = [
  ['SUCCESS', ({ successRatio }) => ratioText(successRatio)],
  ['RPS', (golden) => (isIdle(golden) ? '-' : `${golden.perSecond.toFixed(1)}rps`)],
  ['P50', ({ p50Ms }) => latencyText(p50Ms)],
  ['P95', ({ p95Ms }) => latencyText(p95Ms)],
  ['P99', ({ p99Ms }) => latencyText(p99Ms)],
];

/** What `-o wide` adds: connections or requests under way, octets a second from and to clients, requests that were tried again. */
export const wideColumns: typeof goldenColumns = [
  ['CONN', ({ open }) => String(open)],
  ['IN/SEC', (golden) => (isIdle(golden) ? '-' : bytesText(golden.bytesFromClientPerSecond))],
  ['OUT/SEC', (golden) => (isIdle(golden) ? '-' : bytesText(golden.bytesToClientPerSecond))],
  ['RETRIES', (golden) => (isIdle(golden) ? '-' : `${golden.retriesPerSecond.toFixed(1)}rps`)],
];

function isIdle({ perSecond, successRatio, bytesFromClientPerSecond, bytesToClientPerSecond }: Golden): boolean {
  return perSecond === 0 && successRatio === null && bytesFromClientPerSecond === 0 && bytesToClientPerSecond === 0;
}

/** Never shown as all when it is not. */
export function ratioText(ratio: number | null): string {
  if (ratio === null) return '-';
  const text = (ratio * 100).toFixed(2);
  return `${text === '100.00' && ratio < 1 ? '99.99' : text}%`;
}

/** Two digits that count, or whole milliseconds. */
export function latencyText(milliseconds: number | null): string {
  if (milliseconds === null) return '-';
  if (milliseconds >= 9950) return `${Math.round(milliseconds / 1000)}s`;
  if (milliseconds >= 999.5) return `${(milliseconds / 1000).toFixed(1)}s`;
  if (milliseconds >= 9.95) return `${Math.round(milliseconds)}ms`;
  if (milliseconds < 0.005) return '0ms';
  return milliseconds >= 0.995 ? `${milliseconds.toFixed(1)}ms` : `${milliseconds.toFixed(2)}ms`;
}

export function bytesText(bytes: number): string {
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (value < 1024) return `${unit === 'B' ? Math.round(value) : value.toFixed(1)}${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)}GiB`;
}

/** The largest two units: `3d4h`, `2m5s`. */
export function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds >= 86_400) return `${Math.floor(seconds / 86_400)}d${Math.floor((seconds % 86_400) / 3600)}h`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)}h${Math.floor((seconds % 3600) / 60)}m`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)}m${seconds % 60}s` : `${seconds}s`;
}
