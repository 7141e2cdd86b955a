import type { RequestRow, RequestTrace, TraceSpan } from '../flows/network-snapshot.ts';
import { bytesText, latencyText } from './golden-cells.ts';
import { printableLine } from './printable.ts';
import { grpcText } from './tap-text.ts';

/** Characters of the longest bar. */
const barWidth = 48;

/** The waterfall of one request: a line for each part, with a bar where and as long as it took. */
export function formatTrace({ request, spans }: RequestTrace): string {
  const total = Math.max(request.durationMs ?? 0, ...spans.map(({ startMs, durationMs }) => startMs + durationMs));
  const texts = spans.map((span) => ({ site: printableLine(span.site), what: printableLine(whatText(span)), span }));
  const siteWidth = Math.max(4, ...texts.map(({ site }) => site.length));
  const whatWidth = Math.max(0, ...texts.map(({ what }) => what.length));
  const lines = texts.map(
    ({ site, what, span }) =>
      `${site.padEnd(siteWidth)}  ${what.padEnd(whatWidth)}  ${bar(span, total)}  ${latencyText(span.durationMs)}\n`,
  );
  const note = spans.some(({ basis }) => basis === 'estimated')
    ? '~ The network was measured there and back together; how it is divided is estimated by the round trips of the links.\n'
    : '';
  return `${headText(request)}${lines.join('')}${note}`;
}

function whatText({ what, basis }: TraceSpan): string {
  return basis === 'estimated' ? `${what} ~` : what;
}

function bar({ startMs, durationMs }: TraceSpan, total: number): string {
  if (total <= 0) return '│'.padEnd(barWidth);
  const from = Math.min(barWidth - 1, Math.round((startMs / total) * barWidth));
  const length = Math.max(1, Math.min(barWidth - from, Math.round((durationMs / total) * barWidth)));
  return `${' '.repeat(from)}${durationMs === 0 ? '│' : '█'.repeat(length)}`.padEnd(barWidth);
}

function headText(request: RequestRow): string {
  const { kind, method, path, address, status, grpcStatus, durationMs, sourceSite, destSite, server, connector, client, trace, id, error } =
    request;
  const what = kind === 'request' ? `${method ?? 'request'} ${path ?? ''} to ${address}` : `connection to ${address}`;
  const result = [
    ...(status === null ? [] : [String(status)]),
    ...(grpcStatus === null ? [] : [`gRPC ${grpcText(grpcStatus)}`]),
    ...(error === null ? [] : [error]),
    request.ended ? latencyText(durationMs) : 'under way',
    `${bytesText(request.bytesToClient)} received`,
    ...(request.tries > 1 ? [`${request.tries} tries`] : []),
  ];
  const way = trace.length > 1 ? trace : [sourceSite, ...(destSite === null || destSite === sourceSite ? [] : [destSite])];
  const ends = `${client === '' ? 'client' : client} at ${way.join(' → ')}${server === null ? '' : `, server ${connector ?? ''} ${server}`}`;
  return `${printableLine(`${what}: ${result.join(', ')}`)}\n${printableLine(`${ends}  (${id})`)}\n\n`;
}
