import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { issue, prepareRedemption, prepareRenewal } from './admission.ts';
import type { Issuer } from './admission.ts';
import { createCertificateRequest } from './certificate-request.ts';
import { dayMs, delegated, leaf, membership, newKey, newNetwork, startMs, testCrypto } from './fixtures.test.ts';
import type { TestKey, TestNetwork } from './fixtures.test.ts';
import { createGrant } from './grant.ts';
import type { GrantOptions } from './grant.ts';
import { rootLifetimeMs } from './issue-certificate.ts';
import type { MembershipRights } from './membership.ts';
import { decodePem, encodePemChain } from './pem.ts';
import { readCertificate } from './read-certificate.ts';
import { generateSigningKey, proveSigningKey, signingPublicKey } from './signing-key.ts';
import { verifyChain } from './verify-chain.ts';
import type { ChainPurpose } from './verify-chain.ts';

let network: TestNetwork;
let founder: Issuer;
let key: TestKey;
let csr: string;
let issuerCsr: string;

before(async () => {
  network = await newNetwork();
  const { networkId, root, rootAuthority: authority } = network;
  founder = { networkId, root, authority, chain: [], pathLength: Infinity, notAfterMs: startMs + rootLifetimeMs };
  key = await newKey();
  csr = await createCertificateRequest(testCrypto, key.pem);
  issuerCsr = await createCertificateRequest(testCrypto, (await newKey()).pem);
});

async function redeem(options: GrantOptions, request: object = {}): ReturnType<typeof prepareRedemption> {
  const { grant } = await createGrant(testCrypto, network.networkId, [{ host: 'a', port: 1 }], options, startMs);
  return prepareRedemption(testCrypto, founder, grant, { code: '', csr, issuerCsr, hosts: [], siteName: 'wished', ...request }, startMs);
}

async function delegatedIssuer(pathLength: number, rights: Partial<MembershipRights> = {}): Promise<Issuer> {
  const issuerKey = await newKey();
  const choices = { identity: network.identity('i'), authority: network.rootAuthority, key: issuerKey };
  const certificate = await delegated(choices, pathLength, rights);
  const authority = { certificate, privateKey: issuerKey.key };
  return { ...founder, authority, chain: [certificate], pathLength, notAfterMs: startMs + 365 * dayMs };
}

async function check(pem: string | undefined, purpose: ChainPurpose, wallMs = startMs): Promise<string> {
  const verdict = await verifyChain(testCrypto, decodePem('CERTIFICATE', pem ?? '', purpose, 6), network.root, purpose, wallMs);
  return verdict.accepted ? verdict.identity.siteName : verdict.code;
}

test('the issuer decides name, rights and lifetimes', async () => {
  const plain = await redeem({});
  assert.equal(plain.identity.siteName, 'wished');
  assert.equal(plain.issuer, undefined);
  const named = await redeem({
    siteName: 'given',
    issuer: true,
    pathLength: 1,
    leafLifetimeMs: 3_600_000,
    membershipLifetimeMs: 2 * dayMs,
  });
  assert.equal(named.identity.siteName, 'given');
  assert.match(named.identity.routerId, /^given-[a-z0-9]{8}$/);
  const addresses = { advertise: ['*'], consume: ['*'] };
  assert.deepEqual(named.membership, {
    rights: { mayIssue: true, pathLength: 1, leafLifetimeMs: 3_600_000, ...addresses },
    lifetimeMs: 2 * dayMs,
  });
  assert.equal(named.issuer?.pathLength, 1);

  const issued = await issue(testCrypto, founder, named, startMs);
  assert.equal(await check(issued.certificate, 'tls'), 'given');
  assert.equal(await check(issued.membership, 'membership'), 'given');
  assert.equal(await check(issued.issuerCertificate, 'issuer'), 'given');
  assert.equal(await check(issued.certificate, 'tls', startMs + 3_601_000), 'expired');
  assert.equal(await check(issued.membership, 'membership', startMs + 2 * dayMs + 1000), 'expired');
});

test('bad names and one key for two uses are refused', async () => {
  await assert.rejects(redeem({}, { siteName: 'Not A Name' }), { code: 'bad-site-name' });
  await assert.rejects(redeem({}, { issuerCsr: csr }), { code: 'bad-certificate-request' });
});

test('a member of the network gets no second identity, but may be made an issuer', async () => {
  const present = encodePemChain([await membership({ identity: network.identity('old'), authority: network.rootAuthority, key })]);
  const linked = await redeem({}, { membership: present });
  assert.deepEqual([linked.identity.routerId, linked.admitted, linked.membership], ['old-00000000', false, undefined]);
  const promoted = await redeem({ issuer: true }, { membership: present });
  assert.deepEqual([promoted.identity.routerId, promoted.admitted, promoted.membership?.rights.mayIssue], ['old-00000000', false, true]);
});

