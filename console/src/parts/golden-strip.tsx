import type { JSX } from 'preact';
import type { Golden } from '../../../src/flows/network-snapshot.ts';
import { byteRateText, countText, shortNumber } from '../format/number-text.ts';
import { durationText } from '../format/time-text.ts';
import { Success } from './golden-columns.tsx';

/** The golden metrics of one thing in a row. */
export function GoldenStrip({ golden }: { readonly golden: Golden }): JSX.Element {
  const { successRatio, perSecond, p50Ms, p95Ms, p99Ms, open, bytesFromClientPerSecond, bytesToClientPerSecond, retriesPerSecond } = golden;
  return (
    <dl class="golden-strip">
      <Figure name="Success" value={<Success ratio={successRatio} />} />
      <Figure name="RPS" value={shortNumber(perSecond)} />
      <Figure name="P50" value={durationText(p50Ms)} />
      <Figure name="P95" value={durationText(p95Ms)} />
      <Figure name="P99" value={durationText(p99Ms)} />
      <Figure name="Open" value={countText(open)} />
      <Figure name="To servers" value={byteRateText(bytesFromClientPerSecond)} />
      <Figure name="To clients" value={byteRateText(bytesToClientPerSecond)} />
      <Figure name="Retries" value={`${shortNumber(retriesPerSecond)}/s`} />
    </dl>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: JSX.Element | string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
