import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EdgeRow, Golden, NetworkSnapshot, RequestRow } from '../flows/network-snapshot.ts';
import { requestTrace } from '../flows/request-trace.ts';
import { formatEdges } from './edges.ts';
import { formatGateways, gatewayRows } from './gateways.ts';
import { ageText, bytesText, latencyText, ratioText } from './golden-cells.ts';
import { formatStat } from './stat.ts';
import { answerText, beginText, endText } from './tap-text.ts';
import { formatTop, PathCounts } from './top.ts';
import { formatTrace } from './trace-text.ts';

const idle: Golden = {
  successRatio: null,
  perSecond: 0,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  open: 0,
  bytesFromClientPerSecond: 0,
  bytesToClientPerSecond: 0,
  retriesPerSecond: 0,
};
const busy: Golden = {
  successRatio: 0.99999,
  perSecond: 2,
  p50Ms: 0.31,
  p95Ms: 9.97,
  p99Ms: 1234,
  open: 3,
  bytesFromClientPerSecond: 100,
  bytesToClientPerSecond: 2048,
  retriesPerSecond: 0.5,
};

const request: RequestRow = {
  id: 'wwwww:7',
  kind: 'request',
  startMs: 1_800_000_000_000,
  ended: true,
  address: 'shop',
  protocol: 'HTTP/2',
  method: 'POST',
  path: '/pay.v1/Charge',
  authority: 'shop.example',
  requestId: 'abc',
  status: 200,
  grpcStatus: 14,
  error: null,
  sourceSite: 'west',
  client: '127.0.0.1:50000',
  destSite: 'east',
  connector: 'pay',
  server: '10.0.0.1:9090',
  trace: ['west', 'relay', 'east'],
  tries: 1,
  bytesFromClient: 10,
  bytesToClient: 1337,
  durationMs: 50,
  firstByteMs: 40,
  choiceMs: 1,
  networkMs: 10,
  connectMs: 4,
  serverMs: 25,
};

test('values are short, and never rounded to what they are not', () => {
  assert.deepEqual([0, 0.004, 0.31, 0.996, 9.94, 9.96, 123.4, 999.6, 12_345].map(latencyText), [
    '0ms',
    '0ms',
    '0.31ms',
    '1.0ms',
    '9.9ms',
    '10ms',
    '123ms',
    '1.0s',
    '12s',
  ]);
  assert.deepEqual([null, 1, 0.99999, 0.5, 0].map(ratioText), ['-', '100.00%', '99.99%', '50.00%', '0.00%']);
  assert.deepEqual([0, 1023, 1024, 3_000_000].map(bytesText), ['0B', '1023B', '1.0KiB', '2.9MiB']);
  assert.deepEqual([0, 59_000, 125_000, 7_300_000, 90_000_000].map(ageText), ['0s', '59s', '2m5s', '2h1m', '1d1h']);
});

test('stat has the columns of the golden metrics, and a dash without traffic', () => {
  const report = { windowMs: 60_000, coveredMs: 60_000, kind: 'service' as const, droppedFlows: 0, droppedSinceStart: 0 };
  const rows = [
    { name: 'shop', of: '', golden: busy },
    { name: 'db', of: '', golden: idle },
  ];
  assert.equal(
    formatStat({ ...report, rows }, false),
    `NAME  SUCCESS  RPS     P50     P95   P99
shop  99.99%   2.0rps  0.31ms  10ms  1.2s
db    -        -       -       -     -
`,
  );
  const servers = [{ name: 'east/pay', of: 'shop', golden: busy }];
  assert.equal(
    formatStat({ ...report, kind: 'server', rows: servers }, true),
    `NAME      SERVICE  SUCCESS  RPS     P50     P95   P99   CONN  IN/SEC  OUT/SEC  RETRIES
east/pay  shop     99.99%   2.0rps  0.31ms  10ms  1.2s  3     100B    2.0KiB   0.5rps
`,
  );
});

test('tap shows one request of both ends in three lines', () => {
  assert.equal(
    `${beginText(request, false)}${answerText(request, false)}${endText(request, false)}`,
    `req id=wwwww:7 way=west>relay>east service=shop src=127.0.0.1:50000 dst=10.0.0.1:9090 :method=POST :authority=shop.example :path=/pay.v1/Charge
rsp id=wwwww:7 :status=200 latency=40ms choice=1.0ms network=10ms connect=4.0ms server=25ms
end id=wwwww:7 grpc-status=UNAVAILABLE duration=50ms response-length=1.3KiB
`,
  );
  const refused = {
    ...request,
    status: 503,
    grpcStatus: null,
    error: 'no-server',
    firstByteMs: null,
    destSite: null,
    trace: [],
    server: null,
    connector: null,
  };
  assert.equal(answerText(refused, false), '');
  assert.equal(endText(refused, false), 'end id=wwwww:7 :status=503 duration=50ms response-length=1.3KiB error=no-server\n');
});

test('nothing that comes from the network steers a terminal or forges a line', () => {
  const evil = 'x\u001b[2J\r\nend id=forged';
  const row = {
    ...request,
    path: evil,
    method: evil,
    authority: evil,
    address: evil,
    sourceSite: evil,
    client: evil,
    requestId: evil,
    trace: [evil, evil],
    server: evil,
    error: evil,
    id: evil,
  };
  const counts = new PathCounts();
  counts.add(row);
  const trace = requestTrace(row, [{ fromName: evil, toName: evil, roundTripMs: 1 }]);
  const texts = [beginText(row, true), answerText(row, true), endText(row, true), formatTop(counts.busiest(9)), formatTrace(trace)];
  for (const text of texts) {
    assert.doesNotMatch(text, /[^\n -~│█→~…]/, JSON.stringify(text));
    assert.ok(!text.split('\n').some((line) => line.startsWith('end id=forged')), text);
  }
});

