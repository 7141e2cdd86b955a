import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { removeFileDurably, temporaryMark, writeFileAtomic } from './atomic-file.ts';

const run = promisify(execFile);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atomic-'));
});
after(() => rm(folder, { recursive: true }));

test('the file has the new content, its mode, and nothing is left beside it', async () => {
  const path = join(folder, 'a');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, Uint8Array.of(0x74, 0x77, 0x6f));
  assert.equal(await readFile(path, 'utf8'), 'two');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await writeFileAtomic(path, 'three', { mode: 0o640 });
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.deepEqual(await readdir(folder), ['a']);
  await removeFileDurably(path);
  await removeFileDurably(path);
  assert.deepEqual(await readdir(folder), []);
});

test('a symbolic link in the place of the temporary file is not followed', async () => {
  const victim = join(folder, 'victim');
  await writeFile(victim, 'untouched');
  await symlink(victim, join(folder, `${temporaryMark}${process.pid}-b`));
  await writeFileAtomic(join(folder, 'b'), 'new');
  assert.equal(await readFile(victim, 'utf8'), 'untouched');
  assert.equal(await readFile(join(folder, 'b'), 'utf8'), 'new');
});

test('a folder that is not there is an error with a remedy', async () => {
  await assert.rejects(writeFileAtomic(join(folder, 'none', 'x'), ''), (error: { code: string; remedy: string }) => {
    return error.code === 'state-not-writable' && error.remedy.includes('none');
  });
});

test('on a full disk the old content stays, and writing works again when there is room', async (context) => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  } catch {
    context.skip('cannot mount a small tmpfs: not root');
    return;
  }
  try {
    const path = join(disk, 'state');
    await writeFileAtomic(path, 'old');
    await writeFile(join(disk, 'filler'), new Uint8Array(56 * 1024));
    await assert.rejects(writeFileAtomic(path, new Uint8Array(32 * 1024)), { code: 'disk-full' });
    assert.equal(await readFile(path, 'utf8'), 'old');
    assert.deepEqual((await readdir(disk)).sort(), ['filler', 'state']);
    await rm(join(disk, 'filler'));
    await writeFileAtomic(path, new Uint8Array(32 * 1024));
    assert.equal((await stat(path)).size, 32 * 1024);
  } finally {
    await run('umount', [disk]);
  }
});

test('a kill at any moment leaves the old or the new content', async () => {
  const path = join(folder, 'killed');
  // Each content is one character repeated, so a mixture or a part of one would show.
  const program = `
    import { writeFileAtomic } from ${JSON.stringify(import.meta.resolve('./atomic-file.ts'))};
    for (let at = 0; ; at++) {
      await writeFileAtomic(${JSON.stringify(path)}, String.fromCharCode(97 + (at % 26)).repeat(200_000));
      if (at === 0) process.stdout.write('started');
    }`;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, 3 * round + 1));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const text = await readFile(path, 'utf8');
    assert.equal(text, text.charAt(0).repeat(200_000));
  }
});
