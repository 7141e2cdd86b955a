import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetworkModel } from '../flows/network-model.ts';
import { metricsText, type MetricsSources } from './metrics.ts';
import { startMs, tellTwoSites, webKey } from './observer-fixtures.test.ts';
import { PrometheusText } from './prometheus-text.ts';
import { TrafficTotals } from './traffic-totals.ts';
import { emptySums, type TrafficKey, type TrafficSums } from './traffic-sums.ts';

function sourcesOf(totals: TrafficTotals): MetricsSources {
  const model = new NetworkModel({ nowMs: startMs });
  tellTwoSites(model);
  return {
    model,
    totals,
    history: () => ({ state: 'ok', message: undefined, lost: 0, bytes: 4096 }),
    exports: () => [{ name: 'otlp', state: 'failing', message: 'x', lost: 3 }],
    version: '1.0',
    startedMs: startMs,
    isConnected: () => true,
    counters: () => ({ reconnections: 1, malformed: 2, droppedRecords: 3 }),
  };
}

function add(totals: TrafficTotals, key: TrafficKey, sums: Partial<TrafficSums>, atMs: number = startMs, open = 0): void {
  totals.add({ key, sums: { ...emptySums(), ...sums }, open, fromMs: atMs, toMs: atMs });
}

/** The samples of a text, by name and labels. Fails where a line is none. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue;
    const [, name = '', value = ''] = /^([a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (\S+)$/.exec(line) ?? [];
    assert.notEqual(name, '', `no sample: ${line}`);
    assert.ok(!samples.has(name), `twice: ${name}`);
    samples.set(name, Number(value));
  }
  return samples;
}

const labels =
  'direction="outbound",dst_service="web",protocol="http",src_site="west",dst_site="east",listener="web",connector="web",server="127.0.0.1:80"';

test('requests have the names of Linkerd, success by status and latencies in buckets', () => {
  const totals = new TrafficTotals();
  // Bucket 100: 4 ms. Two of the answers with 200 are failures of gRPC.
  const statuses = new Map([
    ['200', 90],
    ['404', 5],
    ['503', 5],
  ]);
  add(totals, webKey, {
    count: 100,
    success: 93,
    failure: 7,
    retries: 2,
    statuses,
    latency: new Map([
      [50, 40],
      [100, 60],
    ]),
    latencySumMicroseconds: 5e5,
  });
  const samples = samplesOf(metricsText(sourcesOf(totals), startMs));
  assert.equal(samples.get(`request_total{${labels}}`), 100);
  assert.equal(samples.get(`response_total{${labels},status_code="200",classification="success"}`), 88);
  assert.equal(samples.get(`response_total{${labels},status_code="200",classification="failure"}`), 2);
  assert.equal(samples.get(`response_total{${labels},status_code="404",classification="success"}`), 5);
  assert.equal(samples.get(`response_total{${labels},status_code="503",classification="failure"}`), 5);
  assert.equal(samples.get(`response_latency_ms_bucket{${labels},le="1"}`), 40);
  assert.equal(samples.get(`response_latency_ms_bucket{${labels},le="50000"}`), 100);
  assert.equal(samples.get(`response_latency_ms_count{${labels}}`), 100);
  assert.equal(samples.get(`response_latency_ms_sum{${labels}}`), 500);
  assert.equal(samples.get(`outbound_http_route_retry_requests_total{${labels}}`), 2);
});

test('buckets only grow from one bound to the next', () => {
  const totals = new TrafficTotals();
  add(totals, webKey, { count: 200, latency: new Map(Array.from({ length: 200 }, (_, bucket) => [bucket, 1])) });
  const samples = [...samplesOf(metricsText(sourcesOf(totals), startMs))].filter(([name]) => name.startsWith('response_latency_ms_bucket'));
  assert.equal(samples.length, 26);
  for (let place = 1; place < samples.length; place++)
    assert.ok((samples[place]?.[1] ?? 0) >= (samples[place - 1]?.[1] ?? 0), samples[place]?.[0]);
  assert.equal(samples.at(-1)?.[1], 200);
});

test('connections, the topology and the observer itself are told, with the names of Skupper as well', () => {
  const totals = new TrafficTotals();
  add(
    totals,
    { ...webKey, address: 'db', protocol: 'tcp', listener: 'db', connector: 'db' },
    { count: 4, success: 3, fromClient: 10, toClient: 20 },
    startMs,
    1,
  );
  const text = metricsText(sourcesOf(totals), startMs);
  const samples = samplesOf(text);
  const one = (beginning: string): number | undefined => [...samples].find(([name]) => name.startsWith(beginning))?.[1];
  assert.equal(one('tcp_open_total{'), 4);
  assert.equal(one('tcp_open_connections{'), 1);
  assert.equal(one('tcp_read_bytes_total{'), 10);
  assert.equal(one('tcp_write_bytes_total{'), 20);
  assert.equal(one('skupper_connections_opened_total{source_site_id="west-site",dest_site_id="east-site"'), 4);
  assert.equal(one('skupper_sent_bytes_total{'), 10);
  assert.equal(samples.get('skupper_site_info{site_id="west-site",name="west",version="1.0"}'), 1);
  assert.equal(samples.get('skupper_site_links_total{site_id="west-site",role="inter-router",status="up"}'), 1);
  assert.equal(samples.get('skupper_site_listeners_total{site_id="west-site"}'), 2);
  assert.equal(samples.get('caravan_link_up{link="to-east",src_site="west",dst_site="east"}'), 1);
  assert.equal(samples.get('caravan_link_round_trip_seconds{link="to-east",src_site="west",dst_site="east"}'), 0.002);
  assert.equal(samples.get('caravan_link_loss_ratio{link="to-east",src_site="west",dst_site="east"}'), 0.001);
  assert.equal(samples.get('identity_cert_expiration_timestamp_seconds{site="west",site_id="west-r"}'), startMs / 1000);
  assert.equal(samples.get('caravan_observer_export_lost_total{export="otlp"}'), 3);
  assert.equal(samples.get('caravan_observer_malformed_total'), 2);
  // Samples of one metric stand together.
  const heads = text
    .split('\n')
    .filter((line) => line.startsWith('# TYPE'))
    .map((line) => line.split(' ')[2]);
  assert.equal(new Set(heads).size, heads.length);
});

test('whatever names hold, the text stays whole', () => {
  const totals = new TrafficTotals();
  const evil = 'a"b\\c\nd{}\ud800 ,e="f"';
  add(totals, { ...webKey, address: evil, sourceName: evil, server: 'x'.repeat(5000) }, { count: 1 });
  const names = [...samplesOf(metricsText(sourcesOf(totals), startMs)).keys()];
  assert.ok(names.some((name) => name.includes('dst_service="a\\"b\\\\c\\nd{}\ufffd ,e=\\"f\\""')));
  assert.ok(names.every((name) => name.length < 2500));
});

test('series are bounded in number and go when they are idle', () => {
  const totals = new TrafficTotals();
  for (let n = 0; n < 5000; n++) add(totals, { ...webKey, server: `10.0.0.${n}` }, { count: 1 });
  assert.ok(totals.size <= 4097, `${totals.size}`);
  assert.equal(
    [...totals.values(startMs)].reduce((sum, { sums }) => sum + sums.count, 0),
    5000,
    'nothing is lost, only what it was of',
  );
  assert.ok(totals.refused >= 900);
  add(totals, { ...webKey, server: '10.0.0.1' }, { count: 1 }, startMs + 400_000);
  add(totals, { ...webKey, server: '10.0.0.2' }, { count: 1 }, startMs + 1000, 1);
  const kept = [...totals.values(startMs + 700_000)].map(({ key }) => key.server);
  assert.deepEqual(kept.sort(), ['10.0.0.1', '10.0.0.2']);
});

test('a metric without samples is left out', () => {
  const text = new PrometheusText();
  text.metric('nothing', 'counter', 'Nothing.', []);
  text.metric('numbers', 'gauge', 'Numbers.', [
    [{ a: 'x' }, Infinity],
    [{}, Number.NaN],
  ]);
  assert.equal(text.toString(), '# HELP numbers Numbers.\n# TYPE numbers gauge\nnumbers{a="x"} +Inf\nnumbers NaN\n');
});

test('requests have their methods and statuses with Skupper’s names, whatever was mixed', () => {
  const totals = new TrafficTotals();
  const statuses = (entries: readonly (readonly [string, number])[]): Map<string, number> => new Map(entries);
  add(totals, webKey, {
    count: 20,
    statuses: statuses([
      ['200', 15],
      ['404', 5],
    ]),
    methods: statuses([
      ['GET-200', 10],
      ['POST-200', 5],
      ['GET-404', 3],
      ['OTHER-404', 1],
    ]),
  });
  const of = (method: string, code: string): number | undefined =>
    [...samplesOf(metricsText(sourcesOf(totals), startMs))].find(
      ([name]) => name.startsWith('skupper_requests_total{') && name.includes(`method="${method}",code="${code}"`),
    )?.[1];
  assert.deepEqual([of('GET', '200'), of('POST', '200'), of('GET', '404'), of('OTHER', '404')], [10, 5, 3, 1]);
  assert.deepEqual([of('', '404'), of('', '200')], [1, undefined], 'what was told without a method');
  add(totals, webKey, { count: 1, statuses: statuses([['200', 1]]), methods: statuses([['PUT-200', 1]]) });
  assert.deepEqual([of('GET', '200'), of('PUT', '200')], [10, 1], 'another method changes nothing of those before');
});
