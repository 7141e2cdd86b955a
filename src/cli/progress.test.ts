import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { withProgress } from './progress.ts';
import { TestShell } from './test-shell.ts';

test('only what takes longer than a second is told of, as it is at that time', async () => {
  const shell = new TestShell();
  assert.equal(
    await withProgress(
      shell,
      () => 'quick',
      async () => Promise.resolve(1),
    ),
    1,
  );
  let state = 'before';
  await withProgress(
    shell,
    () => `waiting: ${state}`,
    async () => {
      await sleep(10);
      state = 'after';
      while (shell.error === '') await sleep(20);
    },
  );
  assert.match(shell.error, /^waiting: after \(\d+ s\)\n$/);
  await assert.rejects(
    withProgress(
      shell,
      () => 'fails',
      async () => Promise.reject(new Error('no')),
    ),
    /no/,
  );
});
