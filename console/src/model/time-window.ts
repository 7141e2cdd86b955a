/** A time over which golden metrics are shown. */
export interface TimeWindow {
  readonly ms: number;
  readonly text: string;
  /** As `van stat -t` takes it. */
  readonly option: string;
}

export const timeWindows: readonly TimeWindow[] = [
  { ms: 10_000, text: '10 s', option: '10s' },
  { ms: 60_000, text: '1 min', option: '1m' },
  { ms: 600_000, text: '10 min', option: '10m' },
];

/** That of `van stat` without an option. */
export const usualWindowMs = 60_000;

export function timeWindowOf(ms: number): TimeWindow | undefined {
  return timeWindows.find((window) => window.ms === ms);
}

export function windowText(ms: number): string {
  return timeWindowOf(ms)?.text ?? `${Math.round(ms / 1000)} s`;
}

/** What a command needs to show the same time; null when that is what it does anyway. */
export function windowOption(ms: number): string | null {
  if (ms === usualWindowMs) return null;
  return timeWindowOf(ms)?.option ?? `${Math.round(ms / 1000)}s`;
}

/** After the longest comes the shortest. */
export function nextWindowMs(ms: number): number {
  const next = timeWindows.findIndex((window) => window.ms === ms) + 1;
  return timeWindows[next % timeWindows.length]?.ms ?? usualWindowMs;
}
