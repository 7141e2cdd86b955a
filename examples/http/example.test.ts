import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('the example does what it says', { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  assert.equal(stdout.match(/^as expected/gm)?.length, 6);
});
