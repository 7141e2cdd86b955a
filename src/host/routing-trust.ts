import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AddressGrant } from '../base/address-grant.ts';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { parseIdentity } from '../pki/identity.ts';
import { clockSkewMs } from '../pki/issue-certificate.ts';
import { decodeOnePem, decodePem } from '../pki/pem.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { maxCertificateBytes } from '../pki/read-certificate.ts';
import type { CertificateFacts } from '../pki/read-certificate.ts';
import type { IssuerInChain } from '../pki/revocation.ts';
import { ChainVerifier, maxChainLength } from '../pki/verify-chain.ts';
import { keyIdOctets } from '../routing/signed-record.ts';
import type { Credential, RoutingTrust } from '../routing/trust.ts';
import { writeFailure, writeFileAtomic } from './atomic-file.ts';
import { CountedWarnings } from './counted-warnings.ts';
import type { Revocations } from './revocations.ts';
import { CheckQueue } from './routing-trust-queue.ts';
import type { KnownMember } from './trust-revocation.ts';

/** PEM: the network's root, the membership chain that certifies the key, and the Ed25519 key. */
export interface SigningCredentials {
  readonly ca: string;
  readonly membership: string;
  readonly key: string;
}

export interface SiteRoutingTrustOptions {
  readonly credentials: SigningCredentials;
  /** Holds the epoch: a folder of this router alone. */
  readonly stateFolder: string;
  readonly revocations: Revocations;
  readonly crypto: PkiCrypto;
  readonly random: Random;
  /** Milliseconds since 1970: certificates count by it, nothing else does. */
  readonly wallMs: () => number;
  readonly log: Logger;
}

/** Credentials remembered that were verified: one for each router that routing keeps, and some that were renewed. */
const maxVerified = 20_000;
/** Credentials remembered that are wrong for good, so that the same is not checked again and again. */
const maxWrong = 4096;
/** Checks after which the owner is told at the latest: it judges what waited for them in one turn, which is to stay short. */
const checksPerNews = 16;
/** Octets of a credential: the longest chain, each certificate with its length. */
const maxCredentialBytes = maxChainLength * (2 + maxCertificateBytes);
/** Times of certificates are compared with the wall clock this often, so that also a clock that was set is noticed. */
const expiryPollMs = 30_000;

