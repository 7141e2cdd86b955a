import { InputError } from '../base/errors.ts';
import { verifyCertificateRequest } from './certificate-request.ts';
import type { Grant } from './grant.ts';
import { checkSiteName, newRouterId } from './identity.ts';
import type { RouterIdentity } from './identity.ts';
import { clockSkewMs, issueDelegated, issueLeaf, issueMembership } from './issue-certificate.ts';
import type { Authority } from './issue-certificate.ts';
import { everyAddress, isWithin } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { decodePem, encodePemChain } from './pem.ts';
import { constantTimeEqual, sha256 } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { readCertificate } from './read-certificate.ts';
import type { RedemptionRequest, RenewalRequest } from './redemption-protocol.ts';
import { verifySigningKey } from './signing-key.ts';
import { maxChainLength, verifyChain } from './verify-chain.ts';
import type { ChainVerdict } from './verify-chain.ts';

/**
 * The issuer's decisions: who is admitted under which name and with which rights. They come in two steps, so that the
 * owner can use up the token durably in between: `prepare...` checks everything and signs nothing, `issue` signs.
 */

/** A site that may issue: the founder with the root, others with a delegated issuer certificate. */
export interface Issuer {
  readonly networkId: string;
  /** DER of the root. */
  readonly root: Uint8Array<ArrayBuffer>;
  readonly authority: Authority;
  /** Issuing certificates below the root, nearest first. Empty for the founder. */
  readonly chain: readonly Uint8Array<ArrayBuffer>[];
  /** Levels of issuers that it may make. Infinity for the founder. */
  readonly pathLength: number;
  /** When the issuing certificate ends: nothing issued lives longer. */
  readonly notAfterMs: number;
}

/** Everything decided about a request; nothing signed yet. */
export interface PreparedAdmission {
  readonly identity: RouterIdentity;
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly publicKeyHash: string;
  readonly hosts: readonly string[];
  readonly leafLifetimeMs: number;
  /** A new membership; absent when the present one stays. */
  readonly membership?: { readonly rights: MembershipRights; readonly lifetimeMs: number };
  /** A delegated issuer certificate. */
  readonly issuer?: {
    readonly publicKey: Uint8Array<ArrayBuffer>;
    readonly pathLength: number;
    readonly rights: MembershipRights;
    readonly lifetimeMs: number;
  };
  /** False when the site was a member before. */
  readonly admitted: boolean;
}

/** What was signed, as PEM chains without the root. */
export interface IssuedCertificates {
  readonly certificate: string;
  readonly membership?: string;
  readonly issuerCertificate?: string;
}

/**
 * Decides about a redemption whose code was right. Throws InputError (`bad-certificate-request`, `bad-site-name`,
 * `membership-refused`); the token is then not used up.
 */
export async function prepareRedemption(
  crypto: PkiCrypto,
  issuer: Issuer,
  grant: Grant,
  request: RedemptionRequest,
  wallMs: number,
): Promise<PreparedAdmission> {
  const { advertise = everyAddress, consume = everyAddress } = grant;
  const granted = { mayIssue: grant.mayIssue, pathLength: grant.pathLength, leafLifetimeMs: grant.leafLifetimeMs, advertise, consume };
  const { signingKey, ...keys } = await verifyRequests(crypto, request);
  if (request.membership !== undefined) {
    const member = await verifyMembership(crypto, issuer, request.membership, keys.publicKey, wallMs);
    const { rights } = member;
    const promoted = grant.mayIssue && !rights.mayIssue;
    const wider = {
      ...(promoted ? granted : rights),
      advertise: withPatterns(rights.advertise, advertise),
      consume: withPatterns(rights.consume, consume),
    };
    const widened = wider.advertise !== rights.advertise || wider.consume !== rights.consume;
    // What the present membership gives is given anew only by an issuer that may give it.
    const mayGive = (promoted || !rights.mayIssue || rights.pathLength < issuer.pathLength) && mayGiveAddresses(issuer, wider);
    return {
      ...keys,
      identity: member.identity,
      hosts: request.hosts,
      leafLifetimeMs: rights.leafLifetimeMs,
      ...(mayGive && (promoted || widened) ? admit(withKey(wider, signingKey), grant.membershipLifetimeMs, keys.issuerPublicKey) : {}),
      admitted: false,
    };
  }
  const siteName = grant.assignedSiteName ?? request.siteName;
  checkSiteName(siteName, 'siteName');
  return {
    ...keys,
    identity: { networkId: issuer.networkId, siteName, routerId: newRouterId(siteName, crypto.random) },
    hosts: request.hosts,
    leafLifetimeMs: grant.leafLifetimeMs,
    ...admit(withKey(granted, signingKey), grant.membershipLifetimeMs, keys.issuerPublicKey),
    admitted: true,
  };
}

