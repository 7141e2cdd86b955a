import type { RequestTrace, RequestRow, TraceSpan } from './network-snapshot.ts';

/** A step between two neighbouring routers. */
export interface TraceHop {
  readonly fromName: string;
  readonly toName: string;
  readonly roundTripMs: number | null;
}

/**
 * The waterfall of a request: choice of a server and the rest of the answer as the client's router measured them, waiting for a connection
 * and the server as the server's router did. What is left is the network: nobody measured it one way, so half of it is shown each way, and
 * each way is divided among its links by their round trips. Without gaps: the spans add up to the duration, or to the first octet while
 * the request is under way.
 */
export function requestTrace(request: RequestRow, hops: readonly TraceHop[]): RequestTrace {
  const { sourceSite, destSite, firstByteMs, choiceMs, networkMs, connectMs, serverMs, durationMs, tries } = request;
  const spans: TraceSpan[] = [];
  let at = 0;
  const span = (site: string, what: string, length: number | null, basis: TraceSpan['basis'] = 'measured'): void => {
    if (length === null || length < 0) return;
    spans.push({ site, what, startMs: at, durationMs: length, basis });
    at += length;
  };
  const far = destSite ?? '';
  const rest = request.kind === 'request' ? 'rest of the answer' : 'connection in use';
  if (firstByteMs !== null && networkMs !== null && serverMs !== null) {
    span(sourceSite, tries > 1 ? `choice of a server, try ${tries}` : 'choice of a server', choiceMs);
    for (const [hop, share] of shares(hops)) {
      span(hop.fromName, wayText(hop.fromName, hop.toName), (networkMs / 2) * share, 'estimated');
    }
    span(far, 'connection to the server', connectMs);
    // Of a connection it is known when the server was connected; what it does then is between it and the client.
    if (request.kind === 'request' || serverMs > 0) span(far, 'server', serverMs);
    for (const [hop, share] of shares(hops).reverse()) {
      span(hop.toName, wayText(hop.toName, hop.fromName), (networkMs / 2) * share, 'estimated');
    }
    // Clocks tick in microseconds, and parts are rounded by themselves: the rest begins where the first octet was seen.
    if (durationMs !== null) span(sourceSite, rest, Math.max(0, durationMs - at));
  } else if (firstByteMs !== null) {
    if (choiceMs !== null && choiceMs <= firstByteMs) {
      span(sourceSite, 'choice of a server', choiceMs);
      span(far, 'network and server', firstByteMs - choiceMs);
    } else {
      span(far, 'network and server', firstByteMs);
    }
    if (durationMs !== null) span(sourceSite, rest, Math.max(0, durationMs - at));
  } else if (durationMs !== null) {
    span(sourceSite, request.error === null ? 'whole request' : `no answer: ${request.error}`, durationMs);
  }
  return { request, spans };
}

function wayText(from: string, to: string): string {
  return from === to ? 'router' : `link ${from} → ${to}`;
}

/** The part of one way that each hop takes: by its round trip where all are known, the same otherwise. */
function shares(hops: readonly TraceHop[]): [TraceHop, number][] {
  const total = hops.reduce((sum, { roundTripMs }) => sum + (roundTripMs ?? Number.NaN), 0);
  return hops.map((hop) => [hop, total > 0 ? (hop.roundTripMs ?? 0) / total : 1 / hops.length]);
}
