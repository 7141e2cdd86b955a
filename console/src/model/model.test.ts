import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Golden, LinkRow, RequestRow } from '../../../src/flows/network-snapshot.ts';
import { cheapestPath } from './cheapest-path.ts';
import { successTone, totalOf } from './golden.ts';
import { atSteps, historyQuery, lowestSuccess } from './history-range.ts';
import { completeFilter, filterOf, matchesFilter, outcomeOf, tapCommand } from './request-filter.ts';
import { tokenRows } from './site-status.ts';
import { matchesSearch, nextOrder, sortedRows } from './table-order.ts';

const golden: Golden = {
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

const request: RequestRow = {
  id: 'x7k2p:1',
  kind: 'request',
  startMs: 0,
  ended: true,
  address: 'web',
  protocol: 'http',
  method: 'GET',
  path: '/cart/1',
  authority: null,
  requestId: null,
  status: 503,
  grpcStatus: null,
  error: null,
  sourceSite: 'west',
  client: '10.0.0.1:4000',
  destSite: 'east',
  connector: 'web',
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
};

function link(from: string, to: string, cost: number, more: Partial<LinkRow> = {}): LinkRow {
  return {
    id: `${from}${to}`,
    name: '',
    from,
    to,
    fromName: from,
    toName: to,
    directionKnown: true,
    cost,
    state: 'up',
    roundTripMs: 10,
    lossRatio: 0,
    upSinceMs: 0,
    downCount: 0,
    bytesPerSecond: 0,
    bytesReversePerSecond: 0,
    ...more,
  };
}

test('success of the whole is weighted by the rate of its parts', () => {
  const total = totalOf([
    { ...golden, perSecond: 90, successRatio: 1 },
    { ...golden, perSecond: 10, successRatio: 0.5 },
    { ...golden, perSecond: 7, open: 2 },
  ]);
  assert.equal(total.successRatio, 0.95);
  assert.equal(total.perSecond, 107);
  assert.equal(total.open, 2);
  assert.equal(totalOf([]).successRatio, null);
  assert.deepEqual([null, 1, 0.9989, 0.949].map(successTone), ['none', 'good', 'fair', 'poor']);
});

test('the cheapest path goes over links that are up, whoever dialled them', () => {
  const links = [link('a', 'b', 1), link('c', 'b', 1), link('a', 'c', 7), link('a', 'd', 1, { state: 'down' })];
  assert.deepEqual(cheapestPath(links, 'a', 'c'), { sites: ['a', 'b', 'c'], cost: 2, roundTripMs: 20 });
  assert.equal(cheapestPath(links, 'a', 'd'), null);
  assert.equal(cheapestPath([link('a', 'b', 1, { roundTripMs: null })], 'a', 'b')?.roundTripMs, null);
});

test('requests are found by service, method, start of the path, status and sites', () => {
  const matches = (parameters: Readonly<Record<string, string>>): boolean => matchesFilter(request, filterOf(parameters));
  assert.ok(matches({}) && matches({ service: 'web', method: 'get', path: '/cart', status: '5xx', from: 'west', to: 'east' }));
  assert.ok(matches({ status: '5' }), 'while it is being typed');
  for (const wrong of [{ service: 'we' }, { method: 'POST' }, { path: 'cart' }, { status: '4xx' }, { from: 'east' }, { to: 'west' }])
    assert.ok(!matches(wrong));
  assert.equal(completeFilter(filterOf({ status: '50' })).status, '');
  assert.equal(tapCommand(filterOf({ service: 'web', status: '5xx', from: 'west' })), 'van tap web --status 5xx --from west');
});

test('outcomes in a word', () => {
  assert.deepEqual(outcomeOf(request), { text: '503', tone: 'poor' });
  assert.deepEqual(outcomeOf({ ...request, status: null, error: 'no-server' }), { text: 'no-server', tone: 'poor' });
  assert.deepEqual(outcomeOf({ ...request, status: 200, grpcStatus: 14 }), { text: 'grpc 14', tone: 'poor' });
  assert.deepEqual(outcomeOf({ ...request, status: null, kind: 'connection', ended: false }), { text: 'open', tone: 'none' });
});

test('rows without a value come last in both directions', () => {
  const rows = [{ value: 2 }, { value: null }, { value: 10 }];
  const value = (row: { readonly value: number | null }): number | null => row.value;
  assert.deepEqual(sortedRows(rows, value, false).map(value), [2, 10, null]);
  assert.deepEqual(sortedRows(rows, value, true).map(value), [10, 2, null]);
  assert.deepEqual(
    sortedRows(['b10', 'b9'], (name) => name, false),
    ['b9', 'b10'],
  );
  assert.deepEqual(nextOrder({ key: 'name', descending: false }, 'rps', true), { key: 'rps', descending: true });
  assert.deepEqual(nextOrder({ key: 'rps', descending: true }, 'rps', true), { key: 'rps', descending: false });
  assert.ok(matchesSearch(' EU ', ['branch-eu-1', null]) && !matchesSearch('us', [null, 'eu']) && matchesSearch('', []));
});

test('history is asked for at whole steps', () => {
  assert.deepEqual(historyQuery('15m', 1_000_000_007_777), { from: '999999100000', to: '1000000000000', step: '10' });
  assert.deepEqual([[1, null, 0.995], [0.93], [0.2], []].map(lowestSuccess), [0.99, 0.9, 0, 0.99]);
});

test('points of history stand at their steps, and what is not kept is a gap', () => {
  const { timesMs, values } = atSteps(
    [
      { atMs: 30_500, value: 'b' },
      { atMs: 10_000, value: 'a' },
      { atMs: 99_000, value: 'late' },
    ],
    { from: '10000', to: '50000', step: '10' },
  );
  assert.deepEqual(timesMs, [10_000, 20_000, 30_000, 40_000]);
  assert.deepEqual(values, ['a', null, 'b', null]);
});

test('tokens show how they stand and never their code', () => {
  const rows = tokenRows([
    { kind: 'Site', metadata: { name: 'west' }, spec: {} },
    {
      kind: 'AccessGrant',
      metadata: { name: 'one' },
      spec: { redemptionsAllowed: 3 },
      status: { status: 'Ready', redemptions: 1, url: 'https://x', expirationTime: '2026-11-21T10:00:00Z' },
    },
    { kind: 'AccessToken', metadata: { name: 'two' }, spec: { url: 'https://y', code: 'secret', ca: 'pem' }, status: { redeemed: true } },
  ]);
  assert.deepEqual(
    rows.map(({ name, status, redemptions, redemptionsAllowed, expiresMs }) => [name, status, redemptions, redemptionsAllowed, expiresMs]),
    [
      ['one', 'Ready', 1, 3, Date.UTC(2026, 10, 21, 10)],
      ['two', 'Redeemed', 1, 1, null],
    ],
  );
  assert.ok(!JSON.stringify(rows).includes('secret'));
});
