import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import type { RecordUpdate } from '../flows/record.ts';
import { Attribute, RecordType } from '../flows/record-types.ts';
import type { RequestRow } from '../flows/network-snapshot.ts';
import { History } from './history.ts';
import { TrafficLedger } from './traffic-ledger.ts';
import type { TrafficKey } from './traffic-sums.ts';

const startMs = 1_800_000_000_000;

class TestClock {
  atMs = startMs;
  nowMs(): number {
    return this.atMs;
  }
  wallMs(): number {
    return this.atMs;
  }
}

function folder(t: { after(run: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'history-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function open(path: string, clock: TestClock, more: { retentionMs?: number; maxBytes?: number } = {}): History {
  return new History({ path, clock, log: silentLogger, retentionMs: 86_400_000, maxBytes: 64 * 1024 * 1024, ...more });
}

const key: TrafficKey = {
  address: 'web',
  protocol: 'http',
  sourceId: 'r1',
  sourceName: 'west',
  destId: 'r2',
  destName: 'east',
  listener: 'web',
  connector: 'web',
  server: '127.0.0.1:80',
};

function sumsRecord(count: number, startTimeMs: number, identity = 'abcde:7'): RecordUpdate {
  return new Map<number, number | string>([
    [Attribute.recordType, RecordType.traffic],
    [Attribute.identity, identity],
    [Attribute.startTime, startTimeMs * 1000],
    [Attribute.count, count],
    [Attribute.successCount, count],
    [Attribute.octets, count * 100],
    [Attribute.latencyCounts, `3=${count}`],
    [Attribute.statusCounts, `200=${count}`],
  ]);
}

function ledger(history: History, startedMs: number): TrafficLedger {
  return new TrafficLedger({
    baselines: history.baselines(),
    sinceMs: () => startedMs,
    keyOf: () => key,
    take: (delta, identity, baseline) => history.add(delta, identity, baseline),
  });
}

function total(history: History, clock: TestClock, step = 10): number {
  const seconds = clock.atMs / 1000;
  return history
    .ask((found) => found)
    .points({ service: 'web', from: seconds - 7200, to: seconds + 60 }, step)
    .reduce((sum, { sums }) => sum + sums.count, 0);
}

function requestRow(id: string, atMs: number, more: Partial<RequestRow> = {}): RequestRow {
  return {
    id,
    kind: 'request',
    startMs: atMs,
    ended: true,
    address: 'web',
    protocol: 'http',
    method: 'GET',
    path: '/a',
    authority: null,
    requestId: null,
    status: 200,
    grpcStatus: null,
    error: null,
    sourceSite: 'west',
    client: '',
    destSite: 'east',
    connector: null,
    server: null,
    trace: [],
    tries: 1,
    bytesFromClient: 0,
    bytesToClient: 0,
    durationMs: 1,
    firstByteMs: 1,
    choiceMs: null,
    networkMs: null,
    connectMs: null,
    serverMs: null,
    ...more,
  };
}

test('sums that grow are counted once, in every rollup, and over a restart that nobody prepared', (t) => {
  const path = join(folder(t), 'history.db');
  const clock = new TestClock();
  const first = open(path, clock);
  const counting = ledger(first, startMs);
  for (let second = 0; second < 100; second++) {
    clock.atMs += 1000;
    counting.record('abcde:0', sumsRecord(second * 5, startMs), clock.atMs);
    if (second % 7 === 0) first.flush();
  }
  first.flush();
  for (const step of [10, 60, 3600]) assert.equal(total(first, clock, step), 495, `rollups of ${step} s`);
  // What came after the last flush dies with the process: the file is only copied, as a kill would leave it.
  counting.record('abcde:0', sumsRecord(600, startMs), clock.atMs);

  clock.atMs += 20_000;
  const second = open(path, clock);
  const again = ledger(second, clock.atMs);
  again.record('abcde:0', sumsRecord(700, startMs), clock.atMs);
  again.record('abcde:0', sumsRecord(700, startMs), clock.atMs + 1000);
  for (const step of [10, 60, 3600]) assert.equal(total(second, clock, step), 700, `rollups of ${step} s`);
  // The router has begun anew: another start.
  again.record('abcde:0', sumsRecord(4, clock.atMs), clock.atMs + 2000);
  assert.equal(total(second, clock), 704);
  // Sums that somebody else has had told for long are not this observer's.
  again.record('abcde:0', sumsRecord(10_000, startMs - 3_600_000, 'abcde:9'), clock.atMs + 2000);
  again.record('abcde:0', sumsRecord(10_001, startMs - 3_600_000, 'abcde:9'), clock.atMs + 3000);
  assert.equal(total(second, clock), 705);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
});

test('what was added over a gap is spread over it', (t) => {
  const clock = new TestClock();
  const history = open(join(folder(t), 'history.db'), clock);
  const counting = ledger(history, startMs);
  counting.record('s', sumsRecord(10, startMs), clock.atMs);
  clock.atMs += 100_000;
  counting.record('s', sumsRecord(1010, startMs), clock.atMs);
  const points = history.ask((found) => found).points({ from: startMs / 1000, to: clock.atMs / 1000 + 10 }, 10);
  assert.ok(points.length >= 10 && points.every(({ sums }) => sums.count <= 110), JSON.stringify(points.map(({ sums }) => sums.count)));
  assert.equal(
    points.reduce((sum, { sums }) => sum + (sums.latency.get(3) ?? 0), 0),
    1010,
  );
  history[Symbol.dispose]();
});

test('groups and requests are found by what they are asked for, whatever names hold', (t) => {
  const clock = new TestClock();
  const history = open(join(folder(t), 'history.db'), clock);
  const evil = `x'; DROP TABLE flow; --`;
  history.add(
    { key: { ...key, address: evil, sourceName: evil }, sums: { ...sums(), count: 3 }, open: 1, fromMs: startMs, toMs: startMs },
    'a:1',
    { startTime: 1, seenMs: startMs, sums: sums() },
  );
  history.addRow(requestRow('a:1', startMs, { address: evil, path: evil, method: evil }));
  history.addRow(requestRow('a:2', startMs + 1, { status: 503, destSite: null }));
  history.addRow(requestRow('a:3', startMs + 2, { path: '/b%', sourceSite: 'north' }));
  const queries = history.ask((found) => found);
  const seconds = startMs / 1000;
  const time = { from: seconds, to: seconds + 10 };
  assert.equal(queries.groups({ ...time, service: evil }, 'service').get(`\n${evil}`)?.sums.count, 3);
  assert.equal(queries.groups({ ...time, site: evil }, 'server').size, 1);
  assert.equal(queries.groups({ ...time, service: 'other' }, 'service').size, 0);
  const ids = (selection: Parameters<typeof queries.requests>[0]): string[] => queries.requests(selection).map(({ id }) => id);
  assert.deepEqual(ids({ limit: 10 }), ['a:3', 'a:2', 'a:1']);
  assert.deepEqual(ids({ limit: 1, cursor: { startMs: startMs + 2 } }), ['a:2']);
  assert.deepEqual(ids({ limit: 10, service: evil, method: evil, path: evil }), ['a:1']);
  assert.deepEqual(ids({ limit: 10, path: '/b%' }), ['a:3']);
  assert.deepEqual(ids({ limit: 10, path: '/b_' }), []);
  assert.deepEqual(ids({ limit: 10, status: [500, 599] }), ['a:2']);
  assert.deepEqual(ids({ limit: 10, site: 'north' }), ['a:3']);
  assert.deepEqual(ids({ limit: 10, to: 'east', from: 'north' }), ['a:3']);
  assert.equal(queries.request('a:2')?.status, 503);
  assert.equal(queries.request(evil), undefined);
  history[Symbol.dispose]();
});

function sums(): Parameters<History['add']>[0]['sums'] {
  return {
    count: 0,
    success: 0,
    failure: 0,
    retries: 0,
    fromClient: 0,
    toClient: 0,
    latencySumMicroseconds: 0,
    latency: new Map(),
    statuses: new Map(),
    methods: new Map(),
  };
}

test('what is older than the retention goes, and the file stays below its size', (t) => {
  const path = join(folder(t), 'history.db');
  const clock = new TestClock();
  const maxBytes = 2 * 1024 * 1024;
  const history = open(path, clock, { retentionMs: 600_000, maxBytes });
  const counting = ledger(history, startMs);
  history.addRow(requestRow('old', startMs));
  for (let minute = 0; minute < 20; minute++) {
    clock.atMs += 60_000;
    counting.record('s', sumsRecord(minute + 1, startMs), clock.atMs);
    for (let n = 0; n < 300; n++) history.addRow(requestRow(`${minute}:${n}`, clock.atMs + n, { path: `/${'x'.repeat(900)}` }));
    history.flush();
  }
  const queries = history.ask((found) => found);
  assert.equal(queries.request('old'), undefined);
  assert.notEqual(queries.request('19:299'), undefined);
  assert.ok((queries.points({ from: 0, to: clock.atMs }, 60)[0]?.start ?? 0) >= (clock.atMs - 660_000) / 1000);
  history.flush();
  assert.ok(history.state.bytes <= maxBytes, `${history.state.bytes} bytes`);
  assert.equal(history.state.lost, 0);
  history[Symbol.dispose]();
  assert.ok(statSync(path).size <= maxBytes * 2, `${statSync(path).size} bytes`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a broken file is set aside, at the start and while it runs', (t) => {
  const path = join(folder(t), 'history.db');
  const clock = new TestClock();
  writeFileSync(path, 'this is no database, '.repeat(1000));
  const history = open(path, clock);
  assert.match(history.state.message ?? '', /set aside/);
  assert.equal(history.state.state, 'ok');
  assert.match(readFileSync(`${path}.broken`, 'latin1'), /^this is no database/);
  for (let n = 0; n < 2000; n++) history.addRow(requestRow(`a:${n}`, startMs + n));
  history[Symbol.dispose]();
  const bytes = readFileSync(path);
  bytes.fill(0xff, 4096);
  writeFileSync(path, bytes);
  const second = open(path, clock);
  for (let n = 0; n < 2000; n++) second.addRow(requestRow(`b:${n}`, startMs + n));
  second.flush();
  clock.atMs += 11_000;
  second.addRow(requestRow('c:1', startMs));
  second.flush();
  assert.equal(second.state.state, 'ok');
  assert.equal(second.ask((found) => found).request('c:1')?.id, 'c:1');
  second[Symbol.dispose]();
});

const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

test(
  'a full disk stops history with a warning, and it goes on when there is room',
  { skip: canMount ? false : 'needs root to mount a small disk' },
  (t) => {
    const path = folder(t);
    const program = join(import.meta.dirname, '..', '..', 'test', 'faults', 'programs', 'full-disk-history.ts');
    const run = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', `mount -t tmpfs -o size=4m none "$0" && exec "$1" "$2" "$0"`, path, process.execPath, program],
      {
        encoding: 'utf8',
        timeout: 60_000,
      },
    );
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(JSON.parse(run.stdout), { full: 'stopped', code: true, warnings: 1, after: 'ok', found: true });
  },
);