test('a site away for a weekend renews with the registered key alone', async () => {
  const identity = network.identity('laptop');
  const chain = encodePemChain([await membership({ identity, authority: network.rootAuthority, key })]);
  const wallMs = startMs + 3 * dayMs;
  const prepared = await prepareRenewal(testCrypto, founder, { membership: chain, csr, hosts: [] }, wallMs);
  assert.deepEqual([prepared.identity, prepared.membership, prepared.issuer], [identity, undefined, undefined]);
  const issued = await issue(testCrypto, founder, prepared, wallMs);
  assert.equal(await check(issued.certificate, 'tls', wallMs + dayMs), 'laptop');

  const other = await createCertificateRequest(testCrypto, (await newKey()).pem);
  await assert.rejects(prepareRenewal(testCrypto, founder, { membership: chain, csr: other, hosts: [] }, wallMs), {
    code: 'membership-refused',
  });
});

test('an ended, foreign, or TLS certificate is no membership', async () => {
  const identity = network.identity('laptop');
  const authority = network.rootAuthority;
  const other = await newNetwork();
  for (const [chain, wallMs] of [
    [await membership({ identity, authority, key, lifetimeMs: dayMs }), startMs + dayMs + 1000],
    [await membership({ identity, authority, key }), startMs - dayMs],
    [await membership({ identity: other.identity('laptop'), authority: other.rootAuthority, key }), startMs],
    [await leaf({ identity, authority, key }), startMs],
  ] as const) {
    const request = { membership: encodePemChain([chain]), csr, hosts: [] };
    await assert.rejects(prepareRenewal(testCrypto, founder, request, wallMs), { code: 'membership-refused' });
  }
});

test('a membership made by one issuer is renewed by another', async () => {
  const [first, second] = await Promise.all([delegatedIssuer(0), delegatedIssuer(0)]);
  const chain = encodePemChain([await membership({ identity: network.identity('a'), authority: first.authority, key }), ...first.chain]);
  const prepared = await prepareRenewal(testCrypto, second, { membership: chain, csr, hosts: [] }, startMs);
  const issued = await issue(testCrypto, second, prepared, startMs);
  assert.equal(await check(issued.certificate, 'tls'), 'a');
});

test('past half of its life a membership is extended, by an issuer that may', async () => {
  const plain = encodePemChain([await membership({ identity: network.identity('a'), authority: network.rootAuthority, key })]);
  const issuing = encodePemChain([await membership({ identity: network.identity('a'), authority: network.rootAuthority, key }, true, 1)]);
  const low = await delegatedIssuer(1);
  const renewAfterDays = async (issuer: Issuer, chain: string, days: number): ReturnType<typeof prepareRenewal> =>
    prepareRenewal(testCrypto, issuer, { membership: chain, csr, issuerCsr, hosts: [] }, startMs + days * dayMs);

  assert.equal((await renewAfterDays(founder, plain, 180)).membership, undefined);
  const extended = await renewAfterDays(founder, plain, 185);
  assert.deepEqual(extended.membership?.lifetimeMs, 365 * dayMs);
  const wallMs = startMs + 185 * dayMs;
  assert.equal(await check((await issue(testCrypto, founder, extended, wallMs)).membership, 'membership', wallMs + 365 * dayMs), 'a');

  const both = await renewAfterDays(founder, issuing, 185);
  assert.deepEqual([both.membership?.rights.mayIssue, both.issuer?.pathLength, both.issuer?.lifetimeMs], [true, 1, 365 * dayMs]);
  const neither = await renewAfterDays(low, issuing, 185);
  assert.deepEqual([neither.membership, neither.issuer], [undefined, undefined]);
});

test('the signing key is certified when the site proves that it has it, and the grant says which addresses', async () => {
  const signingKey = await generateSigningKey(testCrypto);
  const publicKey = await signingPublicKey(testCrypto, signingKey);
  const proof = await proveSigningKey(testCrypto, signingKey, csr);
  const prepared = await redeem({ advertise: ['db', 'db.*'], consume: [] }, proof);
  const issued = await issue(testCrypto, founder, prepared, startMs);
  const [der] = decodePem('CERTIFICATE', issued.membership ?? '', 'membership', 6);
  const facts = readCertificate(der ?? new Uint8Array());
  assert.ok(typeof facts !== 'string');
  assert.deepEqual([facts.rights?.signingKey, facts.rights?.advertise, facts.rights?.consume], [publicKey, ['db', 'db.*'], []]);

  const otherCsr = await createCertificateRequest(testCrypto, (await newKey()).pem);
  const stolen = await proveSigningKey(testCrypto, signingKey, otherCsr);
  for (const wrong of [stolen, { signingKey: proof.signingKey }, { ...proof, signingKey: 'AAAA' }, { ...proof, signingProof: '!' }]) {
    await assert.rejects(redeem({}, wrong), { code: 'bad-certificate-request' });
  }
  await assert.rejects(redeem({ advertise: ['a*b'] }), { code: 'bad-pattern' });
});

