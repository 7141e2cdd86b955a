import type { TraceSpan } from '../../../src/flows/network-snapshot.ts';

export interface WaterfallBar {
  readonly span: TraceSpan;
  /** Parts of the whole time, 0 to 1. */
  readonly left: number;
  readonly width: number;
  /** Sites have colours in the order in which they come. */
  readonly siteIndex: number;
}

/** A bar that is shorter than this part of the whole would not be seen. */
const smallestWidth = 0.006;

export function waterfallBars(spans: readonly TraceSpan[]): { readonly bars: readonly WaterfallBar[]; readonly lengthMs: number } {
  const lengthMs = Math.max(0, ...spans.map(({ startMs, durationMs }) => startMs + durationMs));
  const sites = [...new Set(spans.map(({ site }) => site))];
  const bars = spans.map((span) => {
    const width = Math.max(smallestWidth, lengthMs === 0 ? 1 : span.durationMs / lengthMs);
    const left = lengthMs === 0 ? 0 : Math.max(0, span.startMs) / lengthMs;
    return { span, left: Math.min(left, 1 - width), width: Math.min(1, width), siteIndex: sites.indexOf(span.site) };
  });
  return { bars, lengthMs };
}
