import type { JSX } from 'preact';
import { chartPaths } from '../layout/chart-paths.ts';

const width = 96;
const height = 20;

/** The course of a value, without scale: only its shape. Always of the same size. */
export function Sparkline({ values, label }: { readonly values: readonly (number | null)[]; readonly label: string }): JSX.Element {
  const largest = Math.max(1e-9, ...values.map((value) => value ?? 0));
  return (
    <svg class="sparkline" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path class="sparkline-base" d={`M0 ${height - 0.5}H${width}`} />
      {chartPaths(values, width, height, 0, largest).map((path) => (
        <path key={path.slice(0, 12)} d={path} />
      ))}
    </svg>
  );
}
