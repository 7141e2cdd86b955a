import { InputError } from '../base/errors.ts';
import type { Issuer } from './admission.ts';
import { isSiteName, parseIdentity } from './identity.ts';
import type { RouterIdentity } from './identity.ts';
import { networkIdOfKey } from './issue-certificate.ts';
import { randomBytes, sha256 } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { readCertificate } from './read-certificate.ts';
import type { CertificateFacts } from './read-certificate.ts';
import { maxChainLength, verifyChain } from './verify-chain.ts';

/**
 * A statement that a router does not belong to the network any more, signed by an issuer. Every router passes it on and keeps it
 * for ever. Its octets:
 *
 *     u8   version, 1
 *     u16  length of the body     body: JSON of `Revocation`, UTF-8
 *     64   signature over all before, ECDSA P-256 with SHA-256, r and s
 *     u8   number of certificates, then each as u16 length and DER: the issuer's own and those above it; none for the root
 *
 * The root may revoke anyone. A delegated issuer may revoke those whose membership leads through it, which shows only when a
 * membership is looked at: until then its statement says nothing about others of that name. A revoked issuer takes everyone with
 * it whose membership leads through it, and its own statements with them.
 *
 * Validity is judged at the time that the statement names, so that it holds when its issuer's certificate has long ended, and
 * all routers come to the same result whatever their clocks say.
 */
export interface Revocation {
  readonly network: string;
  readonly routerId: string;
  readonly siteName: string;
  /** SHA-256 of the site's SubjectPublicKeyInfo in hex; empty when its issuer does not know it. */
  readonly publicKeyHash: string;
  readonly revokedAtMs: number;
  readonly reason: string;
  /** 16 random octets in hex. */
  readonly serial: string;
}

/** A statement whose signature and chain hold. */
export interface VerifiedRevocation extends Revocation {
  /** Router id of the delegated issuer; undefined for the root. */
  readonly issuerRouterId: string | undefined;
  /** SHA-256 of the signing key's SubjectPublicKeyInfo, in hex. */
  readonly issuerKeyHash: string;
  /** All issuers from the one that signed to the root, for judging whether one of them has been revoked. */
  readonly issuers: readonly IssuerInChain[];
}

/** A certificate above a membership, as revocation looks at it. */
export interface IssuerInChain {
  readonly keyHash: string;
  /** Undefined for the root. */
  readonly routerId: string | undefined;
}

/** Largest statement: a body of at most 1 KiB and the longest chain of issuers, which have 1.7 KiB each with the longest lists of addresses. */
export const maxRevocationBytes: number = 10 * 1024;
/** Characters of a reason. It is shown to the revoked site and kept by every router. */
export const maxReasonLength = 200;
/** Control characters, and halves of surrogate pairs, which JSON would write in six characters. */
const unprintable = /[\p{Cc}\p{Cs}]/u;
const maxBodyBytes = 1024;
const statementVersion = 1;
const signatureLength = 64;
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** Makes a statement with an issuer's authority. Throws InputError `bad-reason`. */
export async function createRevocation(
  crypto: PkiCrypto,
  issuer: Issuer,
  revoked: RouterIdentity & { readonly publicKeyHash: string },
  reason: string,
  wallMs: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (reason.length > maxReasonLength || unprintable.test(reason)) {
    throw new InputError('bad-reason', '--reason', `not a text of at most ${maxReasonLength} characters on one line`);
  }
  const revocation: Revocation = {
    network: issuer.networkId,
    routerId: revoked.routerId,
    siteName: revoked.siteName,
    publicKeyHash: revoked.publicKeyHash,
    revokedAtMs: wallMs,
    reason,
    serial: randomBytes(crypto, 16).toHex(),
  };
  const body = new TextEncoder().encode(JSON.stringify(revocation));
  const signed = joined([Uint8Array.of(statementVersion), u16(body.length), body]);
  const signature = new Uint8Array(await crypto.subtle.sign(signing, issuer.authority.privateKey, signed));
  const chain = issuer.chain.flatMap((der) => [u16(der.length), der]);
  return joined([signed, signature, Uint8Array.of(issuer.chain.length), ...chain]);
}