/** A credential that was verified. Times already have the tolerance for clocks that differ. */
interface Verified {
  readonly credential: Credential;
  /** SHA-256 of the site's SubjectPublicKeyInfo, in hex. */
  readonly publicKeyHash: string;
  readonly issuers: readonly IssuerInChain[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * The trust of one router of a network: signs with the site's Ed25519 key, and judges the credentials of others, which are their
 * memberships: the DER certificates of the chain without the root, each preceded by its length (u16).
 */
export class SiteRoutingTrust implements RoutingTrust, AsyncDisposable {
  readonly nonce: Uint8Array;
  readonly #options: SiteRoutingTrustOptions;
  readonly #warnings: CountedWarnings;
  readonly #verifier: ChainVerifier;
  readonly #key: KeyObject;
  readonly keyId: Uint8Array;
  /** By hash. The least recently asked for goes first. */
  readonly #verified = new Map<string, Verified>();
  /** Hashes. No other time or clock would make these hold. */
  readonly #wrong = new Set<string>();
  /** The same octets are asked for with the same object again and again. */
  readonly #byReference = new WeakMap<Uint8Array, { readonly hash: string }>();
  readonly #queue = new CheckQueue();
  #work: Promise<void> | undefined;
  /** The one that is being checked. */
  #checking: string | undefined;
  #credential: Uint8Array<ArrayBuffer>;
  #epoch: number;
  #held = '';
  #poll: NodeJS.Timeout | undefined;
  /** Told when credentials that were pending are decided, or one begins or ceases to hold by the clock. Of statements `Revocations` tells. */
  changed: (() => void) | undefined;

  private constructor(options: SiteRoutingTrustOptions, epoch: number) {
    const { credentials, random } = options;
    this.#options = options;
    this.#warnings = new CountedWarnings(options.log);
    this.#epoch = epoch;
    this.nonce = new Uint8Array(8);
    random.fill(this.nonce);
    this.#verifier = new ChainVerifier(options.crypto, decodeOnePem('CERTIFICATE', credentials.ca, 'root'));
    this.#key = signingKeyOf(credentials.key);
    this.keyId = keyIdOf(Buffer.from(createPublicKey(this.#key).export({ format: 'jwk' }).x ?? '', 'base64url'));
    this.#credential = encodeCredential(credentials.membership);
  }

  /**
   * Begins a new life of the router: its epoch is on the disk when the promise resolves. Throws WeatherError `disk-full`,
   * `state-not-writable`, and InputError `bad-key`, `bad-pem`, `state-damaged`.
   */
  static async open(options: SiteRoutingTrustOptions): Promise<SiteRoutingTrust> {
    const epoch = (await readEpoch(options.stateFolder)) + 1;
    await writeEpoch(options.stateFolder, epoch);
    const trust = new SiteRoutingTrust(options, epoch);
    await trust.#check(trust.#hashOf(trust.#credential), trust.#credential);
    const own = trust.credentialOf(trust.credential);
    if (typeof own === 'string' || !trust.#isOwnKey(own)) {
      options.log.warn('the credential of this router does not hold: others will not believe what it says', {
        reason: typeof own === 'string' ? own : 'it is for another key',
      });
    }
    trust.#held = trust.#holding();
    trust.#poll = setInterval(() => trust.#lookAtClock(), expiryPollMs);
    return trust;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#poll);
    this.changed = undefined;
    this.#queue.clear();
    await this.#work;
    this.#warnings[Symbol.dispose]();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get credential(): Uint8Array {
    return this.#credential;
  }

  get statements(): readonly Uint8Array[] {
    return this.#options.revocations.statements;
  }

  /** The routers whose credentials hold, this one included. */
  get members(): readonly KnownMember[] {
    const members = new Map<string, KnownMember>();
    for (const verified of this.#verified.values()) {
      if (!this.#holds(verified)) continue;
      const { credential, publicKeyHash, issuers } = verified;
      const { routerId, siteName, advertise, consume } = credential;
      members.set(routerId, { routerId, siteName, publicKeyHash, issuers, advertise: advertise.patterns, consume: consume.patterns });
    }
    return [...members.values()];
  }

  /** Takes a renewed membership for the same key. Throws InputError `bad-pem`. */
  renew({ membership }: SigningCredentials): void {
    this.#credential = encodeCredential(membership);
    this.changed?.();
  }

  /** Begins an epoch above `above`, on the disk when the promise resolves. Throws WeatherError `disk-full`, `state-not-writable`. */
  async raiseEpoch(above: number): Promise<number> {
    const epoch = Math.max(this.#epoch, above) + 1;
    await writeEpoch(this.#options.stateFolder, epoch);
    this.#epoch = epoch;
    return epoch;
  }

  sign(bytes: Uint8Array): Uint8Array {
    return sign(null, bytes, this.#key);
  }

  verify(credential: Credential, bytes: Uint8Array, signature: Uint8Array): boolean {
    return verify(null, bytes, credential.key as KeyObject, signature);
  }

  statementOf(bytes: Uint8Array): 'accepted' | 'pending' | 'refused' {
    return this.#options.revocations.verdictOf(bytes);
  }

  credentialOf(bytes: Uint8Array): Credential | 'pending' | 'refused' {
    if (bytes.length > maxCredentialBytes) return 'refused';
    const hash = this.#hashOf(bytes);
    const verified = this.#verified.get(hash);
    if (verified !== undefined) {
      this.#verified.delete(hash);
      this.#verified.set(hash, verified);
      return this.#holds(verified) ? verified.credential : 'refused';
    }
    if (this.#wrong.has(hash)) return 'refused';
    if (hash !== this.#checking && this.#queue.add(hash, bytes)) this.#work ??= this.#checkAll();
    return 'pending';
  }

  #holds({ credential, issuers, notBeforeMs, notAfterMs }: Verified): boolean {
    const wallMs = this.#options.wallMs();
    if (wallMs < notBeforeMs || wallMs > notAfterMs) return false;
    return this.#options.revocations.revocationOfMember(credential.routerId, issuers) === undefined;
  }

  /** One check after the other, each in a turn of its own: however many routers are met at once, others are served in between. */
  async #checkAll(): Promise<void> {
    let untold = 0;
    for (let next = this.#queue.next(); next !== undefined; next = this.#queue.next()) {
      await nextTurn();
      await this.#check(next.hash, next.bytes);
      if (++untold < checksPerNews && this.#queue.size > 0) continue;
      untold = 0;
      this.changed?.();
    }
    this.#work = undefined;
  }

  async #check(hash: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#checking = hash;
    const verified = await this.#verify(bytes);
    this.#checking = undefined;
    if (verified === undefined) this.#wrong.add(hash);
    else this.#verified.set(hash, verified);
    for (const [kept, most] of [[this.#verified, maxVerified] as const, [this.#wrong, maxWrong] as const]) {
      const [oldest] = kept.keys();
      if (kept.size > most && oldest !== undefined) kept.delete(oldest);
    }
  }

  /** Undefined when it is wrong. */
  async #verify(bytes: Uint8Array<ArrayBuffer>): Promise<Verified | undefined> {
    const chain = decodeCredential(bytes);
    if (chain === undefined) return undefined;
    // At a time of its own, so that what is remembered does not depend on when it came; the clock is compared each time.
    const verdict = await this.#verifier.verify(chain, 'membership');
    if (!verdict.accepted) {
      this.#warnings.warn('a credential was refused', verdict.reason);
      return undefined;
    }
    const { identity, subject, rights, issuers } = verdict;
    if (rights?.signingKey === undefined) return undefined;
    this.#queue.trust(bytes);
    const path = [subject, ...issuers];
    return {
      credential: {
        routerId: identity.routerId,
        siteName: identity.siteName,
        advertise: new AddressGrant(rights.advertise),
        consume: new AddressGrant(rights.consume),
        keyId: keyIdOf(rights.signingKey),
        key: publicKeyObject(rights.signingKey),
      },
      publicKeyHash: keyHashOf(subject),
      issuers: issuers.map((facts) => ({ keyHash: keyHashOf(facts), routerId: routerIdOf(facts) })),
      notBeforeMs: Math.max(...path.map((facts) => facts.notBeforeMs)) - clockSkewMs,
      notAfterMs: Math.min(...path.map((facts) => facts.notAfterMs)) + clockSkewMs,
    };
  }

  #isOwnKey(credential: Credential): boolean {
    const probe = new Uint8Array(8);
    return this.verify(credential, probe, this.sign(probe));
  }

  #lookAtClock(): void {
    const held = this.#holding();
    if (held === this.#held) return;
    this.#held = held;
    this.changed?.();
  }

  /** Which credentials do not hold now, as one text to compare. */
  #holding(): string {
    const held: string[] = [];
    for (const [hash, verified] of this.#verified) if (!this.#holds(verified)) held.push(hash);
    return held.toSorted().join();
  }

  #hashOf(bytes: Uint8Array): string {
    const known = this.#byReference.get(bytes);
    if (known !== undefined) return known.hash;
    const hash = createHash('sha256').update(bytes).digest('base64');
    this.#byReference.set(bytes, { hash });
    return hash;
  }
}

/** A membership chain (PEM) as routing carries it. Throws InputError `bad-pem`. */
export function encodeCredential(membershipPem: string): Uint8Array<ArrayBuffer> {
  const chain = decodePem('CERTIFICATE', membershipPem, 'membership', maxChainLength);
  return Buffer.concat(chain.flatMap((der) => [Uint8Array.of(der.length >> 8, der.length & 0xff), der]));
}

/** The certificates in a credential; undefined when it is not of that form. */
export function decodeCredential(bytes: Uint8Array<ArrayBuffer>): readonly Uint8Array<ArrayBuffer>[] | undefined {
  const chain: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  while (at < bytes.length) {
    const start = at + 2;
    const end = start + (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
    if (end > bytes.length || end === start || chain.length === maxChainLength) return undefined;
    chain.push(bytes.slice(start, end));
    at = end;
  }
  return chain.length === 0 ? undefined : chain;
}

function signingKeyOf(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch (cause) {
    throw new InputError('bad-key', 'signing key', 'cannot be read', { cause });
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new InputError('bad-key', 'signing key', 'not an Ed25519 key');
  return key;
}

/** SHA-256 of the SubjectPublicKeyInfo, in hex. */
function keyHashOf({ publicKey }: CertificateFacts): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/** Names an Ed25519 public key in records: the first octets of the SHA-256 of its 32 octets. */
function keyIdOf(raw: Uint8Array): Uint8Array {
  return createHash('sha256').update(raw).digest().subarray(0, keyIdOctets);
}

/** Undefined for the root. */
function routerIdOf({ uris: [uri, ...others] }: CertificateFacts): string | undefined {
  return uri === undefined || others.length > 0 ? undefined : parseIdentity(uri)?.routerId;
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function publicKeyObject(raw: Uint8Array<ArrayBuffer>): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toBase64({ alphabet: 'base64url', omitPadding: true }) },
    format: 'jwk',
  });
}

function epochFile(folder: string): string {
  return join(folder, 'epoch');
}

async function readEpoch(folder: string): Promise<number> {
  const path = epochFile(folder);
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return 0;
    throw new WeatherError('state-not-readable', `cannot read ${path}: ${code ?? 'unknown'}`, { cause });
  }
  const epoch = Number(content);
  if (/^\d{1,15}\n?$/.test(content) && Number.isSafeInteger(epoch)) return epoch;
  throw new InputError('state-damaged', path, 'this is no number', {
    remedy: 'write a number into it that is larger than any before, such as the seconds since 1970',
  });
}

async function writeEpoch(folder: string, epoch: number): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw writeFailure(folder, cause);
  }
  await writeFileAtomic(epochFile(folder), `${epoch}\n`);
}
