import type { JSX } from 'preact';
import type { Golden } from '../../../src/flows/network-snapshot.ts';
import { byteRateText, countText, percentText, shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { hasTraffic, successTone } from '../model/golden.ts';
import type { Column } from './data-table.tsx';

export function Success({ ratio }: { readonly ratio: number | null }): JSX.Element {
  return <span class={`success tone-${successTone(ratio)}`}>{percentText(ratio)}</span>;
}

/** The columns of `van stat`: SUCCESS RPS P50 P95 P99, and what is open and carried. */
export function goldenColumns<Row>(goldenOf: (row: Row) => Golden): readonly Column<Row>[] {
  const column = (
    key: string,
    title: string,
    hint: string,
    render: (golden: Golden) => JSX.Element | string,
    value: (golden: Golden) => number | null,
  ): Column<Row> => ({
    key,
    title,
    hint,
    numeric: true,
    render: (row) => render(goldenOf(row)),
    sortBy: (row) => value(goldenOf(row)),
  });
  return [
    column(
      'success',
      'Success',
      'Part of the requests that succeeded',
      ({ successRatio }) => <Success ratio={successRatio} />,
      (golden) => golden.successRatio,
    ),
    column(
      'rps',
      'RPS',
      'Requests, or connections opened, a second',
      ({ perSecond }) => shortNumber(perSecond),
      (golden) => golden.perSecond,
    ),
    column(
      'p50',
      'P50',
      'Half of the first bytes came sooner',
      ({ p50Ms }) => durationText(p50Ms),
      (golden) => golden.p50Ms,
    ),
    column(
      'p95',
      'P95',
      '95 % of the first bytes came sooner',
      ({ p95Ms }) => durationText(p95Ms),
      (golden) => golden.p95Ms,
    ),
    column(
      'p99',
      'P99',
      '99 % of the first bytes came sooner',
      ({ p99Ms }) => durationText(p99Ms),
      (golden) => golden.p99Ms,
    ),
    {
      ...column(
        'open',
        'Open',
        'Under way now',
        ({ open }) => countText(open),
        (golden) => golden.open,
      ),
      wideOnly: true,
    },
    {
      ...column(
        'bytes',
        'Traffic',
        'Bytes a second, both ways together',
        (golden) => (hasTraffic(golden) ? byteRateText(golden.bytesFromClientPerSecond + golden.bytesToClientPerSecond) : '0 B/s'),
        (golden) => golden.bytesFromClientPerSecond + golden.bytesToClientPerSecond,
      ),
      wideOnly: true,
    },
  ];
}
