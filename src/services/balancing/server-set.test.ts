import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SeededRandom } from '../../sim/seeded-random.ts';
import type { BalancedServer, ServerView } from './balanced-server.ts';
import { RequestResult } from './circuit-breaker.ts';
import { ServerSet } from './server-set.ts';
import type { BalancingPolicy } from './server-set.ts';

const noneTried: readonly BalancedServer[] = [];

function view(id: string, more: Partial<ServerView> = {}): ServerView {
  return { id, ready: true, others: 0, priority: 0, overflow: 0, maxRequests: 1000, ...more };
}

function setOf(policy: BalancingPolicy, ...servers: { router: string; cost: number; views: ServerView[] }[]): ServerSet {
  const set = new ServerSet(policy, new SeededRandom(1));
  for (const { router, cost, views } of servers) set.update(router, cost, views);
  return set;
}

/** Sends requests that do not end, and tells how many each server got. */
function shares(set: ServerSet, requests: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let request = 0; request < requests; request++) {
    const server = set.choose(0, noneTried);
    assert(server !== undefined);
    server.started(0);
    counts[server.id] = (counts[server.id] ?? 0) + 1;
  }
  return counts;
}

test('balanced: equal servers differ by at most one request, whatever the number of servers', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 200 }), (servers, requests) => {
      const set = setOf('balanced', { router: 'a', cost: 1, views: Array.from({ length: servers }, (_, index) => view(`s${index}`)) });
      shares(set, requests);
      const loads = set.servers.map(({ load }) => load);
      assert(Math.max(...loads) - Math.min(...loads) <= 1);
    }),
  );
});

test('balanced: cost counts as backlog; the backlog of others counts as own', () => {
  const near = { router: 'near', cost: 0, views: [view('n')] };
  assert.deepEqual(shares(setOf('balanced', near, { router: 'far', cost: 5, views: [view('f')] }), 9), { n: 7, f: 2 });
  assert.deepEqual(shares(setOf('balanced', near, { router: 'b', cost: 0, views: [view('f', { others: 4 })] }), 6), { n: 5, f: 1 });
});

test('closest: the farther gets nothing while the near one has room', () => {
  const set = setOf(
    'closest',
    { router: 'near', cost: 1, views: [view('n', { maxRequests: 3 })] },
    { router: 'far', cost: 9, views: [view('f')] },
  );
  assert.deepEqual(shares(set, 5), { n: 3, f: 2 });
});

test('round robin: each in turn, also when one leaves', () => {
  const set = setOf('round-robin', { router: 'a', cost: 1, views: [view('x'), view('y'), view('z')] });
  assert.deepEqual(shares(set, 6), { x: 2, y: 2, z: 2 });
  set.update('a', 1, [view('x'), view('z')]);
  assert.deepEqual(shares(set, 4), { x: 2, z: 2 });
});

test('peak-ewma: the slow server gets less, and is tried again after some time', () => {
  const set = setOf('peak-ewma', { router: 'a', cost: 1, views: [view('fast'), view('slow')] });
  const counts = { fast: 0, slow: 0 };
  let nowMs = 0;
  for (let request = 0; request < 1000; request++) {
    const server = set.choose(nowMs, noneTried);
    assert(server !== undefined);
    const isProbe = server.started(nowMs);
    const tookMs = server.id === 'slow' ? 400 : 5;
    counts[server.id === 'slow' ? 'slow' : 'fast']++;
    server.firstByte(tookMs, nowMs);
    server.ended(RequestResult.success, isProbe, nowMs);
    nowMs += 100;
  }
  assert(counts.slow >= 1 && counts.slow < 100, `the slow server got ${counts.slow} of 1000`);
});

test('priorities: the next takes part only while all before it overflow, or none of them is ready', () => {
  const views = (first: Partial<ServerView>): ServerView[] => [
    view('first', { overflow: 4, ...first }),
    view('second', { priority: 1, overflow: 2 }),
    view('third', { priority: 7 }),
  ];
  assert.deepEqual(shares(setOf('balanced', { router: 'a', cost: 1, views: views({}) }), 8), { first: 4, second: 2, third: 2 });
  assert.deepEqual(shares(setOf('balanced', { router: 'a', cost: 1, views: views({ ready: false }) }), 3), { second: 2, third: 1 });
});

test('when all are past their overflow, all share', () => {
  const set = setOf('balanced', {
    router: 'a',
    cost: 1,
    views: [view('first', { overflow: 2 }), view('second', { priority: 1, overflow: 2 })],
  });
  assert.deepEqual(shares(set, 10), { first: 5, second: 5 });
});

test('a tried server is not chosen again; nothing ready gives nothing', () => {
  const set = setOf('balanced', { router: 'a', cost: 1, views: [view('x'), view('y')] });
  const first = set.choose(0, noneTried);
  assert(first !== undefined);
  const second = set.choose(0, [first]);
  assert(second !== undefined && second !== first);
  assert.equal(set.choose(0, [first, second]), undefined);
  set.remove('a');
  assert.equal(set.choose(0, noneTried), undefined);
  assert(first.gone);
});

function fail(set: ServerSet, id: string, result: RequestResult, times: number, nowMs: number): void {
  const server = set.servers.find((candidate) => candidate.id === id);
  assert(server !== undefined);
  for (let time = 0; time < times; time++) server.ended(result, server.started(nowMs), nowMs);
}

test('a failing server is ejected, then tried by exactly one request', () => {
  const set = setOf('balanced', { router: 'a', cost: 1, views: [view('good'), view('bad')] });
  fail(set, 'bad', RequestResult.failure, 5, 0);
  assert.deepEqual(shares(set, 10), { good: 10 });
  const probe = set.choose(5_000, noneTried);
  assert.equal(probe?.id, 'bad');
  assert.equal(probe.started(5_000), true);
  assert.equal(set.choose(5_000, noneTried)?.id, 'good');
  probe.ended(RequestResult.success, true, 5_010);
  assert.equal(set.choose(5_010, noneTried)?.id, 'bad');
});

test('the last server is used despite its answers, but not when it cannot be connected to', () => {
  const set = setOf('balanced', { router: 'a', cost: 1, views: [view('only')] });
  fail(set, 'only', RequestResult.failure, 5, 0);
  assert.equal(set.choose(1, noneTried)?.id, 'only');
  const other = setOf('balanced', { router: 'a', cost: 1, views: [view('only')] });
  fail(other, 'only', RequestResult.unreachable, 5, 0);
  assert.equal(other.choose(1, noneTried), undefined);
  assert.equal(other.choose(2_000, noneTried)?.id, 'only');
});

test('an update keeps what is known of servers that stay, and their requests', () => {
  const set = setOf('balanced', { router: 'a', cost: 1, views: [view('x')] });
  const server = set.choose(0, noneTried);
  server?.started(0);
  set.update('a', 3, [view('x', { others: 2 }), view('y')]);
  assert.equal(set.servers[0], server);
  assert.equal(server?.load, 3);
  assert.equal(server?.cost, 3);
});
