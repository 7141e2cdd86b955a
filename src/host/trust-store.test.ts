import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { dayMs } from '../pki/fixtures.test.ts';
import { TrustStore } from './trust-store.ts';
import { joinDirectly, newSites } from './trust-fixtures.test.ts';

const run = promisify(execFile);
const endpoint = { host: '192.0.2.10', port: 55671 };

test('a site is in no network until it founds or joins one', async () => {
  await using sites = await newSites();
  const store = await sites.open('a');
  assert.deepEqual([store.state, store.networkId, store.tlsCredentials(), store.renewalDueAtMs], ['none', undefined, undefined, undefined]);
  await assert.rejects(store.issueToken(endpoint, {}), { code: 'no-network' });
  await store.foundNetwork('aws', ['localhost', '127.0.0.1']);
  assert.equal(store.state, 'founder');
  assert.match(store.networkId ?? '', /^[0-9a-f]{16}$/);
  assert.match(store.routerId ?? '', /^aws-[a-z0-9]{8}$/);
  await assert.rejects(store.foundNetwork('aws', []), { code: 'in-network' });
});

test('a member, and a member of a member, with the rights their tokens gave', async () => {
  await using sites = await newSites();
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, { issuer: true }), 'azure');
  await joinDirectly(azure, laptop, await azure.issueToken(endpoint, { linkCost: 5 }), 'laptop');
  assert.deepEqual([azure.state, azure.mayIssue, laptop.state, laptop.mayIssue], ['member', true, 'member', false]);
  assert.equal(laptop.networkId, aws.networkId);
  assert.deepEqual(laptop.renewAt, [endpoint]);
  await assert.rejects(laptop.issueToken(endpoint, {}), { code: 'not-an-issuer' });
  await assert.rejects(azure.issueToken(endpoint, { issuer: true }), { code: 'path-length' });
  assert.deepEqual(
    aws.members.map((member) => [member.siteName, member.mayIssue]),
    [['azure', true]],
  );
  assert.deepEqual(
    azure.members.map((member) => member.routerId),
    [laptop.routerId],
  );

  const before = azure.tlsCredentials()?.cert;
  let changes = 0;
  const stop = azure.onCredentials(() => changes++);
  await azure.renewLocally();
  stop();
  await azure.renewLocally();
  assert.equal(changes, 1);
  assert.notEqual(azure.tlsCredentials()?.cert, before);
});

test('everything is there again after opening, in private files', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', ['localhost']);
  const token = await aws.issueToken(endpoint, { redemptions: 2 });
  await joinDirectly(aws, await sites.open('first'), token, 'first');
  const seen = [aws.identity, aws.tlsCredentials(), aws.grants];
  await assert.rejects(sites.open('aws'), { code: 'state-in-use' });
  await aws[Symbol.asyncDispose]();

  const again = await sites.open('aws');
  assert.deepEqual([again.identity, again.tlsCredentials(), again.grants], seen);
  await joinDirectly(again, await sites.open('second'), token, 'second');
  assert.equal(again.members.length, 2);
  const folder = join(sites.folder, 'aws');
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const name of (await readdir(folder, { recursive: true })).filter((entry) => entry.endsWith('.json'))) {
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
    assert.ok(!(await readFile(join(folder, name), 'utf8')).includes(token.code), name);
  }
});

test('folders of another layout, damaged ones and open ones are refused with a remedy', async () => {
  await using sites = await newSites();
  const folder = join(sites.folder, 'a');
  await (await sites.open('a'))[Symbol.asyncDispose]();
  await writeFile(join(folder, 'version'), '99\n');
  await assert.rejects(sites.open('a'), { code: 'state-version' });
  await writeFile(join(folder, 'version'), '1\n');
  await writeFile(join(folder, 'identity.json'), '{"role":');
  await assert.rejects(sites.open('a'), { code: 'state-damaged' });
  await rm(join(folder, 'identity.json'));
  await writeFile(join(folder, '.writing-1-identity.json'), 'half');
  await (await sites.open('a'))[Symbol.asyncDispose]();
  assert.deepEqual((await readdir(folder)).sort(), ['grants', 'version']);
  await mkdir(join(sites.folder, 'open'), { mode: 0o755 });
  await assert.rejects(sites.open('open'), { code: 'state-not-private' });
});

