import { median, medianOfRatios } from './statistics.ts';
import type { Aim, Load, Metric, Sample } from './loads/load.ts';

/** All measurements of one load: for each target one sample per round, undefined where it failed. */
export interface LoadResult {
  readonly load: Load;
  readonly samples: ReadonlyMap<string, readonly (Sample | undefined)[]>;
}

/** The target whose ratios to the others are shown, if it ran. */
const subject = 'caravan';
const peers: readonly string[] = ['skupper-router', 'haproxy', 'nginx', 'caravan-tcp', 'caravan-observed', 'direct'];

export function formatNumber(value: number, digits: number): string {
  return Number.isNaN(value) ? '–' : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A Markdown table: the first row is the heading, the first column is text, the others are numbers. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)));
    return `| ${cells.join(' | ')} |`;
  });
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  lines.splice(1, 0, `|${rule.join('|')}|`);
  return lines.join('\n');
}

function judge(metric: Metric, aim: Aim, value: number): string {
  const met = metric.better === 'higher' ? value >= aim.limit : value <= aim.limit;
  return `${metric.better === 'higher' ? '≥' : '≤'} ${aim.limit} ${met ? 'met' : 'MISSED'}`;
}

/** Medians of every target and, when Caravan ran, its ratios to the others, with the aims. Markdown. */
export function formatLoad(result: LoadResult): string {
  const { load, samples } = result;
  const values = (target: string, metric: Metric): (number | undefined)[] =>
    (samples.get(target) ?? []).map((sample) => sample?.[metric.key]);
  const medianOf = (target: string, metric: Metric): number => median(values(target, metric).filter((value) => value !== undefined));
  const rows: string[][] = [['', ...load.metrics.map((metric) => metric.title)]];
  for (const target of samples.keys())
    rows.push([target, ...load.metrics.map((metric) => formatNumber(medianOf(target, metric), metric.digits))]);
  const aims: string[] = [];
  if (samples.has(subject)) {
    for (const peer of peers) {
      if (!samples.has(peer)) continue;
      const cells = load.metrics.map((metric) => {
        const ratio = medianOfRatios(values(subject, metric), values(peer, metric));
        for (const aim of metric.aims)
          if (aim.against === peer && !Number.isNaN(ratio))
            aims.push(`- ${metric.title}, ${subject} / ${peer}: ${ratio.toFixed(2)}, aim ${judge(metric, aim, ratio)}`);
        return Number.isNaN(ratio) ? '–' : `${ratio.toFixed(2)}×`;
      });
      rows.push([`${subject} / ${peer}`, ...cells]);
    }
    for (const metric of load.metrics)
      for (const aim of metric.aims) {
        const value = medianOf(subject, metric);
        if (aim.against === undefined && !Number.isNaN(value))
          aims.push(`- ${metric.title}, ${subject}: ${formatNumber(value, metric.digits)}, aim ${judge(metric, aim, value)}`);
      }
  }
  return [`### ${load.title} (\`${load.name}\`)`, formatTable(rows), ...(aims.length === 0 ? [] : [aims.join('\n')])].join('\n\n');
}
