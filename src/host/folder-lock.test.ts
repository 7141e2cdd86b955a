import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lockFolder } from './folder-lock.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
});
after(() => rm(folder, { recursive: true }));

test('a folder has one owner at a time', async () => {
  {
    await using lock = await lockFolder(folder);
    assert.equal(lock.path, join(folder, 'lock'));
    await assert.rejects(lockFolder(folder), { code: 'state-in-use' });
  }
  assert.deepEqual(await readdir(folder), []);
});

test('of many that come at once, one gets it', async () => {
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
  const locks = results.filter((result) => result.status === 'fulfilled');
  assert.equal(locks.length, 1);
  await locks[0]?.value[Symbol.asyncDispose]();
});

test('the lock of a killed process, a reused process id and a damaged lock are stale', async () => {
  const child = spawn(
    process.execPath,
    [
      '--input-type=module-typescript',
      '-e',
      `import { lockFolder } from ${JSON.stringify(import.meta.resolve('./folder-lock.ts'))};
       await lockFolder(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  await assert.rejects(lockFolder(folder), { code: 'state-in-use', message: new RegExp(`process ${child.pid}$`) });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await lockFolder(folder))[Symbol.asyncDispose]();

  for (const target of [`${process.pid}:started-at-another-time`, 'damaged']) {
    await symlink(target, join(folder, 'lock'));
    await (await lockFolder(folder))[Symbol.asyncDispose]();
  }
  assert.deepEqual(await readdir(folder), []);
});
