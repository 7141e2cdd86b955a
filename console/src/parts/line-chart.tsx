import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { clockText } from '../format/time-text.ts';
import { chartPaths, niceCeiling } from '../layout/chart-paths.ts';

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
  readonly className: string;
}

interface LineChartProperties {
  readonly label: string;
  readonly timesMs: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** The scale's end; the largest value otherwise. */
  readonly ceiling?: number;
  readonly floor?: number;
}

const width = 320;
const height = 84;

/** Values over time with what they are under the pointer. */
export function LineChart({ label, timesMs, series, format, ceiling, floor = 0 }: LineChartProperties): JSX.Element {
  const [pointed, setPointed] = useState<number | null>(null);
  const largest = ceiling ?? niceCeiling(Math.max(0, ...series.flatMap(({ values }) => values.map((value) => value ?? 0))));
  const lastKnown = timesMs.findLastIndex((_, at) => series.some(({ values }) => values[at] !== null));
  const index = pointed ?? lastKnown;
  const atMs = timesMs[index];
  const point = (event: PointerEvent & { readonly currentTarget: Element }): void => {
    const { left, width: shown } = event.currentTarget.getBoundingClientRect();
    const part = (event.clientX - left) / Math.max(1, shown);
    setPointed(Math.max(0, Math.min(timesMs.length - 1, Math.round(part * (timesMs.length - 1)))));
  };
  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{label}</span>
        <span class="chart-values">
          {series.map(({ name, values, className }) => (
            <span key={name} class={`chart-value ${className}`}>
              {series.length === 1 ? null : <span class="chart-name">{name}</span>}
              {values[index] === null || values[index] === undefined ? '–' : format(values[index])}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label} over time`}
        onPointerMove={point}
        onPointerLeave={() => setPointed(null)}
      >
        <path class="chart-grid" d={`M0 .5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}`} />
        {series.map(({ name, values, className }) =>
          chartPaths(values, width, height, floor, largest).map((path) => (
            <path key={`${name} ${path.slice(0, 12)}`} class={`chart-line ${className}`} d={path} />
          )),
        )}
        {pointed === null ? null : (
          <path class="chart-pointer" d={`M${((index / Math.max(1, timesMs.length - 1)) * width).toFixed(1)} 0V${height}`} />
        )}
      </svg>
      <div class="chart-scale">
        <span>{timesMs[0] === undefined ? '' : clockText(timesMs[0])}</span>
        <span>{pointed === null || atMs === undefined ? `up to ${format(largest)}` : clockText(atMs)}</span>
        <span>{timesMs.length === 0 ? '' : clockText(timesMs.at(-1) ?? 0)}</span>
      </div>
    </figure>
  );
}