/**
 * Decides about a renewal: the membership must lead to the root and hold now, and the request be signed with its key.
 * A membership past half of its life is made anew, with the same rights and length, by an issuer that may give those
 * rights; so a site that is seen now and then stays, and one that is away for too long does not. So is one that lacks the
 * site's present signing key.
 * Throws InputError `membership-refused` or `bad-certificate-request`.
 */
export async function prepareRenewal(
  crypto: PkiCrypto,
  issuer: Issuer,
  request: RenewalRequest,
  wallMs: number,
): Promise<PreparedAdmission> {
  const { signingKey, ...keys } = await verifyRequests(crypto, request);
  const { identity, rights, notBeforeMs, notAfterMs } = await verifyMembership(crypto, issuer, request.membership, keys.publicKey, wallMs);
  const lifetimeMs = notAfterMs - notBeforeMs - clockSkewMs;
  const mayGive = (!rights.mayIssue || rights.pathLength < issuer.pathLength) && mayGiveAddresses(issuer, rights);
  const newEndMs = Math.min(wallMs + lifetimeMs, issuer.notAfterMs);
  const newKey = signingKey !== undefined && !constantTimeEqual(signingKey, rights.signingKey ?? new Uint8Array(0));
  const extend = mayGive && (newKey || (notAfterMs - wallMs < lifetimeMs / 2 && newEndMs > notAfterMs));
  const remainingMs = (extend ? newEndMs : notAfterMs) - wallMs;
  const delegate = mayGive && rights.mayIssue ? keys.issuerPublicKey : undefined;
  return {
    ...keys,
    identity,
    hosts: request.hosts,
    leafLifetimeMs: Math.min(rights.leafLifetimeMs, remainingMs),
    ...(extend ? { membership: { rights: withKey(rights, signingKey), lifetimeMs } } : {}),
    ...(delegate === undefined ? {} : { issuer: { publicKey: delegate, pathLength: rights.pathLength, rights, lifetimeMs: remainingMs } }),
    admitted: false,
  };
}

/** Signs what was decided. */
export async function issue(crypto: PkiCrypto, issuer: Issuer, prepared: PreparedAdmission, wallMs: number): Promise<IssuedCertificates> {
  const { authority, chain } = issuer;
  const { identity, publicKey, hosts, membership } = prepared;
  const leaf = await issueLeaf(crypto, authority, { publicKey, identity, hosts, wallMs, lifetimeMs: prepared.leafLifetimeMs });
  const issued: { -readonly [K in keyof IssuedCertificates]: IssuedCertificates[K] } = { certificate: encodePemChain([leaf, ...chain]) };
  if (membership !== undefined) {
    const der = await issueMembership(crypto, authority, { publicKey, identity, wallMs, ...membership });
    issued.membership = encodePemChain([der, ...chain]);
  }
  if (prepared.issuer !== undefined) {
    const der = await issueDelegated(crypto, authority, { identity, wallMs, ...prepared.issuer });
    issued.issuerCertificate = encodePemChain([der, ...chain]);
  }
  return issued;
}

