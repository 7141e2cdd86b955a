import type { JSX } from 'preact';
import { noValue } from '../format/number-text.ts';
import { dateTimeText, relativeText } from '../format/time-text.ts';

const hourMs = 3_600_000;

/** When something ends: coloured when it is soon or over, the exact time in the title. With `soonMs` 0 an end is nothing bad. */
export function Until({
  atMs,
  nowMs,
  soonMs = hourMs,
}: {
  readonly atMs: number | null;
  readonly nowMs: number;
  readonly soonMs?: number;
}): JSX.Element {
  if (atMs === null) return <span class="none">{noValue}</span>;
  const left = atMs - nowMs;
  const tone = soonMs === 0 ? 'plain' : left <= 0 ? 'poor' : left < soonMs ? 'fair' : 'plain';
  return (
    <time class={`until tone-${tone}`} dateTime={new Date(atMs).toISOString()} title={dateTimeText(atMs)}>
      {relativeText(atMs, nowMs)}
    </time>
  );
}
