import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as fc from 'fast-check';
import type { Issuer } from './admission.ts';
import { dayMs, delegated, membership, newKey, newNetwork, startMs, testCrypto } from './fixtures.test.ts';
import type { TestNetwork } from './fixtures.test.ts';
import { rootLifetimeMs } from './issue-certificate.ts';
import { createRevocation, maxReasonLength, maxRevocationBytes, verifyRevocation } from './revocation.ts';
import type { VerifiedRevocation } from './revocation.ts';

let network: TestNetwork;
let root: Issuer;
let issuer: Issuer;

before(async () => {
  network = await newNetwork();
  const { networkId, rootAuthority: authority } = network;
  root = { networkId, root: network.root, authority, chain: [], pathLength: Infinity, notAfterMs: startMs + rootLifetimeMs };
  const key = await newKey();
  const certificate = await delegated({ identity: network.identity('issuer'), authority, key });
  issuer = { ...root, authority: { certificate, privateKey: key.key }, chain: [certificate], pathLength: 0 };
});

/** What a statement says, or in `refused` why it does not hold. */
async function verified(
  bytes: Uint8Array,
  rootDer: Uint8Array<ArrayBuffer> = network.root,
): Promise<Partial<VerifiedRevocation> & { refused?: string }> {
  const result = await verifyRevocation(testCrypto, bytes, rootDer);
  return typeof result === 'string' ? { refused: result } : result;
}

function revoke(by: Issuer, reason = 'laptop stolen', wallMs = startMs): Promise<Uint8Array<ArrayBuffer>> {
  return createRevocation(testCrypto, by, { ...network.identity('bad'), publicKeyHash: 'ab'.repeat(32) }, reason, wallMs);
}

test('a statement of the root, and one of a delegated issuer, say who, when, why and by whom', async () => {
  const byRoot = await verified(await revoke(root));
  const { routerId, siteName, reason, revokedAtMs, issuerRouterId } = byRoot;
  assert.deepEqual([routerId, siteName, reason, revokedAtMs, issuerRouterId], ['bad-00000000', 'bad', 'laptop stolen', startMs, undefined]);
  const byIssuer = await verified(await revoke(issuer));
  assert.equal(byIssuer.issuerRouterId, 'issuer-00000000');
  assert.deepEqual(
    byIssuer.issuers?.map((above) => above.routerId),
    ['issuer-00000000', undefined],
  );
  assert.notEqual(byIssuer.issuerKeyHash, byRoot.issuerKeyHash);
});

test('a statement holds for ever, but not one from after the end of its issuer', async () => {
  assert.equal(typeof (await verifyRevocation(testCrypto, await revoke(issuer, '', startMs + 364 * dayMs), network.root)), 'object');
  assert.match((await verified(await revoke(issuer, '', startMs + 366 * dayMs))).refused ?? '', /ended/);
});

test('members, other networks and changed octets revoke nobody', async () => {
  const memberKey = await newKey();
  const certificate = await membership({ identity: network.identity('a'), authority: network.rootAuthority, key: memberKey });
  const member = { ...root, authority: { certificate, privateKey: memberKey.key }, chain: [certificate] };
  assert.match((await verified(await revoke(member))).refused ?? '', /its issuer/);
  const other = await newNetwork();
  assert.match((await verified(await revoke(root), other.root)).refused ?? '', /another network/);
  const pretender = { ...root, authority: other.rootAuthority };
  assert.match((await verified(await revoke(pretender))).refused ?? '', /signature/);

  const statement = await revoke(issuer);
  await fc.assert(
    fc.asyncProperty(fc.nat(statement.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
      const changed = statement.slice();
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.equal(typeof (await verifyRevocation(testCrypto, changed, network.root)), 'string');
    }),
    { numRuns: 60 },
  );
});

test('octets of any kind are read without harm', async () => {
  const statement = await revoke(root);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(statement.length), async (bytes, cut) => {
      assert.equal(typeof (await verifyRevocation(testCrypto, Uint8Array.of(1, ...bytes), network.root)), 'string');
      if (cut < statement.length)
        assert.equal(typeof (await verifyRevocation(testCrypto, statement.slice(0, cut), network.root)), 'string');
    }),
    { numRuns: 100 },
  );
  assert.equal(typeof (await verifyRevocation(testCrypto, new Uint8Array(maxRevocationBytes + 1), network.root)), 'string');
});

test('a reason is one line of bounded length', async () => {
  const longest = '€'.repeat(maxReasonLength);
  assert.equal(typeof (await verifyRevocation(testCrypto, await revoke(root, longest), network.root)), 'object');
  for (const wrong of [`${longest}€`, 'two\nlines', '\ud800']) await assert.rejects(revoke(root, wrong), { code: 'bad-reason' });
});