test('two networks with members do not merge, and the token stays unused', async () => {
  await using sites = await newSites();
  const [aws, gcp, member] = [await sites.open('aws'), await sites.open('gcp'), await sites.open('member')];
  await aws.foundNetwork('aws', []);
  await gcp.foundNetwork('gcp', []);
  await joinDirectly(gcp, member, await gcp.issueToken(endpoint, {}), 'member');
  const token = await aws.issueToken(endpoint, {});
  for (const store of [gcp, member]) {
    await assert.rejects(store.beginRedemption(token, 'x', []), (error: Error & { code: string; remedy: string }) => {
      assert.equal(error.code, 'other-network');
      for (const network of [aws.networkId, gcp.networkId]) assert.ok(error.message.includes(network ?? '?'), error.message);
      return error.remedy.includes('has not been used up');
    });
  }
  assert.equal(aws.grants[0]?.redemptions.length, 0);
  await assert.rejects(aws.beginRedemption(token, 'aws', []), { code: 'own-token' });
});

test('a founder that admitted nobody moves, and its tokens are void', async () => {
  await using sites = await newSites();
  const [aws, azure] = [await sites.open('aws'), await sites.open('azure')];
  await aws.foundNetwork('aws', []);
  await azure.foundNetwork('azure', []);
  await azure.issueToken(endpoint, {});
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, {}), 'azure');
  assert.deepEqual([azure.state, azure.networkId, azure.grants.length], ['member', aws.networkId, 0]);
  await azure[Symbol.asyncDispose]();
  assert.equal((await sites.open('azure')).networkId, aws.networkId);
});

test('a second token of the same network gives a link, no second identity', async () => {
  await using sites = await newSites();
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, { issuer: true }), 'azure');
  await joinDirectly(aws, laptop, await aws.issueToken(endpoint, {}), 'laptop');
  const { routerId } = laptop;
  const other = { host: '192.0.2.11', port: 55671 };
  const token = await azure.issueToken(other, {});
  await joinDirectly(azure, laptop, token, 'another-name');
  assert.equal(laptop.routerId, routerId);
  assert.deepEqual(laptop.renewAt, [other, endpoint]);
  assert.deepEqual(azure.members, []);
  const again = await laptop.beginRedemption(token, 'laptop', []);
  assert.deepEqual(await azure.redeem(token.grantId, again.request, ''), { outcome: 'refused', verdict: 'used-up' });
  await joinDirectly(azure, aws, await azure.issueToken(other, {}), 'aws');
  assert.deepEqual([aws.state, aws.renewAt], ['founder', [other]]);
  await joinDirectly(aws, laptop, await aws.issueToken(endpoint, { issuer: true }), 'laptop');
  assert.deepEqual([laptop.routerId, laptop.mayIssue], [routerId, true]);
});

test('a request that cannot be met does not use the token up', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  const token = await aws.issueToken(endpoint, {});
  const { request } = await laptop.beginRedemption(token, 'laptop', []);
  await assert.rejects(aws.redeem(token.grantId, { ...request, siteName: 'Bad Name' }, ''), { code: 'bad-site-name' });
  await assert.rejects(aws.redeem(token.grantId, { ...request, csr: 'x' }, ''), { code: 'bad-pem' });
  assert.equal((await aws.redeem(token.grantId, request, '')).outcome, 'admitted');
});

test('expired and revoked tokens are refused, also after the clock was set back', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  const token = await aws.issueToken(endpoint, { expirationWindowMs: 60_000 });
  const { request } = await laptop.beginRedemption(token, 'laptop', []);
  sites.offsetMs = 60_000;
  assert.deepEqual(await aws.redeem(token.grantId, request, ''), { outcome: 'refused', verdict: 'expired' });
  const second = await aws.issueToken(endpoint, {});
  await aws.revokeToken(second.grantId);
  assert.deepEqual(await aws.redeem(second.grantId, { ...request, code: second.code }, ''), { outcome: 'refused', verdict: 'expired' });
  sites.offsetMs = 0;
  assert.deepEqual(await aws.redeem(token.grantId, request, ''), { outcome: 'refused', verdict: 'expired' });
});

