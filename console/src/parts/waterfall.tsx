import type { JSX } from 'preact';
import type { RequestTrace } from '../../../src/flows/network-snapshot.ts';
import { durationText } from '../format/time-text.ts';
import { visibleName } from '../format/visible-name.ts';
import { waterfallBars } from '../layout/waterfall-bars.ts';
import { Name } from './name.tsx';

/** What happened where and when in one request. Estimated times are hatched. */
export function Waterfall({ trace }: { readonly trace: RequestTrace }): JSX.Element {
  const { bars, lengthMs } = waterfallBars(trace.spans);
  if (bars.length === 0) return <p class="hint">No span is known of this request.</p>;
  const hasEstimates = bars.some(({ span }) => span.basis === 'estimated');
  return (
    <div class="waterfall">
      <div class="waterfall-axis" aria-hidden="true">
        <span>0</span>
        <span>{durationText(lengthMs / 2)}</span>
        <span>{durationText(lengthMs)}</span>
      </div>
      <ol aria-label="Spans">
        {bars.map(({ span, left, width, siteIndex }, index) => (
          // Spans have no name of their own: their order is what they are known by.
          <li key={index}>
            <span class="span-site">
              <Name text={span.site} />
            </span>
            <span class="span-what" title={visibleName(span.what)}>
              {visibleName(span.what)}
            </span>
            <span class="span-time" title={span.basis}>
              {span.basis === 'estimated' ? '≈ ' : ''}
              {durationText(span.durationMs)}
            </span>
            <span class="span-track" aria-hidden="true">
              <span
                class={`span-bar part-${siteIndex % 5} is-${span.basis}`}
                style={{ left: `${left * 100}%`, width: `${width * 100}%` }}
              />
            </span>
          </li>
        ))}
      </ol>
      {hasEstimates ? <p class="hint">≈ divided by the round trips of the links; the others are measured.</p> : null}
    </div>
  );
}
