import { X509Certificate, createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AddressGrant } from '../base/address-grant.ts';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { clockSkewMs } from '../pki/issue-certificate.ts';
import { decodeOnePem, decodePem } from '../pki/pem.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import type { IssuerInChain } from '../pki/revocation.ts';
import { maxChainLength, verifyChain } from '../pki/verify-chain.ts';
import type { Credential, RoutingTrust } from '../routing/trust.ts';
import { writeFailure, writeFileAtomic } from './atomic-file.ts';
import { issuersOfChain } from './certificate-issuers.ts';
import type { Revocations } from './revocations.ts';
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

/** Credentials judged and remembered: one for each router of a large network, and some that were renewed. */
const maxCredentials = 4096;
/** Certificate chains being checked at a time; those beyond are asked for again. */
const maxPending = 64;
/** Times of certificates are compared with the wall clock this often, so that also a clock that was set is noticed. */
const expiryPollMs = 30_000;

/** What is known of a credential. Times already have the tolerance for clocks that differ. */
type Judgement =
  | { readonly state: 'pending' }
  /** For good: no other time or clock would make it hold. */
  | { readonly state: 'wrong' }
  | {
      readonly state: 'verified';
      readonly credential: Credential;
      /** SHA-256 of the site's SubjectPublicKeyInfo, in hex. */
      readonly publicKeyHash: string;
      readonly issuers: readonly IssuerInChain[];
      readonly notBeforeMs: number;
      readonly notAfterMs: number;
    };

/**
 * The trust of one router of a network: signs with the site's Ed25519 key, and judges the credentials of others, which are their
 * memberships: the DER certificates of the chain without the root, each preceded by its length (u16).
 */
export class SiteRoutingTrust implements RoutingTrust, AsyncDisposable {
  readonly nonce: Uint8Array;
  readonly #options: SiteRoutingTrustOptions;
  readonly #root: Uint8Array<ArrayBuffer>;
  readonly #rootIssuer: readonly IssuerInChain[];
  readonly #key: KeyObject;
  readonly #judged = new Map<string, Judgement>();
  /** The same octets are asked for with the same object again and again. */
  readonly #byReference = new WeakMap<Uint8Array, { readonly hash: string }>();
  readonly #work = new Set<Promise<void>>();
  #credential: Uint8Array<ArrayBuffer>;
  #epoch: number;
  #held = '';
  #poll: NodeJS.Timeout | undefined;
  /** Told when a credential that was pending is decided, or one begins or ceases to hold by the clock. Of statements `Revocations` tells. */
  changed: (() => void) | undefined;

  private constructor(options: SiteRoutingTrustOptions, epoch: number) {
    const { credentials, random } = options;
    this.#options = options;
    this.#epoch = epoch;
    this.nonce = new Uint8Array(8);
    random.fill(this.nonce);
    this.#root = decodeOnePem('CERTIFICATE', credentials.ca, 'root');
    this.#rootIssuer = issuersOfChain([this.#root]);
    this.#key = signingKeyOf(credentials.key);
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
    await trust.#verify(trust.#credential);
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
    await Promise.all(this.#work);
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
    for (const judgement of this.#judged.values()) {
      if (judgement.state !== 'verified' || !this.#holds(judgement)) continue;
      const { credential, publicKeyHash, issuers } = judgement;
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
    const judgement = this.#judged.get(this.#hashOf(bytes));
    if (judgement === undefined) {
      if (this.#work.size < maxPending) {
        const work: Promise<void> = this.#verify(Uint8Array.from(bytes)).finally(() => {
          this.#work.delete(work);
          this.changed?.();
        });
        this.#work.add(work);
      }
      return 'pending';
    }
    if (judgement.state !== 'verified') return judgement.state === 'pending' ? 'pending' : 'refused';
    return this.#holds(judgement) ? judgement.credential : 'refused';
  }

  #holds({ credential, issuers, notBeforeMs, notAfterMs }: Extract<Judgement, { state: 'verified' }>): boolean {
    const wallMs = this.#options.wallMs();
    if (wallMs < notBeforeMs || wallMs > notAfterMs) return false;
    return this.#options.revocations.revocationOfMember(credential.routerId, issuers) === undefined;
  }

  async #verify(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const hash = this.#hashOf(bytes);
    this.#judged.set(hash, { state: 'pending' });
    const judgement = await this.#judge(bytes);
    this.#judged.set(hash, judgement);
    for (const oldest of this.#judged.keys()) {
      if (this.#judged.size <= maxCredentials) break;
      this.#judged.delete(oldest);
    }
  }

  async #judge(bytes: Uint8Array<ArrayBuffer>): Promise<Judgement> {
    const { crypto, log } = this.#options;
    const chain = decodeCredential(bytes);
    if (chain === undefined) return { state: 'wrong' };
    try {
      const certificates = chain.map((der) => new X509Certificate(der));
      const startMs = Math.max(...certificates.map(({ validFromDate }) => validFromDate.getTime()));
      const endMs = Math.min(...certificates.map(({ validToDate }) => validToDate.getTime()));
      // At a time of its own, so that what is remembered does not depend on when it came; the clock is compared each time.
      const verdict = await verifyChain(crypto, chain, this.#root, 'membership', startMs);
      if (!verdict.accepted) {
        log.warn('a credential was refused', { reason: verdict.reason });
        return { state: 'wrong' };
      }
      const { routerId, siteName } = verdict.identity;
      const { rights } = verdict.subject;
      if (rights?.signingKey === undefined) return { state: 'wrong' };
      return {
        state: 'verified',
        credential: {
          routerId,
          siteName,
          advertise: new AddressGrant(rights.advertise),
          consume: new AddressGrant(rights.consume),
          key: publicKeyObject(rights.signingKey),
        },
        publicKeyHash: issuersOfChain(chain.slice(0, 1))[0]?.keyHash ?? '',
        issuers: [...issuersOfChain(chain.slice(1)), ...this.#rootIssuer],
        notBeforeMs: startMs - clockSkewMs,
        notAfterMs: endMs + clockSkewMs,
      };
    } catch (error) {
      log.warn('a credential cannot be read', { reason: String(error) });
      return { state: 'wrong' };
    }
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

  /** Which credentials hold now, as one text to compare. */
  #holding(): string {
    const held: string[] = [];
    for (const [hash, judgement] of this.#judged) if (judgement.state === 'verified' && !this.#holds(judgement)) held.push(hash);
    return held.join();
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
