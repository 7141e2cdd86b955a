import type { RequestTrace } from '../flows/network-snapshot.ts';
import { cumulativeCounts } from './golden-sums.ts';
import { latencyBoundsMs, trafficLabels } from './metrics.ts';
import { isOfRequests, type TotalSeries } from './traffic-totals.ts';

/**
 * Messages of OTLP/HTTP in JSON: https://opentelemetry.io/docs/specs/otlp/. Ids are in hexadecimal, 64-bit numbers are texts, enumerations
 * are numbers.
 */

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string } | { readonly doubleValue: number };
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly code: number };
}

/** Spans of one site of one trace. */
export interface SiteSpans {
  readonly site: string;
  readonly spans: readonly OtlpSpan[];
}

const internalSpan = 1;
const serverSpan = 2;
const clientSpan = 3;
const statusUnset = 0;
const statusError = 2;
const cumulative = 2;

/** Context of a trace: https://www.w3.org/TR/trace-context/. */
export interface TraceContext {
  readonly traceId: string;
  /** Absent when the trace begins here. */
  readonly parentSpanId?: string;
}

/** Reads `traceparent`; `unsampled` when the client asked for no spans, undefined when there is none that is valid. */
export function readTraceparent(text: string): TraceContext | 'unsampled' | undefined {
  const [, version, traceId = '', parentSpanId = '', flags = ''] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(text) ?? [];
  if (version === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(parentSpanId)) return undefined;
  return (Number.parseInt(flags, 16) & 1) === 0 ? 'unsampled' : { traceId, parentSpanId };
}

/** Spans of a request: one for all of it where the client is, and below it the parts of its waterfall. */
export function spansOf({ request, spans }: RequestTrace, context: TraceContext, newSpanId: () => string): readonly SiteSpans[] {
  const { traceId, parentSpanId } = context;
  const root = newSpanId();
  const isFailed = request.error !== null || (request.status ?? 0) >= 500;
  const time = (milliseconds: number): string => nanoseconds(request.startMs + milliseconds);
  const bySite = new Map<string, OtlpSpan[]>();
  const add = (site: string, span: OtlpSpan): void => {
    const known = bySite.get(site);
    if (known === undefined) bySite.set(site, [span]);
    else known.push(span);
  };
  const endMs = spans.reduce((end, { startMs, durationMs }) => Math.max(end, startMs + durationMs), request.durationMs ?? 0);
  add(request.sourceSite, {
    traceId,
    spanId: root,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: request.kind === 'request' ? `${request.method ?? ''} ${request.address}`.trim() : request.address,
    kind: serverSpan,
    startTimeUnixNano: time(0),
    endTimeUnixNano: time(endMs),
    attributes: attributes({
      'van.service': request.address,
      'van.request.id': request.id,
      'van.source_site': request.sourceSite,
      'van.dest_site': request.destSite,
      'van.connector': request.connector,
      'van.tries': request.tries,
      'van.error': request.error,
      'network.protocol.name': request.protocol,
      'http.request.method': request.method,
      'http.response.status_code': request.status,
      'rpc.grpc.status_code': request.grpcStatus,
      'url.path': request.path,
      'server.address': request.authority,
      'client.address': request.client === '' ? null : request.client,
    }),
    status: { code: isFailed ? statusError : statusUnset },
  });
  for (const { site, what, startMs, durationMs, basis } of spans) {
    const isServer = what === 'server' || what === 'network and server';
    add(site === '' ? request.sourceSite : site, {
      traceId,
      spanId: newSpanId(),
      parentSpanId: root,
      name: what,
      kind: isServer ? clientSpan : internalSpan,
      startTimeUnixNano: time(startMs),
      endTimeUnixNano: time(startMs + durationMs),
      attributes: attributes({ 'van.site': site, 'van.basis': basis, ...(isServer ? { 'server.address': request.server } : {}) }),
      status: { code: isServer && isFailed ? statusError : statusUnset },
    });
  }
  return [...bySite].map(([site, found]) => ({ site, spans: found }));
}

