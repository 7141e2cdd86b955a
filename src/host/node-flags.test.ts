import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { nodeFlags } from './node-flags.ts';

test('the launcher starts Node with the same flags', async () => {
  const launcher = await readFile(new URL('../../van', import.meta.url), 'utf8');
  assert.ok(launcher.includes(`exec "$node" ${nodeFlags.join(' ')} "$main" "$@"`));
});
