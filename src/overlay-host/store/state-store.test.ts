/// <reference lib="esnext" />
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { silentLogger } from '../../base/log.ts';
import { AppendLog } from './append-log.ts';
import { StateStore } from './state-store.ts';

async function folderOf(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'overlay-state-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
}

test('what was set is there after a new start, and what was deleted is not', async (context) => {
  const folder = await folderOf(context);
  {
    await using store = await StateStore.open(folder, silentLogger);
    store.set('a', 1);
    store.set('b', { of: ['two'] });
    store.set('a', undefined);
    store.set('c', 'three');
    await store.saved();
  }
  await using store = await StateStore.open(folder, silentLogger);
  assert.deepEqual(
    [...store.entries()],
    [
      ['b', { of: ['two'] }],
      ['c', 'three'],
    ],
  );
});

test('a line that was cut off by a power cut is left out, all before it counts', async (context) => {
  const folder = await folderOf(context);
  {
    await using store = await StateStore.open(folder, silentLogger);
    store.set('a', 1);
    await store.saved();
  }
  await appendFile(join(folder, 'state.log'), '["a",');
  await using store = await StateStore.open(folder, silentLogger);
  assert.equal(store.get('a'), 1);
});

test('many who append at once share writes, and each finds its line on the disk', async (context) => {
  const path = join(await folderOf(context), 'lines.log');
  await using log = await AppendLog.open(path, { shortest: () => '' });
  await Promise.all(
    Array.from({ length: 200 }, async (_, at) => {
      await log.append(`line ${at}\n`);
      assert.ok((await readFile(path, 'utf8')).includes(`line ${at}\n`));
    }),
  );
  assert.equal((await readFile(path, 'utf8')).split('\n').length, 201);
});

test('a log that has grown is replaced by its shortest form, and nothing is lost on the way', async (context) => {
  const path = join(await folderOf(context), 'lines.log');
  let last = '';
  await using log = await AppendLog.open(path, { shortest: () => last });
  const filler = 'x'.repeat(100_000);
  for (let at = 0; at < 25; at++) {
    const line = `${at} ${filler}\n`;
    await log.append(line);
    last = line;
  }
  await log.append('the end\n');
  const text = await readFile(path, 'utf8');
  assert.ok(text.length < 1_500_000, `${text.length} octets`);
  assert.ok(text.endsWith('the end\n'));
  assert.ok(text.includes(last));
});
