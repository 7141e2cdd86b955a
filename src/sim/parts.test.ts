import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { contentOf, differenceAt } from './content.ts';
import { VirtualDisk } from './disk.ts';
import { EventQueue } from './event-queue.ts';
import { SeededRandom } from './seeded-random.ts';
import { TraceHash } from './trace-hash.ts';
import { VirtualNetwork } from './virtual-network.ts';

test('events come in the order of their times, and of their asking', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (times) => {
      const queue = new EventQueue();
      const came: [number, number][] = [];
      for (const [place, atMs] of times.entries()) queue.push(atMs, () => came.push([atMs, place]));
      for (let event = queue.pop(); event !== undefined; event = queue.pop()) event.run();
      assert.deepEqual(
        came,
        times.map((atMs, place): [number, number] => [atMs, place]).toSorted((a, b) => a[0] - b[0] || a[1] - b[1]),
      );
    }),
  );
});

test('parts of a seed do not disturb each other', () => {
  const first = new SeededRandom(7);
  const again = new SeededRandom(7);
  again.number();
  const numbers = (random: SeededRandom): number[] => [random.number(), random.number()];
  assert.deepEqual(numbers(first.split('faults')), numbers(again.split('faults')));
  assert.notDeepEqual(numbers(first.split('faults')), numbers(first.split('traffic')));
  assert.notDeepEqual(numbers(new SeededRandom(8).split('faults')), numbers(first.split('faults')));
});

test('a disk forgets what was not synced', () => {
  const disk = new VirtualDisk();
  disk.write('epoch', '1');
  disk.sync();
  disk.write('epoch', '2');
  assert.equal(disk.read('epoch'), '2');
  disk.loseUnsynced();
  assert.equal(disk.read('epoch'), '1');
});

test('content shows where an octet is wrong', () => {
  const bytes = contentOf(5, 100, 50).slice();
  assert.equal(differenceAt(5, 100, bytes, 0, 50), -1);
  assert.notEqual(differenceAt(6, 100, bytes, 0, 50), -1);
  bytes[7] = (bytes[7] + 1) & 255;
  assert.equal(differenceAt(5, 100, bytes, 0, 50), 107);
});

test('the trace tells other octets, another length and another order apart', () => {
  const hashOf = (...chunks: readonly (readonly number[])[]): string => {
    const hash = new TraceHash();
    for (const chunk of chunks) hash.bytes(Uint8Array.from(chunk));
    return hash.hex;
  };
  const all = [hashOf([1, 2, 3]), hashOf([1, 2, 4]), hashOf([1, 2]), hashOf([1, 2], [3]), hashOf([3], [1, 2]), hashOf()];
  assert.equal(new Set(all).size, all.length);
  assert.equal(hashOf([1, 2], [3]), all[3]);
});

test('a cable that is dead in one direction is noticed at both ends; bytes that waited come when it lives again', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  const { cable } = network.link(alpha, beta);
  const knows = (): boolean => alpha.control.forwarder.table.routers.has('beta') && beta.control.forwarder.table.routers.has('alpha');
  network.runUntil(knows, 5000);
  cable.directions[0].block();
  network.runUntil(() => alpha.control.forwarder.table.routers.size + beta.control.forwarder.table.routers.size === 0, 10_000);
  assert.equal(cable.directions[0].blocked, true);
  cable.directions[0].unblock();
  assert.equal(cable.directions[0].blocked, false);
});

test('a process that is stopped hears nothing, and everything when it goes on', () => {
  const network = new VirtualNetwork();
  const [alpha, beta] = ['alpha', 'beta'].map((id) => network.router(id));
  network.link(alpha, beta);
  beta.isPaused = true;
  let done = false;
  beta.after(10, () => (done = true));
  network.run(1000);
  assert.deepEqual([done, beta.control.forwarder.table.routers.size], [false, 0]);
  beta.isPaused = false;
  network.runUntil(() => beta.control.forwarder.table.routers.has('alpha'), 5000);
  assert.equal(done, true);
});

test('somebody who is always due at once is found out', () => {
  const network = new VirtualNetwork();
  const again = (): void => network.at(0, again);
  network.at(5, again);
  assert.throws(() => network.run(1000), /time stands still/);
});
