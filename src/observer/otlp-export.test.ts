import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { NetworkModel } from '../flows/network-model.ts';
import type { RequestTrace } from '../flows/network-snapshot.ts';
import { processClock } from '../host/process-clock.ts';
import { until } from '../../test/e2e/until.ts';
import { startMs, tellRequest, tellTwoSites, webKey } from './observer-fixtures.test.ts';
import { OtlpExport } from './otlp-export.ts';
import { TrafficTotals } from './traffic-totals.ts';
import { emptySums } from './traffic-sums.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
}

interface Traces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly unknown[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** Takes what is sent, after it has answered with `first` so many times as it has entries. */
async function receiver(
  t: TestContext,
  first: number[] = [],
): Promise<{ endpoint: string; bodies: { path: string; body: unknown }[]; server: Server }> {
  const bodies: { path: string; body: unknown }[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const status = first.shift() ?? 200;
      if (status === 200) bodies.push({ path: request.url ?? '', body: JSON.parse(text) as unknown });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, server };
}

function requestTrace(): RequestTrace {
  const model = new NetworkModel({ nowMs: startMs });
  tellTwoSites(model);
  tellRequest(model, 'aaaaa:21', startMs + 1000);
  const trace = model.trace('aaaaa:21');
  assert.ok(trace !== undefined);
  return trace;
}

function exporter(t: TestContext, endpoint: string, totals = new TrafficTotals()): OtlpExport {
  const otlp = new OtlpExport({
    endpoint,
    version: '1.0',
    clock: processClock,
    log: silentLogger,
    totals: () => totals.values(startMs),
    periods: { tracesMs: 20, metricsMs: 20, firstRetryMs: 10 },
  });
  t.after(() => otlp[Symbol.asyncDispose]());
  return otlp;
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test('a request is one trace that joins the client’s, with a span for each part at its site', async (t) => {
  const { endpoint, bodies } = await receiver(t);
  const otlp = exporter(t, endpoint);
  const trace = requestTrace();
  otlp.add(() => trace, `00-${traceId}-${spanId}-01`);
  otlp.add(() => trace, '');
  otlp.add(() => assert.fail('nobody wants it'), `00-${traceId}-${spanId}-00`);
  await until('both traces are there', () => bodies.length > 0);
  const spans = bodies.flatMap(({ body }) =>
    (body as Traces).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
  const joined = spans.filter((span) => span.traceId === traceId);
  const root = joined.find((span) => span.parentSpanId === spanId);
  assert.equal(root?.name, 'GET web');
  assert.equal(joined.length, trace.spans.length + 1);
  for (const span of joined) {
    assert.match(span.spanId, /^[0-9a-f]{16}$/);
    if (span !== root) assert.equal(span.parentSpanId, root?.spanId);
    assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
    assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(root?.startTimeUnixNano ?? 0));
  }
  const own = spans.filter((span) => span.traceId !== traceId);
  assert.equal(new Set(own.map((span) => span.traceId)).size, 1);
  assert.equal(own.filter((span) => span.parentSpanId === undefined).length, 1);
  assert.equal(bodies[0]?.path, '/v1/traces');
  const sites = JSON.stringify(bodies.map(({ body }) => (body as Traces).resourceSpans.map(({ resource }) => resource)));
  assert.match(sites, /van west/);
  assert.match(sites, /van east/);
});

test('what is not taken is sent again, unless there is no use in it', async (t) => {
  const { endpoint, bodies } = await receiver(t, [503, 429, 200, 400]);
  const otlp = exporter(t, endpoint);
  const trace = requestTrace();
  otlp.add(() => trace, '');
  await until('it is taken at the third try', () => bodies.length === 1);
  await until('it knows', () => otlp.exportState.state === 'ok');
  assert.equal(otlp.exportState.lost, 0);
  otlp.add(() => trace, '');
  await until('it is refused', () => otlp.exportState.lost === 1);
  assert.equal(otlp.exportState.state, 'failing');
  assert.equal(bodies.length, 1);
});

test('without a receiver traces wait in bounded room, and what is given up is counted', async (t) => {
  const { endpoint, server } = await receiver(t);
  server.closeAllConnections();
  server.close();
  const otlp = exporter(t, endpoint);
  const trace = requestTrace();
  for (let n = 0; n < 7000; n++) otlp.add(() => trace, '');
  assert.equal(otlp.exportState.lost, 2000);
  await until('it says so', () => otlp.exportState.state === 'failing');
});

test('sums of traffic are sent as metrics', async (t) => {
  const { endpoint, bodies } = await receiver(t);
  const totals = new TrafficTotals();
  const sums = { ...emptySums(), count: 7, statuses: new Map([['200', 7]]), latency: new Map([[50, 7]]), latencySumMicroseconds: 700 };
  totals.add({ key: webKey, sums, open: 0, fromMs: startMs, toMs: startMs });
  exporter(t, endpoint, totals);
  await until('they are there', () => bodies.some(({ path }) => path === '/v1/metrics'));
  const [first] = bodies;
  assert.ok(first !== undefined);
  const { resourceMetrics } = first.body as {
    resourceMetrics: {
      scopeMetrics: {
        metrics: {
          name: string;
          sum?: { dataPoints: { asInt: string }[] };
          histogram?: { dataPoints: { count: string; bucketCounts: string[]; explicitBounds: number[] }[] };
        }[];
      }[];
    }[];
  };
  const metrics = new Map(resourceMetrics[0]?.scopeMetrics[0]?.metrics.map((metric) => [metric.name, metric]));
  assert.equal(metrics.get('request_total')?.sum?.dataPoints[0]?.asInt, '7');
  const [histogram] = metrics.get('response_latency_ms')?.histogram?.dataPoints ?? [];
  assert.equal(histogram?.count, '7');
  assert.equal(histogram?.bucketCounts.length, (histogram?.explicitBounds.length ?? 0) + 1);
  assert.equal(
    histogram?.bucketCounts.reduce((sum, count) => sum + Number(count), 0),
    7,
  );
});
