import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openFileLimit } from './open-files.ts';

test('the limit is that of ulimit', { skip: !existsSync('/proc/self/limits') }, () => {
  const file = join(import.meta.dirname, 'open-files.ts');
  const script = `import(${JSON.stringify(file)}).then(({ openFileLimit }) => console.log(openFileLimit()))`;
  const told = execFileSync('sh', ['-c', 'ulimit -n 123; exec "$0" -e "$1"', process.execPath, script], { encoding: 'utf8' });
  assert.equal(told.trim(), '123');
});

test('a system that does not tell has no limit', () => {
  assert.equal(openFileLimit('/nowhere/limits'), undefined);
});
