import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

test('a log that is the process output is cut at its limit and kept once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'log-'));
  try {
    const path = join(folder, 'log');
    const program = `
      import { logOutput } from ${JSON.stringify(import.meta.resolve('./log-output.ts'))};
      const write = logOutput(${JSON.stringify(path)}, 1000);
      for (let line = 0; line < 100; line++) write('line ' + String(line).padStart(4, '0') + ' '.repeat(40) + '\\n');`;
    await using file = await open(path, 'a');
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['ignore', 'inherit', file.fd] });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 0);
    assert.ok((await stat(path)).size <= 1000);
    const lines = `${await readFile(`${path}.1`, 'utf8')}${await readFile(path, 'utf8')}`.trimEnd().split('\n');
    assert.match(lines.at(-1) ?? '', /^line 0099/);
    const first = Number(lines[0]?.slice(5, 9));
    assert.deepEqual(
      lines.map((line) => Number(line.slice(5, 9))),
      Array.from({ length: 100 - first }, (_, index) => first + index),
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
