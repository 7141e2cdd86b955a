import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WeatherError } from '../base/errors.ts';
import { loadTlsProfile } from './tls-profiles.ts';

test('errors name the profile, the attribute and the file, and say what to do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tls-profile-'));
  try {
    const garbage = join(folder, 'garbage.pem');
    await writeFile(garbage, 'not PEM');
    for (const [attributes, pattern] of [
      [{ caCertFile: join(folder, 'none.pem') }, /sslProfile 'p': caCertFile '.*none\.pem' cannot be read: ENOENT/],
      [{ certFile: folder }, /certFile '.*' cannot be read: EISDIR/],
      [{ privateKeyFile: join(folder, 'key.pem') }, /privateKeyFile '.*key\.pem' cannot be read/],
      [{ certFile: garbage, privateKeyFile: garbage }, /sslProfile 'p' has unusable certificates/],
    ] as const) {
      await assert.rejects(loadTlsProfile({ type: 'sslProfile', name: 'p', ...attributes }), (error) => {
        assert.ok(error instanceof WeatherError);
        assert.equal(error.code, 'tls-profile');
        assert.match(error.message, pattern);
        assert.ok(error.remedy !== undefined);
        return true;
      });
    }
    const { options } = await loadTlsProfile({ type: 'sslProfile', name: 'empty' });
    assert.deepEqual(options, { minVersion: 'TLSv1.3' });
  } finally {
    await rm(folder, { recursive: true });
  }
});