/** The key that the request proves takes the place of the one registered. */
function withKey(rights: MembershipRights, signingKey: Uint8Array<ArrayBuffer> | undefined): MembershipRights {
  return signingKey === undefined ? rights : { ...rights, signingKey };
}

/** Below this issuer, a membership would allow what its certificates allow and no more. */
function mayGiveAddresses({ authority, chain }: Issuer, rights: MembershipRights): boolean {
  const certificates = [authority.certificate, ...chain].map(readCertificate);
  return isWithin(
    rights,
    certificates.map((facts) => (typeof facts === 'string' ? undefined : facts.rights)),
  );
}

/** Both lists as one; `present` itself when `added` says nothing new. */
function withPatterns(present: readonly string[], added: readonly string[]): readonly string[] {
  if (present.includes('*') || added.every((pattern) => present.includes(pattern))) return present;
  return added.includes('*') ? everyAddress : [...new Set([...present, ...added])];
}

function admit(
  rights: MembershipRights,
  lifetimeMs: number,
  issuerPublicKey: Uint8Array<ArrayBuffer> | undefined,
): Pick<PreparedAdmission, 'membership' | 'issuer'> {
  const membership = { rights, lifetimeMs };
  if (!rights.mayIssue || issuerPublicKey === undefined) return { membership };
  return { membership, issuer: { publicKey: issuerPublicKey, pathLength: rights.pathLength, rights, lifetimeMs } };
}

interface RequestedKeys {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly publicKeyHash: string;
  readonly issuerPublicKey?: Uint8Array<ArrayBuffer>;
  readonly signingKey?: Uint8Array<ArrayBuffer>;
}

async function verifyRequests(crypto: PkiCrypto, request: Omit<RenewalRequest, 'membership' | 'hosts'>): Promise<RequestedKeys> {
  const publicKey = await verifyCertificateRequest(crypto, request.csr, 'csr');
  const publicKeyHash = (await sha256(crypto, publicKey)).toHex();
  const signingKey = await verifySigningKey(crypto, request);
  const keys = { publicKey, publicKeyHash, ...(signingKey === undefined ? {} : { signingKey }) };
  if (request.issuerCsr === undefined) return keys;
  const issuerPublicKey = await verifyCertificateRequest(crypto, request.issuerCsr, 'issuerCsr');
  if (constantTimeEqual(issuerPublicKey, publicKey)) {
    throw new InputError('bad-certificate-request', 'issuerCsr', 'an issuer needs a key of its own, not that of its TLS certificate');
  }
  return { ...keys, issuerPublicKey };
}

interface VerifiedMembership {
  readonly identity: RouterIdentity;
  readonly rights: MembershipRights;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

async function verifyMembership(
  crypto: PkiCrypto,
  issuer: Issuer,
  membership: string,
  publicKey: Uint8Array,
  wallMs: number,
): Promise<VerifiedMembership> {
  const chain = decodePem('CERTIFICATE', membership, 'membership', maxChainLength + 1);
  const verdict = await verifyChain(crypto, chain, issuer.root, 'membership', wallMs);
  if (!verdict.accepted) throw membershipRefused(verdict);
  // What an issuer was not allowed to give is not given anew.
  const { subject, identity, rights } = verdict;
  if (rights === undefined || !constantTimeEqual(subject.publicKey, publicKey)) {
    throw new InputError('membership-refused', 'csr', 'not signed with the registered key of the site');
  }
  return { identity, rights, notBeforeMs: subject.notBeforeMs, notAfterMs: subject.notAfterMs };
}

function membershipRefused(verdict: Extract<ChainVerdict, { accepted: false }>): InputError {
  return new InputError('membership-refused', 'membership', verdict.reason, {
    remedy:
      verdict.code === 'expired' ? 'the membership has ended: redeem a new token' : 'redeem a token of the network that is to be joined',
  });
}