test('an altered answer is not adopted', async () => {
  await using sites = await newSites();
  const [aws, gcp, laptop] = [await sites.open('aws'), await sites.open('gcp'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await gcp.foundNetwork('gcp', []);
  const token = await aws.issueToken(endpoint, { redemptions: 2 });
  const pending = await laptop.beginRedemption(token, 'laptop', []);
  const result = await aws.redeem(token.grantId, pending.request, '');
  const other = await aws.redeem(token.grantId, (await laptop.beginRedemption(token, 'laptop', [])).request, '');
  assert.ok(result.outcome === 'admitted' && other.outcome === 'admitted');
  const { membership: _none, ...withoutMembership } = result.admission;
  for (const altered of [
    { ...result.admission, ca: gcp.tlsCredentials()?.ca ?? '' },
    { ...result.admission, certificate: other.admission.certificate },
    { ...result.admission, certificate: result.admission.membership ?? '' },
    { ...result.admission, routerId: other.admission.routerId },
    withoutMembership,
  ]) {
    await assert.rejects(laptop.adopt(pending, altered), { code: 'bad-admission' });
    assert.equal(laptop.state, 'none');
  }
  await laptop.adopt(pending, result.admission);
  assert.equal(laptop.routerId, result.admission.routerId);
});

test('away over the weekend: the certificate has ended, the registered key renews it', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, laptop, await aws.issueToken(endpoint, { membershipLifetimeMs: 10 * dayMs }), 'laptop');
  const { routerId } = laptop;
  sites.offsetMs = 3 * dayMs;
  assert.ok((laptop.leafExpiresAtMs ?? 0) < sites.options.wallMs());
  await laptop.adoptRenewal(await aws.renew(await laptop.beginRenewal(), ''));
  assert.ok((laptop.leafExpiresAtMs ?? 0) > sites.options.wallMs());
  assert.equal(laptop.routerId, routerId);
  sites.offsetMs = 11 * dayMs;
  await assert.rejects(aws.renew(await laptop.beginRenewal(), ''), { code: 'membership-refused' });
});

test('after years the founder still issues, and ends with its root', async () => {
  await using sites = await newSites();
  const aws = await sites.open('aws');
  await aws.foundNetwork('aws', []);
  sites.offsetMs = 3 * 365 * dayMs;
  await aws.renewLocally();
  const soonMs = sites.options.wallMs() + dayMs / 2;
  assert.ok((aws.leafExpiresAtMs ?? 0) > soonMs && (aws.membershipEndsAtMs ?? 0) > soonMs);
  sites.offsetMs = 11 * 365 * dayMs;
  await assert.rejects(aws.renewLocally(), { code: 'issuer-expired' });
  await assert.rejects(aws.issueToken(endpoint, {}), { code: 'issuer-expired' });
});

test('on a full disk a token is neither used up nor answered, and works when there is room', async (context) => {
  await using sites = await newSites();
  const disk = join(sites.folder, 'disk');
  await mkdir(disk, { mode: 0o700 });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', disk]);
  } catch {
    context.skip('cannot mount a small tmpfs: not root');
    return;
  }
  try {
    const laptop = await sites.open('laptop');
    await using aws = await TrustStore.open(disk, sites.options);
    await aws.foundNetwork('aws', []);
    const token = await aws.issueToken(endpoint, {});
    const pending = await laptop.beginRedemption(token, 'laptop', []);
    await run('sh', ['-c', `dd if=/dev/zero of=${disk}/filler bs=4k 2>&1 || true`]);
    await assert.rejects(aws.redeem(token.grantId, pending.request, ''), { code: 'disk-full' });
    await assert.rejects(aws.issueToken(endpoint, {}), { code: 'disk-full' });
    await aws[Symbol.asyncDispose]();
    await using again = await TrustStore.open(disk, sites.options);
    assert.deepEqual([again.networkId, again.grants[0]?.redemptions.length], [aws.networkId, 0]);
    const full = await TrustStore.open(join(disk, 'joiner'), sites.options).catch((error: { code: string }) => error);
    assert.equal((full as { code?: string }).code, 'disk-full');
    await rm(join(disk, 'filler'));
    assert.equal((await again.redeem(token.grantId, pending.request, '')).outcome, 'admitted');
  } finally {
    await run('umount', [disk]);
  }
});

test('a site signs with a key of its own that its membership certifies, within the addresses of its token', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, laptop, await aws.issueToken(endpoint, { advertise: ['db.*'], consume: ['web'] }), 'laptop');
  assert.deepEqual([aws.rights?.advertise, laptop.rights?.advertise, laptop.rights?.consume], [['*'], ['db.*'], ['web']]);
  const [ours, theirs] = [aws.signingCredentials, laptop.signingCredentials];
  assert.match(theirs?.key ?? '', /^-----BEGIN PRIVATE KEY-----/);
  assert.notEqual(ours?.key, theirs?.key);
  const before = theirs?.key;
  await laptop[Symbol.asyncDispose]();
  assert.equal((await sites.open('laptop')).signingCredentials?.key, before);
});

