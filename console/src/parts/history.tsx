import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { Golden } from '../../../src/flows/network-snapshot.ts';
import { percentText, shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { atSteps, historyQuery, lowestSuccess, ranges, type RangeName } from '../model/history-range.ts';
import { useAnswer, useConsoleState } from '../state/use-console.ts';
import { LineChart } from './line-chart.tsx';
import { Failure } from './panel.tsx';
import { Segments } from './segments.tsx';
import { Sparkline } from './sparkline.tsx';

export interface HistoryPoint {
  readonly atMs: number;
  readonly golden: Golden;
}
type HistoryAnswer = { readonly points: readonly HistoryPoint[] };

/** Sums of the last 15 minutes change slowly. */
const refreshMs = 30_000;

interface HistoryProperties {
  /** `service`, `site` or both. */
  readonly of: Readonly<Record<string, string>>;
}

/** Rate, success and latency over a time that can be chosen. */
export function History({ of }: HistoryProperties): JSX.Element {
  const [range, setRange] = useState<RangeName>('15m');
  const { timesMs, goldens, error, isEmpty } = useHistory(of, range);
  const values = (value: (golden: Golden) => number | null): readonly (number | null)[] =>
    goldens.map((golden) => (golden === null ? null : value(golden)));
  const success = values(({ successRatio }) => successRatio);
  return (
    <div class="history">
      <div class="history-head">
        <h3>History</h3>
        <Segments label="Time" options={ranges.map(({ name }) => ({ value: name, text: name }))} value={range} onChange={setRange} />
      </div>
      {error === null ? null : <Failure message={error} />}
      {isEmpty ? <p class="hint">Nothing is kept of this time yet: history begins when an observer runs.</p> : null}
      <div class="charts">
        <LineChart
          label="RPS"
          timesMs={timesMs}
          series={[{ name: 'RPS', values: values(({ perSecond }) => perSecond), className: 'line-rate' }]}
          format={shortNumber}
        />
        <LineChart
          label="Success"
          timesMs={timesMs}
          series={[{ name: 'Success', values: success, className: 'line-success' }]}
          format={percentText}
          ceiling={1}
          floor={lowestSuccess(success)}
        />
        <LineChart
          label="Latency"
          timesMs={timesMs}
          series={[
            { name: 'P50', values: values(({ p50Ms }) => p50Ms), className: 'line-p50' },
            { name: 'P95', values: values(({ p95Ms }) => p95Ms), className: 'line-p95' },
            { name: 'P99', values: values(({ p99Ms }) => p99Ms), className: 'line-p99' },
          ]}
          format={durationText}
        />
      </div>
    </div>
  );
}

/** The rate of the last 15 minutes, small. */
export function RateSparkline({ of }: HistoryProperties): JSX.Element {
  const { goldens } = useHistory(of, '15m');
  return <Sparkline values={goldens.map((golden) => golden?.perSecond ?? null)} label="Requests a second in the last 15 minutes" />;
}

interface Past {
  readonly timesMs: readonly number[];
  readonly goldens: readonly (Golden | null)[];
  readonly error: string | null;
  readonly isEmpty: boolean;
}

function useHistory(of: Readonly<Record<string, string>>, range: RangeName): Past {
  const atMs = useConsoleState(({ snapshot }) => Math.floor((snapshot?.atMs ?? 0) / refreshMs) * refreshMs);
  const query = useMemo(() => historyQuery(range, atMs), [range, atMs]);
  const { value, error } = useAnswer<HistoryAnswer>(atMs === 0 ? '' : 'history', { ...of, ...query });
  const points = value?.points ?? [];
  const { timesMs, values } = atSteps(
    points.map((point) => ({ atMs: point.atMs, value: point.golden })),
    query,
  );
  return { timesMs, goldens: values, error, isEmpty: value !== null && points.length === 0 };
}
