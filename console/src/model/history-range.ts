/** Times that can be looked back. Each is some hundred steps. */
export const ranges = [
  { name: '15m', lengthMs: 15 * 60_000, stepSeconds: 10 },
  { name: '1h', lengthMs: 3_600_000, stepSeconds: 30 },
  { name: '6h', lengthMs: 6 * 3_600_000, stepSeconds: 180 },
  { name: '24h', lengthMs: 24 * 3_600_000, stepSeconds: 600 },
  { name: '7d', lengthMs: 7 * 24 * 3_600_000, stepSeconds: 3600 },
] as const;
export type RangeName = (typeof ranges)[number]['name'];

export type HistoryQuery = Readonly<Record<'from' | 'to' | 'step', string>>;

/** Parameters of the question for that time up to now, at whole steps. */
export function historyQuery(name: RangeName, nowMs: number): HistoryQuery {
  const { lengthMs, stepSeconds } = ranges.find((range) => range.name === name) ?? ranges[0];
  const stepMs = stepSeconds * 1000;
  const to = Math.floor(nowMs / stepMs) * stepMs;
  return { from: String(to - lengthMs), to: String(to), step: String(stepSeconds) };
}

/** Values at all steps of the time that was asked for; null where nothing is kept. */
export function atSteps<T>(
  points: readonly { readonly atMs: number; readonly value: T }[],
  query: HistoryQuery,
): { readonly timesMs: readonly number[]; readonly values: readonly (T | null)[] } {
  const fromMs = Number(query.from);
  const stepMs = Number(query.step) * 1000;
  const count = Math.round((Number(query.to) - fromMs) / stepMs);
  const values: (T | null)[] = Array.from({ length: count }, () => null);
  for (const { atMs, value } of points) {
    const index = Math.floor((atMs - fromMs) / stepMs);
    if (index >= 0 && index < count) values[index] = value;
  }
  return { timesMs: values.map((_, index) => fromMs + index * stepMs), values };
}

/** Where the scale of success begins, so that the worst value can still be told from the best: 0.99, 0.9 or 0. */
export function lowestSuccess(values: readonly (number | null)[]): number {
  const lowest = Math.min(1, ...values.filter((value) => value !== null));
  if (lowest >= 0.99) return 0.99;
  return lowest >= 0.9 ? 0.9 : 0;
}
