import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinDirectly, newSites } from '../../src/host/trust-fixtures.test.ts';
import type { TrustStore } from '../../src/host/trust-store.ts';

const endpoint = { host: 'issuer.example', port: 45_671 };
const from = '192.0.2.1';

/** An issuer, an honest site and a compromised one with a narrow grant. */
async function members(sites: Awaited<ReturnType<typeof newSites>>): Promise<{ issuer: TrustStore; honest: TrustStore; evil: TrustStore }> {
  const [issuer, honest, evil] = [await sites.open('issuer'), await sites.open('honest'), await sites.open('evil')];
  await issuer.foundNetwork('issuer', []);
  await joinDirectly(issuer, honest, await issuer.issueToken(endpoint, {}), 'honest');
  await joinDirectly(issuer, evil, await issuer.issueToken(endpoint, { advertise: ['evil.*'], consume: ['evil.*'] }), 'evil');
  return { issuer, honest, evil };
}

test("k8: a renewal with another site's membership, key or proof is refused", async () => {
  await using sites = await newSites();
  const { issuer, honest, evil } = await members(sites);
  const [own, stolen] = [await evil.beginRenewal(), await honest.beginRenewal()];
  await assert.rejects(issuer.renew({ ...own, membership: stolen.membership }, from));
  // Its own certificate request with the other's signing key: the proof is over another request.
  const { signingKey, signingProof } = stolen;
  assert.ok(signingKey !== undefined && signingProof !== undefined && own.signingProof !== undefined);
  await assert.rejects(issuer.renew({ ...own, signingKey, signingProof }, from));
  await assert.rejects(issuer.renew({ ...own, signingKey, signingProof: own.signingProof }, from));
  // As it should be it is let through, and is the same as before, with the same rights.
  const admission = await issuer.renew(own, from);
  assert.deepEqual([admission.routerId, admission.siteName], [evil.routerId, 'evil']);
  await evil.adoptRenewal(admission);
  assert.deepEqual([evil.rights?.advertise, evil.rights?.mayIssue], [['evil.*'], false]);
});

test("k8: a redemption under another site's name gives another router id, and with another's membership nothing", async () => {
  await using sites = await newSites();
  const { issuer, honest, evil } = await members(sites);
  const newcomer = await sites.open('newcomer');
  const token = await issuer.issueToken(endpoint, {});
  const pending = await newcomer.beginRedemption(token, 'honest', []);
  const result = await issuer.redeem(token.grantId, pending.request, from);
  assert.equal(result.outcome, 'admitted');
  assert.notEqual(result.outcome === 'admitted' && result.admission.routerId, honest.routerId);

  const second = await issuer.issueToken(endpoint, {});
  const { request } = await evil.beginRedemption(second, 'evil', []);
  const { membership } = await honest.beginRenewal();
  const stolen = await issuer.redeem(second.grantId, { ...request, membership }, from).catch(() => ({ outcome: 'refused' }));
  assert.notEqual(stolen.outcome, 'admitted');
});

test('k7: after it was revoked a site is not renewed, and its membership redeems no token', async () => {
  await using sites = await newSites();
  const { issuer, evil } = await members(sites);
  const renewal = await evil.beginRenewal();
  const token = await issuer.issueToken(endpoint, {});
  const { request } = await evil.beginRedemption(token, 'evil', []);
  await issuer.revokeSite('evil', 'stolen', []);
  await assert.rejects(issuer.renew(renewal, from), { code: 'membership-refused' });
  await assert.rejects(issuer.renew(await evil.beginRenewal(), from), { code: 'membership-refused' });
  const result = await issuer.redeem(token.grantId, request, from).catch(() => ({ outcome: 'refused' }));
  assert.notEqual(result.outcome, 'admitted');
});