test('the waterfall shows each part where it was', () => {
  const hop = (fromName: string, toName: string, roundTripMs: number): { fromName: string; toName: string; roundTripMs: number } => ({
    fromName,
    toName,
    roundTripMs,
  });
  const text = formatTrace(
    requestTrace({ ...request, durationMs: 48, networkMs: 12, serverMs: 24, firstByteMs: 40, connectMs: 2, choiceMs: 2 }, [
      hop('west', 'relay', 2),
      hop('relay', 'east', 4),
    ]),
  );
  assert.equal(
    text,
    `POST /pay.v1/Charge to shop: 200, gRPC UNAVAILABLE, 48ms, 1.3KiB received
127.0.0.1:50000 at west → relay → east, server pay 10.0.0.1:9090  (wwwww:7)

west   choice of a server        ██                                                2.0ms
west   link west → relay ~         ██                                              2.0ms
relay  link relay → east ~           ████                                          4.0ms
east   connection to the server          ██                                        2.0ms
east   server                              ████████████████████████                24ms
east   link east → relay ~                                         ████            4.0ms
relay  link relay → west ~                                             ██          2.0ms
west   rest of the answer                                                ████████  8.0ms
~ The network was measured there and back together; how it is divided is estimated by the round trips of the links.
`,
  );
});

test('top counts by what and where, and keeps to its limit', () => {
  const counts = new PathCounts();
  for (let index = 0; index < 5; index++) counts.add({ ...request, firstByteMs: 10 + index, status: index === 0 ? 500 : 200 });
  counts.add({ ...request, path: '/other?secret=1', firstByteMs: null });
  assert.equal(
    formatTop(counts.busiest(10)),
    `SERVICE  METHOD  PATH            FROM  TO    COUNT  BEST  WORST  LAST  SUCCESS
shop     POST    /pay.v1/Charge  west  east  5      10ms  14ms   14ms  80.00%
shop     POST    /other          west  east  1      -     -      -     100.00%
`,
  );
  for (let index = 0; index < 3000; index++) counts.add({ ...request, path: `/${index}` });
  assert.equal(counts.busiest(1)[0]?.method, '(others)');
  assert.equal(counts.busiest(5000).length, 1001);
});

test('edges say how the way is secured; gateways add up the links of the way', () => {
  const edge: EdgeRow = {
    sourceId: 'w',
    sourceName: 'west',
    destId: 'e',
    destName: 'east',
    address: 'shop',
    protocol: 'http',
    secured: 'mutual-tls',
    golden: busy,
  };
  assert.equal(
    formatEdges([edge], false),
    `SRC   DST   SERVICE  PROTOCOL  SECURED     SUCCESS  RPS     P50     P95   P99
west  east  shop     http      mutual-tls  99.99%   2.0rps  0.31ms  10ms  1.2s
`,
  );
  const site = {
    platform: null,
    version: null,
    location: null,
    namespace: null,
    nextHop: null,
    cost: 1,
    trust: 'signed',
    advertise: null,
    consume: null,
    state: 'up' as const,
    certificateEndsMs: null,
    membershipEndsMs: null,
    outbound: idle,
    inbound: idle,
  };
  const link = { name: '', directionKnown: true, cost: 1, state: 'up' as const, downCount: 0, bytesPerSecond: 0, bytesReversePerSecond: 0 };
  const server = { siteId: 'e', siteName: 'east', connector: 'pay', host: '', port: '', share: null, golden: idle };
  const snapshot: NetworkSnapshot = {
    atMs: 1_000_000,
    networkId: null,
    windowMs: 60_000,
    sites: [
      { ...site, id: 'w', name: 'west', relation: 'self' },
      { ...site, id: 'r', name: 'relay', relation: 'direct' },
      { ...site, id: 'e', name: 'east', relation: 'indirect', nextHop: 'relay', inbound: busy },
      { ...site, id: 'x', name: 'lost', relation: 'direct', state: 'silent' },
    ],
    links: [
      { ...link, id: '1', from: 'r', to: 'w', fromName: 'relay', toName: 'west', roundTripMs: 3, lossRatio: 0.5, upSinceMs: 900_000 },
      { ...link, id: '2', from: 'e', to: 'r', fromName: 'east', toName: 'relay', roundTripMs: 4, lossRatio: 0.1, upSinceMs: 940_000 },
    ],
    services: [{ address: 'shop', protocols: ['http'], distribution: 'balanced', listeners: [], servers: [server], golden: busy }],
    edges: [],
    warnings: [],
    droppedFlows: 0,
  };
  assert.equal(
    formatGateways(gatewayRows(snapshot)),
    `SITE   ALIVE  NUM_SVC  LATENCY  PATH      RTT    LOSS    UPTIME
relay  True   0        -        direct    3.0ms  50.00%  1m40s
east   True   1        0.31ms   by relay  7.0ms  55.00%  1m0s
lost   False  0        -        -         -      -       -
`,
  );
});
