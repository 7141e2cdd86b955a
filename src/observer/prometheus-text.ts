/** Labels of one sample, in their order. Values may come from the network: they are escaped here. */
export type Labels = Readonly<Record<string, string>>;

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** Longest value of a label. */
const maxLabelLength = 256;

/** Metrics in the text format of Prometheus, 0.0.4. All samples of a metric stand together. */
export class PrometheusText {
  readonly #parts: string[] = [];

  /** A counter or gauge. Without samples it is left out. */
  metric(name: string, type: MetricType, help: string, samples: Iterable<readonly [Labels, number]>): void {
    let hasHead = false;
    for (const [labels, value] of samples) {
      if (!hasHead) this.#head(name, type, help);
      hasHead = true;
      this.#parts.push(`${name}${labelText(labels)} ${numberText(value)}\n`);
    }
  }

  /** A histogram: cumulative counts at each bound, then all, and the sum of the values. */
  histogram(name: string, help: string, bounds: readonly number[], samples: Iterable<readonly [Labels, HistogramValue]>): void {
    let hasHead = false;
    for (const [labels, { cumulative, count, sum }] of samples) {
      if (!hasHead) this.#head(name, 'histogram', help);
      hasHead = true;
      bounds.forEach((bound, place) => {
        this.#parts.push(`${name}_bucket${labelText({ ...labels, le: String(bound) })} ${numberText(cumulative[place] ?? 0)}\n`);
      });
      this.#parts.push(`${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${numberText(count)}\n`);
      this.#parts.push(`${name}_sum${labelText(labels)} ${numberText(sum)}\n`);
      this.#parts.push(`${name}_count${labelText(labels)} ${numberText(count)}\n`);
    }
  }

  toString(): string {
    return this.#parts.join('');
  }

  #head(name: string, type: MetricType, help: string): void {
    this.#parts.push(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }
}

export interface HistogramValue {
  readonly cumulative: readonly number[];
  readonly count: number;
  readonly sum: number;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Backslash, quote and line feed are what ends a value; a lone surrogate would be no UTF-8. */
function escapeLabel(value: string): string {
  const short = value.length > maxLabelLength ? value.slice(0, maxLabelLength) : value;
  return short.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value === Infinity ? '+Inf' : value === -Infinity ? '-Inf' : String(value);
}