/** Checks a statement against the network's root. A text is the reason why it does not hold. Never throws for what it contains. */
export async function verifyRevocation(
  crypto: PkiCrypto,
  bytes: Uint8Array,
  root: Uint8Array<ArrayBuffer>,
): Promise<VerifiedRevocation | string> {
  const parsed = parseRevocation(bytes);
  if (typeof parsed === 'string') return parsed;
  const { revocation, signed, signature, chain } = parsed;
  const rootFacts = readCertificate(root);
  if (typeof rootFacts === 'string') return rootFacts;
  if (revocation.network !== (await networkIdOfKey(crypto, rootFacts.publicKey))) return 'it is of another network';
  let signer: CertificateFacts = rootFacts;
  if (chain.length > 0) {
    const verdict = await verifyChain(crypto, chain, root, 'issuer', revocation.revokedAtMs);
    if (!verdict.accepted) return `its issuer: ${verdict.reason}`;
    signer = verdict.subject;
  }
  const key = await crypto.subtle.importKey('spki', signer.publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
  if (!(await crypto.subtle.verify(signing, key, signature, signed))) return 'its signature does not hold';
  const issuers = await issuersOf(crypto, [...chain, root]);
  return { ...revocation, issuerRouterId: issuers[0]?.routerId, issuerKeyHash: issuers[0]?.keyHash ?? '', issuers };
}

/** The issuers in a chain of certificates (DER, from the lowest), as revocation looks at them. Nothing is verified here. */
export async function issuersOf(crypto: PkiCrypto, chain: readonly Uint8Array<ArrayBuffer>[]): Promise<readonly IssuerInChain[]> {
  const issuers: IssuerInChain[] = [];
  for (const der of chain) {
    const facts = readCertificate(der);
    if (typeof facts === 'string') continue;
    const [uri = ''] = facts.uris;
    issuers.push({ keyHash: (await sha256(crypto, facts.publicKey)).toHex(), routerId: parseIdentity(uri)?.routerId });
  }
  return issuers;
}

/** A statement taken apart; nothing in it has been verified. */
export interface ParsedRevocation {
  readonly revocation: Revocation;
  readonly signed: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
  readonly chain: readonly Uint8Array<ArrayBuffer>[];
}

/** Takes a statement apart. A text is the reason why it is none. */
export function parseRevocation(given: Uint8Array): ParsedRevocation | string {
  if (given.length > maxRevocationBytes) return `it is longer than ${maxRevocationBytes} octets`;
  const bytes = Uint8Array.from(given);
  if (bytes[0] !== statementVersion) return 'it is of an unknown version';
  const bodyLength = u16At(bytes, 1);
  const signatureAt = 3 + bodyLength;
  const countAt = signatureAt + signatureLength;
  if (bodyLength > maxBodyBytes || countAt >= bytes.length) return 'it is not whole';
  const revocation = parseBody(bytes.subarray(3, signatureAt));
  if (revocation === undefined) return 'its body cannot be read';
  const count = bytes[countAt] ?? 0;
  if (count > maxChainLength) return 'its chain is too long';
  const chain: Uint8Array<ArrayBuffer>[] = [];
  let at = countAt + 1;
  while (chain.length < count) {
    const end = at + 2 + u16At(bytes, at);
    if (end > bytes.length) return 'it is not whole';
    chain.push(bytes.slice(at + 2, end));
    at = end;
  }
  if (at !== bytes.length) return 'it has more than it should';
  return { revocation, signed: bytes.slice(0, signatureAt), signature: bytes.slice(signatureAt, countAt), chain };
}

function parseBody(bytes: Uint8Array): Revocation | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { network, routerId, siteName, publicKeyHash, revokedAtMs, reason, serial } = value as Record<string, unknown>;
  if (typeof network !== 'string' || typeof routerId !== 'string' || typeof siteName !== 'string' || !isSiteName(siteName))
    return undefined;
  if (parseIdentity(`van://${network}/${siteName}/${routerId}`) === undefined) return undefined;
  if (typeof publicKeyHash !== 'string' || !/^(?:[0-9a-f]{64})?$/.test(publicKeyHash)) return undefined;
  if (typeof serial !== 'string' || !/^[0-9a-f]{32}$/.test(serial)) return undefined;
  if (typeof reason !== 'string' || reason.length > maxReasonLength || unprintable.test(reason)) return undefined;
  if (typeof revokedAtMs !== 'number' || !Number.isSafeInteger(revokedAtMs) || revokedAtMs < 0 || revokedAtMs > maxTimeMs) return undefined;
  return { network, routerId, siteName, publicKeyHash, revokedAtMs, reason, serial };
}

/** The last time that a certificate can name: the end of the year 9999. */
const maxTimeMs = 253_402_300_799_000;

function u16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}

function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
