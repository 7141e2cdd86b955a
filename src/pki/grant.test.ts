import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMs, testCrypto } from './fixtures.test.ts';
import { createGrant, defaultExpirationWindowMs, hashCode, judgeRedemption, maxRedemptions } from './grant.ts';
import type { GrantOptions } from './grant.ts';

const links = [{ host: 'a.example', port: 55671 }];

test('the code is random, strong, and kept as a hash only', async () => {
  const made = await Promise.all(Array.from({ length: 20 }, () => createGrant(testCrypto, 'n', links, {}, startMs)));
  assert.equal(new Set(made.map(({ code }) => code)).size, 20);
  for (const { code, grant } of made) {
    assert.match(code, /^[\w-]{32}$/);
    assert.ok(!JSON.stringify(grant).includes(code));
    assert.equal(grant.redemptionsAllowed, 1);
    assert.equal(grant.expiresAtMs, startMs + defaultExpirationWindowMs);
  }
});

test('a code is good for its grant, until the end, as often as allowed', async () => {
  const { code, grant } = await createGrant(testCrypto, 'n', links, { redemptions: 2 }, startMs);
  const hash = await hashCode(testCrypto, code);
  const used = { routerId: 'r', siteName: 's', publicKeyHash: '', mayIssue: false, remoteAddress: '', atMs: 0, admitted: true };
  const end = grant.expiresAtMs;
  assert.equal(judgeRedemption(grant, hash, startMs), 'accepted');
  assert.equal(judgeRedemption(grant, hash, end - 1), 'accepted');
  assert.equal(judgeRedemption(grant, hash, end), 'expired');
  assert.equal(judgeRedemption({ ...grant, redemptions: [used] }, hash, startMs), 'accepted');
  assert.equal(judgeRedemption({ ...grant, redemptions: [used, used] }, hash, startMs), 'used-up');
  assert.equal(judgeRedemption(undefined, hash, startMs), 'wrong-code');
  assert.equal(judgeRedemption(grant, await hashCode(testCrypto, `${code} `), startMs), 'wrong-code');
});

test('every changed character of a code is a wrong code', async () => {
  const { code, grant } = await createGrant(testCrypto, 'n', links, {}, startMs);
  for (let at = 0; at < code.length; at++) {
    for (const other of ['A', 'B', '']) {
      const changed = code.slice(0, at) + other + code.slice(at + 1);
      const expected = changed === code ? 'accepted' : 'wrong-code';
      assert.equal(judgeRedemption(grant, await hashCode(testCrypto, changed), startMs), expected);
    }
  }
});

test('options out of range are refused, those at the limit are not', async () => {
  const make = async (options: GrantOptions): Promise<unknown> => createGrant(testCrypto, 'n', links, options, startMs);
  await make({ redemptions: maxRedemptions, pathLength: 3, issuer: true });
  for (const options of [
    { redemptions: 0 },
    { redemptions: maxRedemptions + 1 },
    { redemptions: 1.5 },
    { expirationWindowMs: 0 },
    { pathLength: 4 },
    { linkCost: 0 },
    { leafLifetimeMs: 1000 },
    { membershipLifetimeMs: 60_000 },
  ]) {
    await assert.rejects(make(options), { code: 'out-of-range' }, JSON.stringify(options));
  }
  await assert.rejects(make({ siteName: 'No' }), { code: 'bad-site-name' });
});
