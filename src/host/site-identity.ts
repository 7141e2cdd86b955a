import { InputError } from '../base/errors.ts';
import type { AccessToken } from '../pki/access-token.ts';
import { issue } from '../pki/admission.ts';
import type { Issuer } from '../pki/admission.ts';
import type { LinkEndpoint } from '../pki/grant.ts';
import { checkSiteName, newRouterId } from '../pki/identity.ts';
import { createRoot, defaultLeafLifetimeMs, defaultMembershipLifetimeMs, networkIdOfKey } from '../pki/issue-certificate.ts';
import { generatePrivateKey, importPrivateKey, publicKeyOf } from '../pki/keys.ts';
import { everyAddress } from '../pki/membership.ts';
import type { MembershipRights } from '../pki/membership.ts';
import { decodeOnePem, decodePem, encodePem } from '../pki/pem.ts';
import { constantTimeEqual } from '../pki/pki-crypto.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { readCertificate } from '../pki/read-certificate.ts';
import type { CertificateFacts } from '../pki/read-certificate.ts';
import { generateSigningKey, signingPublicKey } from '../pki/signing-key.ts';
import { maxChainLength } from '../pki/verify-chain.ts';
import type { StoredIdentity } from './trust-folder.ts';

/** Issuers remembered for renewal. The first that answers is enough. */
const maxRenewalEndpoints = 16;

/** The founder may do everything with the root, so its membership gives no right to issue; to routing it is its credential. */
async function founderRights(crypto: PkiCrypto, signingKey: string): Promise<MembershipRights> {
  return {
    mayIssue: false,
    pathLength: 0,
    leafLifetimeMs: defaultLeafLifetimeMs,
    signingKey: await signingPublicKey(crypto, signingKey),
    advertise: everyAddress,
    consume: everyAddress,
  };
}

/** Makes a root and the first site of its network. */
export async function foundIdentity(
  crypto: PkiCrypto,
  siteName: string,
  hosts: readonly string[],
  wallMs: number,
): Promise<StoredIdentity> {
  checkSiteName(siteName, 'site name');
  const issuerKey = await generatePrivateKey(crypto);
  const rootKey = await importPrivateKey(crypto, issuerKey);
  const root = await createRoot(crypto, rootKey, wallMs);
  const networkId = await networkIdOfKey(crypto, await publicKeyOf(crypto, rootKey));
  const siteKey = await generatePrivateKey(crypto);
  const signingKey = await generateSigningKey(crypto);
  const routerId = newRouterId(siteName, crypto.random);
  const issuer = await issuerFor(crypto, networkId, root, [], issuerKey);
  const issued = await issue(
    crypto,
    issuer,
    {
      identity: { networkId, siteName, routerId },
      publicKey: await publicKeyOf(crypto, await importPrivateKey(crypto, siteKey)),
      publicKeyHash: '',
      hosts,
      leafLifetimeMs: defaultLeafLifetimeMs,
      membership: { rights: await founderRights(crypto, signingKey), lifetimeMs: defaultMembershipLifetimeMs },
      admitted: true,
    },
    wallMs,
  );
  const rootPem = encodePem('CERTIFICATE', root);
  const names = { networkId, siteName, routerId, hosts };
  return { role: 'founder', ...names, root: rootPem, siteKey, signingKey, issuerKey, renewAt: [], membership: '', ...issued };
}

/** This site's authority, or undefined when it may not issue. */
export async function issuerOf(crypto: PkiCrypto, identity: StoredIdentity): Promise<Issuer | undefined> {
  const root = decodeOnePem('CERTIFICATE', identity.root, 'root');
  if (identity.role === 'founder') return issuerFor(crypto, identity.networkId, root, [], identity.issuerKey);
  if (identity.issuerCertificate === undefined) return undefined;
  const chain = decodePem('CERTIFICATE', identity.issuerCertificate, 'issuer certificate', maxChainLength);
  return issuerFor(crypto, identity.networkId, root, chain, identity.issuerKey);
}

/**
 * Issues the site's own certificates anew: the leaf, and for the founder the membership when half of it is over or when it
 * lacks the signing key.
 */