test('a renewal certifies a new signing key at once and leaves rights and addresses alone', async () => {
  const signingKey = await generateSigningKey(testCrypto);
  const proof = await proveSigningKey(testCrypto, signingKey, csr);
  const choices = { identity: network.identity('a'), authority: network.rootAuthority, key };
  const renew = async (more: object): ReturnType<typeof prepareRenewal> => {
    const chain = encodePemChain([await membership(choices, false, 0, { advertise: ['db'], ...more })]);
    return prepareRenewal(testCrypto, founder, { membership: chain, csr, hosts: [], ...proof }, startMs + dayMs);
  };
  const publicKey = await signingPublicKey(testCrypto, signingKey);
  const added = await renew({});
  assert.deepEqual(added.membership?.rights.signingKey, publicKey);
  assert.deepEqual(added.membership?.rights.advertise, ['db']);
  assert.equal((await renew({ signingKey: publicKey })).membership, undefined);
});

test('a member that redeems a token with more addresses may use those too, and keeps what it had', async () => {
  const choices = { identity: network.identity('a'), authority: network.rootAuthority, key };
  const present = encodePemChain([await membership(choices, true, 2, { advertise: ['db'], consume: ['*'] })]);
  const redeemed = await redeem({ advertise: ['web'], consume: ['web'] }, { membership: present });
  const { advertise, consume, mayIssue, pathLength } = redeemed.membership?.rights ?? {};
  assert.deepEqual([advertise, consume, mayIssue, pathLength], [['db', 'web'], ['*'], true, 2]);
  assert.equal((await redeem({ advertise: ['db'] }, { membership: present })).membership, undefined);
});

test('a renewed certificate does not outlive the membership', async () => {
  const identity = network.identity('a');
  const issuer = await delegatedIssuer(0);
  const shortLived = { ...issuer, notAfterMs: startMs };
  const chain = encodePemChain([await membership({ identity, authority: network.rootAuthority, key, lifetimeMs: 10 * dayMs })]);
  const prepared = await prepareRenewal(testCrypto, shortLived, { membership: chain, csr, hosts: [] }, startMs + 9.5 * dayMs);
  assert.equal(prepared.leafLifetimeMs, dayMs / 2);
});

test('an issuer has the addresses of its site, and what it gave beyond them is not given anew', async () => {
  const issued = await issue(testCrypto, founder, await redeem({ issuer: true, advertise: ['db.*'] }), startMs);
  const [der] = decodePem('CERTIFICATE', issued.issuerCertificate ?? '', 'issuer', 6);
  const facts = readCertificate(der ?? new Uint8Array());
  assert.ok(typeof facts !== 'string');
  assert.deepEqual([facts.rights?.advertise, facts.rights?.consume, facts.rights?.signingKey], [['db.*'], ['*'], undefined]);
  const unlimited = await issue(testCrypto, founder, await redeem({ issuer: true }), startMs);
  const [plain] = decodePem('CERTIFICATE', unlimited.issuerCertificate ?? '', 'issuer', 6);
  assert.equal((readCertificate(plain ?? new Uint8Array()) as { rights?: unknown }).rights, undefined);

  const hostile = await delegatedIssuer(0, { advertise: ['db.*'] });
  const identity = network.identity('a');
  const wide = encodePemChain([await membership({ identity, authority: hostile.authority, key }), ...hostile.chain]);
  const wallMs = startMs + 185 * dayMs;
  const renewed = await prepareRenewal(testCrypto, founder, { membership: wide, csr, hosts: [] }, wallMs);
  assert.deepEqual(renewed.membership?.rights.advertise, ['db.*']);
});

test('an issuer with fewer addresses than a member has leaves its membership to others', async () => {
  const narrow = { ...(await delegatedIssuer(0, { advertise: ['db.*'] })), notAfterMs: startMs + 730 * dayMs };
  const choices = { identity: network.identity('a'), authority: network.rootAuthority, key };
  const renew = async (rights: Partial<MembershipRights>): ReturnType<typeof prepareRenewal> => {
    const chain = encodePemChain([await membership(choices, false, 0, rights)]);
    return prepareRenewal(testCrypto, narrow, { membership: chain, csr, hosts: [] }, startMs + 185 * dayMs);
  };
  assert.equal((await renew({})).membership, undefined);
  assert.deepEqual((await renew({ advertise: ['db.x'] })).membership?.rights.advertise, ['db.x']);
});
