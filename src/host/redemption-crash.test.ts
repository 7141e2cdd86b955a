import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { testCrypto } from '../pki/fixtures.test.ts';
import { runIssuer } from './redemption-fixtures.test.ts';
import { TrustStore } from './trust-store.ts';

const options = { wallMs: () => Date.now(), crypto: testCrypto, log: silentLogger };

test('an issuer killed between the use and the answer has used the token up and given nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crash-'));
  try {
    const laptop = await TrustStore.open(join(folder, 'laptop'), options);
    for (const killAt of [1, 2]) {
      const path = join(folder, `issuer-${killAt}`);
      const issuer = await TrustStore.open(path, options);
      await issuer.foundNetwork('aws', []);
      const token = await issuer.issueToken({ host: 'x', port: 1 }, {});
      await issuer[Symbol.asyncDispose]();
      const { request } = await laptop.beginRedemption(token, 'laptop', []);

      assert.equal(await runIssuer(path, request, token.grantId, killAt), 'ready ');
      assert.equal(await runIssuer(path, request, token.grantId, 0), 'ready {"outcome":"refused","verdict":"used-up"}');
      await using again = await TrustStore.open(path, options);
      assert.equal(again.members.length, 1);
    }
    await laptop[Symbol.asyncDispose]();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an issuer killed at any moment never answers a token of one use twice', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'crash-'));
  try {
    const path = join(folder, 'issuer');
    const issuer = await TrustStore.open(path, options);
    await issuer.foundNetwork('aws', []);
    const rounds = 6;
    const tokens = [];
    for (let round = 0; round < rounds; round++) tokens.push(await issuer.issueToken({ host: 'x', port: 1 }, {}));
    await issuer[Symbol.asyncDispose]();
    await using laptop = await TrustStore.open(join(folder, 'laptop'), options);
    for (const [round, token] of tokens.entries()) {
      const { request } = await laptop.beginRedemption(token, 'laptop', []);
      const answers = [await runIssuer(path, request, token.grantId, 0, round * 15), await runIssuer(path, request, token.grantId, 0)];
      const admitted = answers.filter((answer) => answer.includes('"admitted"')).length;
      await using again = await TrustStore.open(path, options);
      const uses = again.grants.find((grant) => grant.id === token.grantId)?.redemptions.length;
      assert.ok(admitted <= 1, `${admitted} answers`);
      assert.equal(uses, 1);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
