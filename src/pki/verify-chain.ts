import { parseIdentity } from './identity.ts';
import type { RouterIdentity } from './identity.ts';
import { networkIdOfKey } from './issue-certificate.ts';
import { constantTimeEqual } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { readCertificate } from './read-certificate.ts';
import type { CertificateFacts } from './read-certificate.ts';
import { loadX509 } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';

/**
 * The trust rules of a network, in one place:
 *
 * 1. The chain ends at the network's root, every signature and every validity holds.
 * 2. Every certificate but the first is an issuer, within the path length of all above it.
 * 3. Every delegated issuer is constrained to URI names of this network, and every URI name in the chain is one.
 * 4. The first certificate names exactly one router and is made for the purpose it is used for.
 * 5. A membership that may issue was itself issued with room for one more issuer below.
 *
 * TLS checks 1, 2 and the constraint of 3 by itself; this code is for what arrives outside of a handshake.
 */

/** Longest chain without the root: the certificate itself, a delegated issuer per level of path length, and one to spare. */
export const maxChainLength = 5;

export type ChainPurpose = 'tls' | 'membership' | 'issuer';

type ChainRefusalCode =
  | 'unreadable'
  | 'wrong-issuer'
  | 'expired'
  | 'not-yet-valid'
  | 'not-an-issuer'
  | 'path-length'
  | 'name-constraint'
  | 'wrong-network'
  | 'wrong-purpose'
  | 'no-identity';

export type ChainVerdict =
  | { readonly accepted: true; readonly identity: RouterIdentity; readonly subject: CertificateFacts; readonly issuerPathLength: number }
  | { readonly accepted: false; readonly code: ChainRefusalCode; readonly reason: string };

/**
 * Checks a chain (DER, the subject's certificate first; the root may be left out) against the network's root at a time.
 * Never throws for what the chain holds.
 */
export async function verifyChain(
  crypto: PkiCrypto,
  chain: readonly Uint8Array<ArrayBuffer>[],
  root: Uint8Array<ArrayBuffer>,
  purpose: ChainPurpose,
  wallMs: number,
): Promise<ChainVerdict> {
  const library = await loadX509(crypto);
  const rootFacts = readCertificate(library, root);
  if (typeof rootFacts === 'string') return refuse('unreadable', `the root: ${rootFacts}`);
  const networkId = await networkIdOfKey(crypto, rootFacts.publicKey);

  const path: CertificateFacts[] = [];
  for (const der of chain) {
    if (constantTimeEqual(der, root)) continue;
    if (path.length === maxChainLength) return refuse('unreadable', `the chain has more than ${maxChainLength} certificates`);
    const facts = readCertificate(library, der);
    if (typeof facts === 'string') return refuse('unreadable', facts);
    path.push(facts);
  }
  path.push(rootFacts);

  const refusal = (await checkSignatures(library, path)) ?? checkTimes(path, wallMs) ?? checkIssuers(path, networkId);
  if (refusal !== undefined) return refusal;
  return checkSubject(path, networkId, purpose);
}

type Refusal = Extract<ChainVerdict, { accepted: false }>;

function refuse(code: ChainRefusalCode, reason: string): Refusal {
  return { accepted: false, code, reason };
}

async function checkSignatures(library: X509Library, path: readonly CertificateFacts[]): Promise<Refusal | undefined> {
  for (const [at, facts] of path.entries()) {
    const issuer = path[at + 1] ?? facts;
    const signed = facts.issuer === issuer.subject && (await verifySignature(library, facts, issuer));
    if (!signed) return refuse('wrong-issuer', 'the certificate was not issued in this network');
  }
  return undefined;
}

async function verifySignature(library: X509Library, facts: CertificateFacts, issuer: CertificateFacts): Promise<boolean> {
  try {
    return await facts.certificate.verify(issuer.certificate, library.engine);
  } catch {
    return false;
  }
}

function checkTimes(path: readonly CertificateFacts[], wallMs: number): Refusal | undefined {
  for (const facts of path) {
    if (wallMs > facts.notAfterMs) return refuse('expired', `ended ${ago(wallMs - facts.notAfterMs)} ago`);
    if (wallMs < facts.notBeforeMs) {
      return refuse('not-yet-valid', `begins in ${ago(facts.notBeforeMs - wallMs)}: compare the clocks of the two hosts`);
    }
  }
  return undefined;
}

function checkIssuers(path: readonly CertificateFacts[], networkId: string): Refusal | undefined {
  for (const [at, facts] of path.entries()) {
    const isRoot = at === path.length - 1;
    if (at > 0) {
      if (!facts.isIssuer) return refuse('not-an-issuer', 'a certificate in the chain may not issue others');
      // Issuers below this one, without the first certificate of the chain (RFC 5280 section 4.2.1.9).
      if (at - 1 > facts.pathLength) return refuse('path-length', 'more delegated issuers than the path length allows');
      const hosts = facts.permittedUriHosts;
      if (!isRoot && (hosts?.length !== 1 || hosts[0] !== networkId)) {
        return refuse('name-constraint', 'a delegated issuer is not limited to names of this network');
      }
    }
    if (facts.uris.some((uri) => parseIdentity(uri)?.networkId !== networkId)) {
      return refuse('wrong-network', `a certificate has a name that is not of network ${networkId}`);
    }
  }
  return undefined;
}

function checkSubject(path: readonly CertificateFacts[], networkId: string, purpose: ChainPurpose): ChainVerdict {
  const [subject, issuer] = path;
  if (subject === undefined || issuer === undefined) return refuse('no-identity', 'the chain has no certificate but the root');
  const [uri] = subject.uris;
  const identity = uri === undefined || subject.uris.length !== 1 ? undefined : parseIdentity(uri);
  if (identity === undefined || identity.networkId !== networkId) return refuse('no-identity', 'the certificate does not name one router');

  const isTls = subject.serverAuth && subject.clientAuth && !subject.membership && !subject.isIssuer;
  const isMembership = subject.membership && !subject.serverAuth && !subject.clientAuth && !subject.isIssuer;
  const fits = purpose === 'tls' ? isTls : purpose === 'membership' ? isMembership && subject.rights !== undefined : subject.isIssuer;
  if (!fits) return refuse('wrong-purpose', `the certificate is not made for use as ${purposeNames[purpose]}`);
  if (purpose === 'membership' && subject.rights?.mayIssue === true && subject.rights.pathLength >= issuer.pathLength) {
    return refuse('path-length', 'the membership gives more rights than its issuer has');
  }
  if (purpose === 'issuer' && subject.pathLength >= issuer.pathLength) {
    return refuse('path-length', 'more delegated issuers than the path length allows');
  }
  return { accepted: true, identity, subject, issuerPathLength: issuer.pathLength };
}

const purposeNames: Readonly<Record<ChainPurpose, string>> = { tls: 'a TLS certificate', membership: 'a membership', issuer: 'an issuer' };

/** A time span in the largest unit that says enough: `3 h`. */
function ago(ms: number): string {
  const units: readonly (readonly [number, string])[] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
  ];
  for (const [unitMs, name] of units) if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${name}`;
  return `${Math.ceil(ms / 1000)} s`;
}