export async function renewOwn(crypto: PkiCrypto, identity: StoredIdentity, issuer: Issuer, wallMs: number): Promise<StoredIdentity> {
  const membership = membershipFacts(identity);
  const leafLifetimeMs = membership?.rights?.leafLifetimeMs ?? defaultLeafLifetimeMs;
  const lifetimeMs = defaultMembershipLifetimeMs;
  const { networkId, siteName, routerId, hosts, siteKey } = identity;
  const signingKey = identity.signingKey ?? (await generateSigningKey(crypto));
  const registered = membership?.rights?.signingKey?.toHex() === (await signingPublicKey(crypto, signingKey)).toHex();
  const half = membership === undefined || membership.notAfterMs - wallMs < lifetimeMs / 2;
  const extend = identity.role === 'founder' && (half || !registered);
  const issued = await issue(
    crypto,
    issuer,
    {
      identity: { networkId, siteName, routerId },
      publicKey: await publicKeyOf(crypto, await importPrivateKey(crypto, siteKey)),
      publicKeyHash: '',
      hosts,
      leafLifetimeMs,
      ...(extend ? { membership: { rights: await founderRights(crypto, signingKey), lifetimeMs } } : {}),
      admitted: false,
    },
    wallMs,
  );
  return { ...identity, signingKey, ...issued };
}

/** What the membership says. Throws InputError `bad-certificate`. */
export function membershipFacts(identity: StoredIdentity): CertificateFacts | undefined {
  const [der] = decodePem('CERTIFICATE', identity.membership, 'membership', maxChainLength + 1);
  return der === undefined ? undefined : factsOf(der, 'membership');
}

/**
 * Whether a token can be used by a site in this state: `join` its network, or only `link` to another site of the network
 * that this site is in already. Throws InputError `other-network` when the site would have to leave a network that has
 * other members, `own-token`, and `bad-token`.
 */
export async function planJoin(
  crypto: PkiCrypto,
  present: StoredIdentity | undefined,
  memberCount: number,
  ownGrant: boolean,
  token: AccessToken,
): Promise<'join' | 'link'> {
  const root = decodeOnePem('CERTIFICATE', token.ca, 'token: spec.ca');
  const { publicKey } = factsOf(root, 'token: spec.ca');
  if (present === undefined) return 'join';
  if (constantTimeEqual(root, decodeOnePem('CERTIFICATE', present.root, 'root'))) {
    if (!ownGrant) return 'link';
    throw new InputError('own-token', 'token', 'this site issued the token itself', { remedy: 'redeem it at the site that is to join' });
  }
  if (present.role === 'founder' && memberCount === 0) return 'join';
  const other = await networkIdOfKey(crypto, publicKey);
  const position = present.role === 'founder' ? `founded, with ${memberCount} admitted` : 'joined';
  throw new InputError(
    'other-network',
    'token',
    `it is for network ${other}, but site "${present.siteName}" is in network ${present.networkId} (${position}); a site is in one network`,
    {
      remedy:
        `to link to another site of network ${present.networkId}, issue a token there; to move to network ${other}, ` +
        'delete this site, create it again and redeem the token then (the token has not been used up)',
    },
  );
}

/** Adds endpoints to those known, each once, the new ones first. */
export function withEndpoints(known: readonly LinkEndpoint[], added: readonly LinkEndpoint[]): readonly LinkEndpoint[] {
  const byName = new Map<string, LinkEndpoint>();
  for (const { host, port } of [...added, ...known]) byName.set(`${host} ${port}`, { host, port });
  return [...byName.values()].slice(0, maxRenewalEndpoints);
}

async function issuerFor(
  crypto: PkiCrypto,
  networkId: string,
  root: Uint8Array<ArrayBuffer>,
  chain: readonly Uint8Array<ArrayBuffer>[],
  key: string,
): Promise<Issuer> {
  const certificate = chain[0] ?? root;
  const { pathLength, notAfterMs } = factsOf(certificate, 'issuer certificate');
  const authority = { certificate, privateKey: await importPrivateKey(crypto, key) };
  return { networkId, root, authority, chain, pathLength, notAfterMs };
}

function factsOf(der: Uint8Array<ArrayBuffer>, where: string): CertificateFacts {
  const facts = readCertificate(der);
  if (typeof facts === 'string') throw new InputError('bad-certificate', where, facts);
  return facts;
}
