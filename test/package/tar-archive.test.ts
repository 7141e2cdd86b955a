import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tarArchive, type PackageFile } from '../../packaging/tar-archive.ts';

const modifiedSeconds = 1_000_000_000;

function file(path: string, octets: number, isExecutable = false): PackageFile {
  return { path, isExecutable, content: Buffer.alloc(octets, path) };
}

async function archiveOf(files: readonly PackageFile[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(tarArchive('top', files, modifiedSeconds)));
}

test('the system unpacks what was packed: whole blocks, nothing, long paths, programs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'caravan-tar-'));
  try {
    const long = `${'a'.repeat(90)}/${'b'.repeat(60)}/${'c'.repeat(99)}`;
    const files = [file('z', 1), file('empty', 0), file('block', 512), file('more', 513, true), file(long, 2000)];
    await writeFile(join(folder, 'a.tar'), await archiveOf(files));
    execFileSync('tar', ['-xpf', 'a.tar'], { cwd: folder });
    for (const { path, content } of files) assert.deepEqual(await readFile(join(folder, 'top', path)), content, path);
    const more = await stat(join(folder, 'top/more'));
    assert.deepEqual([more.mode & 0o777, more.mtimeMs], [0o755, modifiedSeconds * 1000]);
    assert.equal((await stat(join(folder, 'top/z'))).mode & 0o777, 0o644);
    assert.equal((await stat(join(folder, 'top'))).mode & 0o777, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('the order in which files are named makes no difference', async () => {
  const files = [file('b/x', 3), file('a', 4), file('b/y', 5)];
  assert.deepEqual(await archiveOf(files), await archiveOf(files.toReversed()));
});

test('a path that the format has no room for is refused', async () => {
  await assert.rejects(archiveOf([file('a'.repeat(101), 1)]), { code: 'package-path' });
  await assert.rejects(archiveOf([file(`${'a/'.repeat(90)}${'b'.repeat(90)}`, 1)]), { code: 'package-path' });
});
