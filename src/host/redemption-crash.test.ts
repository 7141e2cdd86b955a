import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { testCrypto } from '../pki/fixtures.test.ts';
import { TrustStore } from './trust-store.ts';

/**
 * An issuer in a process of its own that is killed while it redeems: at its n-th signature after the request came in
 * (the cryptography it is given does that), or at a moment that the test chooses.
 */
const issuerProgram = `
  import { TrustStore } from ${JSON.stringify(import.meta.resolve('./trust-store.ts'))};
  import { silentLogger } from ${JSON.stringify(import.meta.resolve('../base/log.ts'))};
  import { systemRandom } from ${JSON.stringify(import.meta.resolve('../pki/fixtures.test.ts'))};
  const [folder, requestText, grantId, killAt] = process.argv.slice(1);
  let signatures = 0;
  const subtle = new Proxy(crypto.subtle, {
    get(target, name) {
      if (name === 'sign' && ++signatures === Number(killAt)) process.kill(process.pid, 'SIGKILL');
      const member = target[name];
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const store = await TrustStore.open(folder, { wallMs: () => Date.now(), log: silentLogger, crypto: { subtle, random: systemRandom } });
  process.stdout.write('ready ');
  const result = await store.redeem(grantId, JSON.parse(requestText), '');
  process.stdout.write(JSON.stringify(result));
  await store[Symbol.asyncDispose]();
`;

const options = { wallMs: () => Date.now(), crypto: testCrypto, log: silentLogger };

async function runIssuer(folder: string, request: object, grantId: string, killAt: number, killAfterMs?: number): Promise<string> {
  const parameters = [folder, JSON.stringify(request), grantId, String(killAt)];
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', issuerProgram, '--', ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    if (output === '' && killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    output += String(chunk);
  });
  await once(child, 'close');
  return output;
}

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
