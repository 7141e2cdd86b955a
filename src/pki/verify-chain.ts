import { parseIdentity } from './identity.ts';
import type { RouterIdentity } from './identity.ts';
import { networkIdOfKey } from './issue-certificate.ts';
import { rightsWithin } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { constantTimeEqual, sha256 } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { readCertificate } from './read-certificate.ts';
import type { CertificateFacts } from './read-certificate.ts';

/**
 * The trust rules of a network, in one place:
 *
 * 1. The chain ends at the network's root, every signature and every validity holds.
 * 2. Every certificate but the first is an issuer, within the path length of all above it.
 * 3. Every delegated issuer is constrained to URI names of this network, and every URI name in the chain is one.
 * 4. The first certificate names exactly one router and is made for the purpose it is used for.
 * 5. A membership that may issue was itself issued with room for one more issuer below.
 * 6. A membership allows no more addresses than each issuer above it.
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
  | {
      readonly accepted: true;
      readonly identity: RouterIdentity;
      readonly subject: CertificateFacts;
      /** The subject's rights, as far as its issuers may give them. */
      readonly rights: MembershipRights | undefined;
      /** The certificates above the subject's, from the nearest to the root. */
      readonly issuers: readonly CertificateFacts[];
      readonly issuerPathLength: number;
    }
  | { readonly accepted: false; readonly code: ChainRefusalCode; readonly reason: string };

/** Issuers that a `ChainVerifier` keeps: those of a large network, and some that were renewed. */
const maxKnownIssuers = 256;

const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** A certificate that may have issued others, with its key in the form that is checked with; undefined when the key is no point of the curve. */
interface IssuingCertificate {
  readonly facts: CertificateFacts;
  /** SHA-256 of the certificate, in hex. */
  readonly hash: string;
  readonly key: CryptoKey | undefined;
}

interface KnownIssuer extends IssuingCertificate {
  /** Hash of the certificate whose key has signed it. */
  readonly signedBy: string;
}

/**
 * Checks chains against one network's root. Reads the root and each issuer once and checks their signatures once, however many
 * chains they are in; whether they may issue and what time it is are looked at for each chain.
 */
export class ChainVerifier {
  readonly #crypto: PkiCrypto;
  readonly #root: Uint8Array<ArrayBuffer>;
  /** By hash. Only who holds an issuer's key can add to it. The least recently used goes first. */
  readonly #issuers = new Map<string, KnownIssuer>();
  #anchor: Promise<Anchor | Refusal> | undefined;

  /** `root`: DER. */
  constructor(crypto: PkiCrypto, root: Uint8Array<ArrayBuffer>) {
    this.#crypto = crypto;
    this.#root = root;
  }

