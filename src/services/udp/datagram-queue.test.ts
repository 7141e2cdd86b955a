import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatagramQueue, WaitingBudget } from './datagram-queue.ts';
import { DropCounts } from './drop-counts.ts';
import { datagramCostBytes, maxSharedWaitingBytes, maxWaitingBytes, maxWaitMs } from './limits.ts';

function queue(budget = new WaitingBudget()): { waiting: DatagramQueue; drops: DropCounts; budget: WaitingBudget } {
  const drops = new DropCounts();
  return { waiting: new DatagramQueue(budget, drops), drops, budget };
}

test('first in, first out, and what is put back comes first', () => {
  const { waiting, budget } = queue();
  const datagrams = [1, 2, 3, 4].map((value) => Uint8Array.of(value));
  for (const datagram of datagrams) waiting.add(datagram, 0);
  const taken = [waiting.take(), waiting.take()] as Uint8Array[];
  assert.deepEqual(taken, datagrams.slice(0, 2));
  waiting.putBack(taken, [0, 0]);
  assert.equal(waiting.length, 4);
  assert.deepEqual(
    [0, 1, 2, 3].map(() => waiting.take()),
    datagrams,
  );
  assert.equal(waiting.take(), undefined);
  assert.equal(budget.bytes, 0);
});

test('when there is no room the oldest is dropped', () => {
  const { waiting, drops, budget } = queue();
  const length = 60_000;
  const room = Math.floor(maxWaitingBytes / (length + datagramCostBytes));
  for (let value = 0; value < room + 3; value++) waiting.add(new Uint8Array(length).fill(value), 0);
  assert.equal(waiting.length, room);
  assert.deepEqual(drops.counts(), { waitingLimit: 3 });
  assert.equal(waiting.take()?.[0], 3);
  waiting.clear('flowEnded');
  assert.equal(budget.bytes, 0);
});

test('all queues of a router share their room; one that has nothing drops what is new', () => {
  const budget = new WaitingBudget();
  budget.bytes = maxSharedWaitingBytes - 1000;
  const { waiting, drops } = queue(budget);
  waiting.add(new Uint8Array(500), 0);
  waiting.add(new Uint8Array(501), 0);
  assert.equal(waiting.take()?.length, 501, 'the older one gave way');
  waiting.add(new Uint8Array(2000), 0);
  assert.equal(waiting.length, 0);
  assert.equal(drops.total, 2);
  assert.equal(budget.bytes, maxSharedWaitingBytes - 1000);
});

test('datagrams of no octets are bounded, too', () => {
  const { waiting } = queue();
  for (let count = 0; count < 100_000; count++) waiting.add(new Uint8Array(0), 0);
  assert.equal(waiting.length, maxWaitingBytes / datagramCostBytes);
});

test('what has waited for too long is dropped', () => {
  const { waiting, drops } = queue();
  waiting.add(Uint8Array.of(1), 0);
  waiting.add(Uint8Array.of(2), 50);
  waiting.expire(maxWaitMs, 'noWay');
  assert.equal(waiting.length, 2);
  waiting.expire(maxWaitMs + 1, 'noWay');
  assert.deepEqual([...(waiting.take() ?? [])], [2]);
  assert.deepEqual(drops.counts(), { noWay: 1 });
});
