import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CheckQueue } from './routing-trust-queue.ts';

/** A credential of `length` octets whose first certificate has one octet; `issuer` 0 means that it has no other. */
function credential(number: number, issuer: number, length = 100): Uint8Array {
  const bytes = new Uint8Array(issuer === 0 ? 3 : length).fill(issuer, 3);
  bytes.set([0, 1, number & 0xff]);
  return bytes;
}

function takeAll(queue: CheckQueue): string[] {
  const taken: string[] = [];
  for (let next = queue.next(); next !== undefined; next = queue.next()) taken.push(next.hash);
  return taken;
}

test('the root, each known issuer and all strangers together take turns', () => {
  const queue = new CheckQueue();
  queue.trust(credential(1, 7));
  for (let number = 0; number < 3; number++) {
    queue.add(`seven ${number}`, credential(number, 7));
    queue.add(`stranger ${number}`, credential(number, 10 + number));
    queue.add(`root ${number}`, credential(number, 0));
  }
  assert.equal(queue.size, 9);
  const turns = [0, 1, 2].flatMap((number) => [`seven ${number}`, `stranger ${number}`, `root ${number}`]);
  assert.deepEqual(takeAll(queue), turns);
  assert.equal(queue.size, 0);
});

test('one waits once, as a copy', () => {
  const queue = new CheckQueue();
  const bytes = credential(1, 0);
  assert.deepEqual([queue.add('a', bytes), queue.add('a', bytes)], [true, false]);
  bytes.fill(0xff);
  assert.deepEqual(queue.next()?.bytes, Uint8Array.of(0, 1, 1));
  assert.deepEqual([queue.next(), queue.add('a', bytes)], [undefined, true]);
  queue.clear();
  assert.deepEqual([queue.size, queue.next()], [0, undefined]);
});

test('who fills the queue keeps nobody else out', () => {
  const queue = new CheckQueue();
  let added = 0;
  while (queue.add(`stranger ${added}`, credential(added, 9))) added++;
  assert.equal(added, 2048);
  assert.equal(queue.add('root', credential(1, 0)), true);
  assert.equal(queue.size, 2048);
  assert.deepEqual(takeAll(queue).slice(0, 3), ['stranger 0', 'root', 'stranger 1']);

  let large = 0;
  while (queue.add(`large ${large}`, credential(large, 9, 40_000))) large++;
  assert.equal(large, Math.floor((4 * 1024 * 1024) / 40_000));
  assert.equal(queue.add('root', credential(1, 0)), true);
});