test('a site from before signing gets its key at the next start, and signs from the next renewal', async () => {
  await using sites = await newSites();
  const [aws, laptop] = [await sites.open('aws'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, laptop, await aws.issueToken(endpoint, {}), 'laptop');
  for (const store of [aws, laptop]) await store[Symbol.asyncDispose]();
  for (const name of ['aws', 'laptop']) {
    const file = join(sites.folder, name, 'identity.json');
    // As an older version left it: with no key, which also makes the one in the membership foreign.
    const { signingKey: _none, ...old } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    await writeFile(file, JSON.stringify(old));
  }
  const [founder, member] = [await sites.open('aws'), await sites.open('laptop')];
  assert.deepEqual([founder.signingCredentials, founder.renewalDueAtMs], [undefined, 0]);
  await founder.renewLocally();
  assert.notEqual(founder.signingCredentials, undefined);
  assert.deepEqual([member.signingCredentials, member.membershipNeedsExtension], [undefined, true]);
  await member.adoptRenewal(await founder.renew(await member.beginRenewal(), '192.0.2.1'));
  assert.notEqual(member.signingCredentials, undefined);
  assert.deepEqual([member.membershipNeedsExtension, member.renewalDueAtMs !== 0], [false, true]);
});

test('an issuer below the root gives no more addresses than it has', async () => {
  await using sites = await newSites();
  const [aws, azure, laptop] = [await sites.open('aws'), await sites.open('azure'), await sites.open('laptop')];
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, { issuer: true, advertise: ['db.*'] }), 'azure');
  for (const advertise of [['*'], ['db*'], ['db.x', 'web']]) {
    await assert.rejects(azure.issueToken(endpoint, { advertise }), { code: 'not-granted' });
  }
  await joinDirectly(azure, laptop, await azure.issueToken(endpoint, { consume: ['web'] }), 'laptop');
  assert.deepEqual([laptop.rights?.advertise, laptop.rights?.consume], [['db.*'], ['web']]);
});

test('a site is revoked by name or router id, for ever, and with it those that it admitted', async () => {
  await using sites = await newSites();
  const names = ['aws', 'azure', 'laptop', 'spare'] as const;
  const [aws, azure, laptop, spare] = await Promise.all([
    sites.open(names[0]),
    sites.open(names[1]),
    sites.open(names[2]),
    sites.open(names[3]),
  ]);
  await aws.foundNetwork('aws', []);
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, { issuer: true }), 'azure');
  await joinDirectly(azure, laptop, await azure.issueToken(endpoint, {}), 'laptop');
  await joinDirectly(aws, spare, await aws.issueToken(endpoint, { siteName: 'azure' }), 'spare');
  await assert.rejects(aws.revokeSite('azure', '', []), { code: 'ambiguous-site', remedy: new RegExp(azure.routerId ?? '') });
  await assert.rejects(aws.revokeSite('azuer', '', []), { code: 'unknown-site' });
  await assert.rejects(aws.revokeSite('aws', '', []), { code: 'own-site' });
  await assert.rejects(laptop.revokeSite('aws', '', []), { code: 'not-an-issuer' });
  const founder = { routerId: aws.routerId ?? '', siteName: 'aws', publicKeyHash: '', issuers: [] };
  await assert.rejects(azure.revokeSite('aws', '', [founder]), { code: 'not-admitted-here' });

  const revocation = await aws.revokeSite(azure.routerId ?? '', 'sold', []);
  assert.equal(await aws.revokeSite(azure.routerId ?? '', 'again', []), revocation);
  for (const store of [azure, laptop]) {
    await assert.rejects(aws.renew(await store.beginRenewal(), '192.0.2.1'), { code: 'membership-refused' });
  }
  await aws.renew(await spare.beginRenewal(), '192.0.2.1');

  // The revoked issuer that has heard of it admits nobody, and may join again as somebody else.
  const [statement] = aws.revocations?.statements ?? [];
  assert.ok(statement);
  assert.equal(await azure.revocations?.decided(statement), 'accepted');
  await assert.rejects(azure.issueToken(endpoint, {}), { code: 'site-revoked' });
  assert.deepEqual([azure.ownRevocation?.reason, azure.renewalDueAtMs], ['sold', Infinity]);
  const before = azure.routerId;
  await joinDirectly(aws, azure, await aws.issueToken(endpoint, {}), 'azure');
  assert.notEqual(azure.routerId, before);
  assert.equal(azure.ownRevocation, undefined);
  assert.equal(await laptop.revocations?.decided(statement), 'accepted');
  assert.equal(laptop.ownRevocation?.reason, 'sold');
});
