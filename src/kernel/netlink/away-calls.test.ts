import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { AwayCalls } from './away-calls.ts';
import { NetlinkError } from './netlink-error.ts';
import { loadSocketCalls } from './socket-calls.ts';

test('four run at a time, the others in their order, also when some fail', async () => {
  const calls = new AwayCalls();
  const started: number[] = [];
  let running = 0;
  let most = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      calls.run('counting', async () => {
        started.push(index);
        most = Math.max(most, ++running);
        await setImmediate();
        running--;
        if (index % 3 === 0) throw new Error('refused');
        return index;
      }),
    ),
  );
  assert.equal(most, 4);
  assert.deepEqual(
    started,
    Array.from({ length: 20 }, (_, index) => index),
  );
  assert.equal(results.filter(({ status }) => status === 'rejected').length, 7);
});

test('more than 4 that run and 4096 that wait are refused', async () => {
  const calls = new AwayCalls();
  const gate = Promise.withResolvers<void>();
  const all = Array.from({ length: 4 + 4096 }, () => calls.run('waiting', () => gate.promise));
  await assert.rejects(
    calls.run('one more', () => gate.promise),
    (error) => error instanceof NetlinkError && error.code === 'netlink-busy',
  );
  gate.resolve();
  await Promise.all(all);
  await calls.run('again', () => Promise.resolve());
});

test('as many native calls at once as anybody wants', { skip: process.platform === 'linux' ? false : 'netlink is Linux' }, async () => {
  const calls = loadSocketCalls();
  const socket = calls.netlinkSocket(0);
  try {
    // There is no such link: each call ends with the kernel's answer, none with that of a full queue.
    const results = await Promise.allSettled(Array.from({ length: 600 }, () => calls.setEthtoolValueAway(socket, 'no-such-link', 0x2c, 1)));
    for (const result of results) {
      assert.ok(result.status === 'rejected' && result.reason instanceof NetlinkError);
      assert.ok(result.reason.errorNumber > 0, result.reason.message);
    }
  } finally {
    calls.close(socket);
  }
});