  /**
   * Checks a chain (DER, the subject's certificate first; the root may be left out) at a time; without one, at the first at which all
   * its certificates have begun. Never throws for what the chain holds.
   */
  async verify(chain: readonly Uint8Array<ArrayBuffer>[], purpose: ChainPurpose, wallMs?: number): Promise<ChainVerdict> {
    this.#anchor ??= this.#readRoot();
    const anchor = await this.#anchor;
    if ('accepted' in anchor) return anchor;
    const certificates = chain.filter((der) => !constantTimeEqual(der, this.#root));
    if (certificates.length > maxChainLength) return refuse('unreadable', `the chain has more than ${maxChainLength} certificates`);
    const known = await Promise.all(certificates.slice(1).map(async (der) => this.#recall(der)));
    const path: CertificateFacts[] = [];
    for (const [at, der] of certificates.entries()) {
      const facts = known[at - 1]?.issuer?.facts ?? readCertificate(der);
      if (typeof facts === 'string') return refuse('unreadable', facts);
      path.push(facts);
    }
    path.push(anchor.facts);

    const notIssued = refuse('wrong-issuer', 'the certificate was not issued in this network');
    let above: IssuingCertificate = anchor;
    for (let at = path.length - 2; at > 0; at--) {
      const { hash = '', issuer } = known[at - 1] ?? {};
      const facts = path[at] ?? anchor.facts;
      const next: KnownIssuer | undefined = issuer?.signedBy === above.hash ? issuer : await this.#admit(facts, hash, above);
      if (next === undefined) return notIssued;
      above = next;
    }
    const [subject = anchor.facts] = path;
    if (subject !== anchor.facts && !(await this.#isSignedBy(subject, above))) return notIssued;

    const { networkId } = anchor;
    const refusal = checkTimes(path, wallMs ?? Math.max(...path.map(({ notBeforeMs }) => notBeforeMs))) ?? checkIssuers(path, networkId);
    return refusal ?? checkSubject(path, networkId, purpose);
  }

  async #readRoot(): Promise<Anchor | Refusal> {
    const facts = readCertificate(this.#root);
    if (typeof facts === 'string') return refuse('unreadable', `the root: ${facts}`);
    const hash = (await sha256(this.#crypto, this.#root)).toHex();
    const anchor = { facts, hash, key: await this.#importKey(facts), networkId: await networkIdOfKey(this.#crypto, facts.publicKey) };
    if (await this.#isSignedBy(facts, anchor)) return anchor;
    return refuse('wrong-issuer', 'the root was not signed with its own key');
  }

  async #recall(der: Uint8Array<ArrayBuffer>): Promise<{ readonly hash: string; readonly issuer: KnownIssuer | undefined }> {
    const hash = (await sha256(this.#crypto, der)).toHex();
    const issuer = this.#issuers.get(hash);
    if (issuer !== undefined) {
      this.#issuers.delete(hash);
      this.#issuers.set(hash, issuer);
    }
    return { hash, issuer };
  }

  /** Checks the signature of a certificate that is not known; if it may issue, it is from now on. */
  async #admit(facts: CertificateFacts, hash: string, above: IssuingCertificate): Promise<KnownIssuer | undefined> {
    if (!(await this.#isSignedBy(facts, above))) return undefined;
    const issuer = { facts, hash, key: await this.#importKey(facts), signedBy: above.hash };
    if (!facts.isIssuer) return issuer;
    this.#issuers.set(hash, issuer);
    const [oldest] = this.#issuers.keys();
    if (this.#issuers.size > maxKnownIssuers && oldest !== undefined) this.#issuers.delete(oldest);
    return issuer;
  }

  async #isSignedBy({ issuer, signed, signature }: CertificateFacts, { facts, key }: IssuingCertificate): Promise<boolean> {
    return issuer === facts.subject && key !== undefined && this.#crypto.subtle.verify(signing, key, signature, signed);
  }

  async #importKey({ publicKey }: CertificateFacts): Promise<CryptoKey | undefined> {
    try {
      return await this.#crypto.subtle.importKey('spki', publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    } catch {
      return undefined;
    }
  }
}

interface Anchor extends IssuingCertificate {
  readonly networkId: string;
}

/** Checks one chain; see `ChainVerifier.verify`. */
export async function verifyChain(
  crypto: PkiCrypto,
  chain: readonly Uint8Array<ArrayBuffer>[],
  root: Uint8Array<ArrayBuffer>,
  purpose: ChainPurpose,
  wallMs: number,
): Promise<ChainVerdict> {
  return new ChainVerifier(crypto, root).verify(chain, purpose, wallMs);
}

type Refusal = Extract<ChainVerdict, { accepted: false }>;

function refuse(code: ChainRefusalCode, reason: string): Refusal {
  return { accepted: false, code, reason };
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
  const issuers = path.slice(1);
  const issuerRights = issuers.map((facts) => facts.rights);
  const rights = subject.rights === undefined ? undefined : rightsWithin(subject.rights, issuerRights);
  return { accepted: true, identity, subject, rights, issuers, issuerPathLength: issuer.pathLength };
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
