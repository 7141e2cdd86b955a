import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedQueue } from './bounded-queue.ts';
import { parseControlAddress } from './control-address.ts';
import { DuplicateFilter } from './flooding.ts';
import { LinkTable } from './hello.ts';
import { defaultTimers, limits } from './limits.ts';
import { isSmall, type Hello } from './message-body.ts';
import { RateBudget } from './rate-budget.ts';
import { PendingRequest } from './request.ts';

test('control addresses: forms, schemes, hosts', () => {
  const all = { scope: 'all', endpoint: 'qdrouter' };
  const cases: [string, unknown][] = [
    ['amqp:/_local/qdhello', { scope: 'neighbours', endpoint: 'qdhello' }],
    ['_local/qdhello', { scope: 'neighbours', endpoint: 'qdhello' }],
    ['amqp:/_topo/0/all/qdrouter', all],
    ['amqp://host:5671/_topo/0/all/qdrouter', all],
    ['/_topo/all/qdrouter', all],
    ['_topo/0/b.c-d/qdrouter.ma', { scope: 'router', routerId: 'b.c-d', endpoint: 'qdrouter.ma' }],
    ['_topo/1/b/qdrouter', undefined],
    ['_topo/0/b', undefined],
    ['_topo/0//qdrouter', undefined],
    ['_topo/0/b/c/qdrouter', undefined],
    ['greeting', undefined],
    ['amqp://host', undefined],
    [
      `_topo/0/${'x'.repeat(limits.routerIdLength)}/qdrouter`,
      { scope: 'router', routerId: 'x'.repeat(limits.routerIdLength), endpoint: 'qdrouter' },
    ],
    [`_topo/0/${'x'.repeat(limits.routerIdLength + 1)}/qdrouter`, undefined],
  ];
  for (const [to, expected] of cases) assert.deepEqual(parseControlAddress(to), expected, to);
});

test('a rate budget lets a burst through, then a steady rate', () => {
  const budget = new RateBudget(3, 100);
  const taken = (nowMs: number): number => {
    let count = 0;
    while (budget.take(nowMs)) count++;
    return count;
  };
  assert.equal(taken(1000), 3);
  assert.equal(budget.availableAtMs(1000), 1100);
  assert.equal(taken(1099), 0);
  assert.equal(taken(1100), 1);
  assert.equal(taken(1310), 2);
  assert.equal(budget.availableAtMs(1310), 1400);
  assert.equal(taken(99_000), 3, 'never more than the burst');
});

test('a request is repeated with growing pauses until answered or given up', () => {
  const request = new PendingRequest();
  request.ask(0);
  const times: number[] = [];
  while (request.dueMs < Infinity) {
    times.push(request.dueMs);
    request.sent(request.dueMs, true);
  }
  assert.deepEqual(times, [0, 250, 750, 1750, 3750, 7750, 11_750, 15_750]);
  assert.equal(times.length, limits.requestAttempts);
  request.askFor(5, 20_000);
  request.sent(20_000, true);
  request.askFor(5, 20_010);
  assert.equal(request.dueMs, 20_250, 'a copy of the advertisement changes nothing');
  request.askFor(6, 20_020);
  assert.equal(request.dueMs, 20_020, 'a newer one does');
  request.answered();
  assert.equal(request.dueMs, Infinity);
});

test('a queue refuses and counts what exceeds its limit', () => {
  const queue = new BoundedQueue<number>(2);
  assert.deepEqual([queue.push(1), queue.push(2), queue.push(3)], [true, true, false]);
  assert.deepEqual([queue.shift(), queue.push(4), queue.shift(), queue.shift(), queue.shift()], [1, true, 2, 4, undefined]);
  assert.equal(queue.refused, 1);
});

test('a link is confirmed by a HELLO that hears this router, and loses that with age', () => {
  const links = new LinkTable(defaultTimers);
  links.add(7, 4, undefined);
  const hello = (seen: string[]): Hello => ({ id: 'b', instance: 1, seen, extension: undefined });
  const nothing = { newlyHeard: false, newlyConfirmed: false, lost: false, wrongPeer: false };
  assert.deepEqual(links.receive(7, hello([]), 'a', 100), { ...nothing, newlyHeard: true });
  assert.deepEqual(links.seen(7), ['b']);
  assert.equal(links.neighbours().size, 0);
  assert.deepEqual(links.receive(7, hello(['x', 'a']), 'a', 200), { ...nothing, newlyConfirmed: true });
  assert.deepEqual([...links.neighbours()], [['b', { link: 7, cost: 4 }]]);
  links.receive(7, hello([]), 'a', 3000);
  assert.deepEqual(links.advance(3199)?.lost ?? [], []);
  assert.deepEqual(links.advance(3200)?.lost, ['b']);
  assert.deepEqual([links.neighbours().size, links.seen(7)], [0, ['b']]);
  links.advance(6000);
  assert.deepEqual(links.seen(7), []);
});

test('an advertisement is passed on again if it is newer, came a shorter way, or the paths have changed', () => {
  const filter = new DuplicateFilter();
  const advertisement = { id: 'x', instance: 1, linkStateSequence: 2, mobileSequence: 3 };
  assert.equal(filter.admit(advertisement, 3, 1, 0), true);
  assert.equal(filter.admit(advertisement, 3, 1, 10), false);
  assert.equal(filter.admit(advertisement, 2, 1, 20), true);
  assert.equal(filter.admit({ ...advertisement, mobileSequence: 4 }, 5, 1, 30), true);
  assert.equal(filter.admit({ ...advertisement, mobileSequence: 4 }, 5, 2, 40), true);
  assert.equal(filter.admit({ ...advertisement, mobileSequence: 4 }, 5, 1, 5000), true, 'the next period');
});

test('site data are bounded in values and characters', () => {
  const many = (count: number): Map<string, number> => new Map(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
  assert.equal(isSmall(many(limits.siteDataValues - 1)), true);
  assert.equal(isSmall(many(limits.siteDataValues)), false);
  assert.equal(isSmall(new Map([['list', Array.from({ length: limits.siteDataValues }, () => 1)]])), false);
  assert.equal(isSmall(new Map([['k', 'x'.repeat(limits.siteDataCharacters - 1)]])), true);
  assert.equal(isSmall(new Map([['k', 'x'.repeat(limits.siteDataCharacters)]])), false);
  assert.equal(isSmall(new Map([['a', new Map([['b', ['x'.repeat(limits.siteDataCharacters)]]])]])), false);
});