/** The body of a POST to `/v1/traces`. Each site is a service of its own. */
export function tracesMessage(traces: readonly SiteSpans[], version: string): unknown {
  const bySite = new Map<string, OtlpSpan[]>();
  for (const { site, spans } of traces) {
    const known = bySite.get(site);
    if (known === undefined) bySite.set(site, [...spans]);
    else known.push(...spans);
  }
  return {
    resourceSpans: [...bySite].map(([site, spans]) => ({
      resource: { attributes: attributes({ 'service.name': `van ${site}`, 'service.namespace': 'caravan', 'service.version': version }) },
      scopeSpans: [{ scope: { name: 'caravan', version }, spans }],
    })),
  };
}

/** The body of a POST to `/v1/metrics`: the traffic, with the names that `/metrics` has. */
export function metricsMessage(series: readonly TotalSeries[], version: string, startedMs: number, nowMs: number): unknown {
  const times = { startTimeUnixNano: nanoseconds(startedMs), timeUnixNano: nanoseconds(nowMs) };
  const point = (one: TotalSeries, value: number, more: Readonly<Record<string, string>> = {}): unknown => ({
    attributes: attributes({ ...trafficLabels(one.key), ...more }),
    ...times,
    asInt: String(value),
  });
  const sum = (name: string, unit: string, dataPoints: readonly unknown[]): unknown => ({
    name,
    unit,
    sum: { aggregationTemporality: cumulative, isMonotonic: true, dataPoints },
  });
  const requests = series.filter(isOfRequests);
  const connections = series.filter((one) => !isOfRequests(one));
  const histogram = requests.map((one) => {
    const counts = cumulativeCounts(
      one.sums.latency,
      latencyBoundsMs.map((bound) => bound * 1000),
    );
    const count = [...one.sums.latency.values()].reduce((total, more) => total + more, 0);
    const bucketCounts = [...counts, count].map((upTo, place) => String(upTo - (place === 0 ? 0 : (counts[place - 1] ?? 0))));
    return {
      attributes: attributes(trafficLabels(one.key)),
      ...times,
      count: String(count),
      sum: one.sums.latencySumMicroseconds / 1000,
      bucketCounts,
      explicitBounds: latencyBoundsMs,
    };
  });
  const statuses = requests.flatMap((one) => [...one.sums.statuses].map(([status, count]) => point(one, count, { status_code: status })));
  const metrics = [
    sum(
      'request_total',
      '1',
      requests.map((one) => point(one, one.sums.count)),
    ),
    sum('response_total', '1', statuses),
    { name: 'response_latency_ms', unit: 'ms', histogram: { aggregationTemporality: cumulative, dataPoints: histogram } },
    sum(
      'tcp_open_total',
      '1',
      connections.map((one) => point(one, one.sums.count)),
    ),
    { name: 'tcp_open_connections', unit: '1', gauge: { dataPoints: connections.map((one) => point(one, one.open)) } },
    sum(
      'tcp_read_bytes_total',
      'By',
      series.map((one) => point(one, one.sums.fromClient)),
    ),
    sum(
      'tcp_write_bytes_total',
      'By',
      series.map((one) => point(one, one.sums.toClient)),
    ),
  ];
  const resource = {
    attributes: attributes({ 'service.name': 'van observer', 'service.namespace': 'caravan', 'service.version': version }),
  };
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope: { name: 'caravan', version }, metrics }] }] };
}

function attributes(values: Readonly<Record<string, string | number | null | undefined>>): KeyValue[] {
  return Object.entries(values).flatMap(([key, value]): KeyValue[] => {
    if (value === null || value === undefined || value === '') return [];
    if (typeof value === 'string') return [{ key, value: { stringValue: value.toWellFormed() } }];
    return [{ key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } }];
  });
}

/** Milliseconds since the epoch, with parts, as nanoseconds: more than a number holds exactly. */
function nanoseconds(milliseconds: number): string {
  return (BigInt(Math.round(milliseconds * 1000)) * 1000n).toString();
}
