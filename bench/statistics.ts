/** The median; the mean of the middle two for an even count. `NaN` for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/**
 * The median of the ratios of one round each. On a shared machine both values of a round saw the same neighbours, so the
 * ratio is steadier than the ratio of two medians. Rounds where either side is missing are left out.
 */
export function medianOfRatios(numerators: readonly (number | undefined)[], denominators: readonly (number | undefined)[]): number {
  const ratios: number[] = [];
  for (const [round, numerator] of numerators.entries()) {
    const denominator = denominators[round];
    if (numerator !== undefined && denominator !== undefined && denominator !== 0) ratios.push(numerator / denominator);
  }
  return median(ratios);
}

/** The value that `percent` of the sorted values are not above. `NaN` for none. */
export function percentile(sorted: Float64Array, percent: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN;
}
