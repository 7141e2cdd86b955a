import { formatNumber, formatTable } from '../report.ts';
import { median, medianOfRatios } from '../statistics.ts';
import type { Load, Metric, Sample } from './loads/load.ts';

/** One sample per path and round, undefined where it failed. */
export interface LoadResult {
  readonly load: Load;
  readonly samples: ReadonlyMap<string, readonly (Sample | undefined)[]>;
}

/** What the others are compared with. */
const peers: readonly string[] = ['bridge', 'bridge-plain', 'vxlan'];

function values(samples: readonly (Sample | undefined)[], { key }: Metric): (number | undefined)[] {
  return samples.map((sample) => sample?.[key]);
}

/** Medians with the smallest and the largest value, and the ratios of the first metric to each peer's within the same round. Markdown. */
export function formatLoad({ load, samples }: LoadResult): string {
  const [main, ...others] = load.metrics;
  const present = peers.filter((peer) => samples.has(peer));
  const rows = [['', main.title, 'min – max', ...others.map(({ title }) => title), ...present.map((peer) => `÷ ${peer}`)]];
  for (const [path, ofPath] of samples) {
    const known = values(ofPath, main).filter((value) => value !== undefined);
    const number = (metric: Metric): string =>
      formatNumber(median(values(ofPath, metric).filter((value) => value !== undefined)), metric.digits);
    const spread =
      known.length === 0 ? '–' : `${formatNumber(Math.min(...known), main.digits)} – ${formatNumber(Math.max(...known), main.digits)}`;
    const ratios = present.map((peer) => {
      const ratio = medianOfRatios(values(ofPath, main), values(samples.get(peer) ?? [], main));
      return Number.isNaN(ratio) ? '–' : ratio.toFixed(2);
    });
    rows.push([path, number(main), spread, ...others.map(number), ...ratios]);
  }
  return `### ${load.title} (\`${load.name}\`)\n\n${formatTable(rows)}`;
}
