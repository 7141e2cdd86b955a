import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { obstacle } from './requirements.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const missing = obstacle(project);
/** It ends by itself before. */
const timeoutMs = 200_000;

test('the demo of the overlay shows what it should', { skip: missing ?? false, timeout: timeoutMs }, () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [fileURLToPath(new URL('main.ts', import.meta.url)), '--check'], {
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  assert.equal(status, 0, stderr);
  const result = JSON.parse(stdout) as { passed: boolean; expectations: readonly unknown[] };
  assert.ok(result.passed && result.expectations.length > 15, stdout);
});
