import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { maxRevocationBytes, verifyRevocation } from '../pki/revocation.ts';
import type { IssuerInChain, VerifiedRevocation } from '../pki/revocation.ts';
import { temporaryMark, writeFailure, writeFileAtomic } from './atomic-file.ts';
import { CountedWarnings } from './counted-warnings.ts';

/** Statements kept. Routing passes on as many. */
const maxRevocations = 1024;
/** Of these by delegated issuers in all, and by each of them: one that turns hostile must not use up the room of the root. */
const maxDelegatedRevocations = 512;
const maxRevocationsPerIssuer = 128;
/** Statements being verified at a time; those beyond are asked for again. */
const maxPending = 64;
/** Refused statements remembered, so that the same is not verified again and again. */
const maxRefused = 1024;
/** A statement that the disk did not take is written again after this time. */
const writeRetryMs = 10_000;

const fileEnding = '.statement';

export interface RevocationsOptions {
  readonly crypto: PkiCrypto;
  /** DER of the network's root. */
  readonly root: Uint8Array<ArrayBuffer>;
  readonly log: Logger;
}

interface Kept {
  readonly bytes: Uint8Array;
  readonly revocation: VerifiedRevocation;
}

/**
 * The revocations of one network that this site knows: on disk, one file each, and never forgotten. A statement holds from the moment
 * it is verified; that the disk is full does not keep it from holding, it is written when there is room.
 */
export class Revocations implements AsyncDisposable {
  readonly #folder: string;
  readonly #options: RevocationsOptions;
  readonly #warnings: CountedWarnings;
  /** By SHA-256 of the statement. */
  readonly #kept = new Map<string, Kept>();
  readonly #byRouter = new Map<string, VerifiedRevocation[]>();
  /** Routers of which a membership was seen that a statement applies to. */
  readonly #proven = new Map<string, VerifiedRevocation>();
  readonly #pending = new Map<string, Promise<void>>();
  readonly #refused = new Set<string>();
  readonly #unwritten = new Map<string, Uint8Array>();
  readonly #listeners = new Set<(added: readonly Uint8Array[]) => void>();
  #retry: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, options: RevocationsOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#warnings = new CountedWarnings(options.log);
  }

  /** Reads and verifies what the folder holds, which is made when it is not there. Throws WeatherError `disk-full`, `state-not-writable`. */
  static async open(folder: string, options: RevocationsOptions): Promise<Revocations> {
    const revocations = new Revocations(folder, options);
    let names: string[];
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      names = await readdir(folder);
    } catch (cause) {
      throw writeFailure(folder, cause);
    }
    for (const name of names) {
      if (!name.endsWith(fileEnding) || name.startsWith(temporaryMark)) continue;
      const bytes = Uint8Array.from(await readFile(join(folder, name)));
      const revocation = bytes.length > maxRevocationBytes ? 'too long' : await verifyRevocation(options.crypto, bytes, options.root);
      if (typeof revocation === 'string') options.log.error('a kept revocation does not hold', { file: name, reason: revocation });
      else revocations.#keep(hashOf(bytes), { bytes, revocation });
    }
    return revocations;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry);
    this.#listeners.clear();
    await Promise.all(this.#pending.values());
    await this.#writing;
    this.#warnings[Symbol.dispose]();
  }

  /** Calls back with statements that have begun to hold, and with none when one was refused, until the returned function is called. */
  onAdded(listener: (added: readonly Uint8Array[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get statements(): readonly Uint8Array[] {
    return [...this.#kept.values()].map(({ bytes }) => bytes);
  }

  get all(): readonly VerifiedRevocation[] {
    return [...this.#kept.values()].map(({ revocation }) => revocation);
  }

  /** The revocations that are kept with these octets. */
  revocationsOf(statements: readonly Uint8Array[]): readonly VerifiedRevocation[] {
    return [...this.#kept.values()].filter(({ bytes }) => statements.includes(bytes)).map(({ revocation }) => revocation);
  }

  /** The octets of a revocation that is kept. */
  statementFor(revocation: VerifiedRevocation): Uint8Array | undefined {
    return [...this.#kept.values()].find((kept) => kept.revocation === revocation)?.bytes;
  }

  /**
   * What is known of a statement. An unknown one is `pending` while it is verified; when it holds, the listeners are told. One that
   * there is no room for is refused.
   */
  verdictOf(bytes: Uint8Array): 'accepted' | 'pending' | 'refused' {
    if (bytes.length > maxRevocationBytes) return 'refused';
    const hash = hashOf(bytes);
    if (this.#kept.has(hash)) return 'accepted';
    if (this.#refused.has(hash)) return 'refused';
    if (!this.#pending.has(hash) && this.#pending.size < maxPending) {
      const copy = Uint8Array.from(bytes);
      this.#pending.set(hash, this.#verify(hash, copy));
    }
    return 'pending';
  }

  /** As `verdictOf`, once it is known. */
  async decided(bytes: Uint8Array): Promise<'accepted' | 'refused'> {
    for (let verdict = this.verdictOf(bytes); ; verdict = this.verdictOf(bytes)) {
      if (verdict !== 'pending') return verdict;
      // Without room for one more, the first that is done makes some.
      await (this.#pending.get(hashOf(bytes)) ?? Promise.race(this.#pending.values()));
    }
  }

  async #verify(hash: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { crypto, root } = this.#options;
    const revocation = await verifyRevocation(crypto, bytes, root);
    this.#pending.delete(hash);
    if (typeof revocation === 'string' || !this.#hasRoomFor(revocation)) {
      const tooMany = (issuer = 'the root'): string => `there are too many of ${issuer}`;
      this.#warnings.warn('a revocation was refused', typeof revocation === 'string' ? revocation : tooMany(revocation.issuerRouterId));
      const [oldest] = this.#refused;
      if (this.#refused.size >= maxRefused && oldest !== undefined) this.#refused.delete(oldest);
      this.#refused.add(hash);
      this.#tell([]);
      return;
    }
    this.#take(hash, { bytes, revocation });
  }

  /** Keeps a statement that this site has made. It is on the disk when the promise resolves. Throws WeatherError `disk-full`, `too-many-revocations`. */
  async add(bytes: Uint8Array<ArrayBuffer>): Promise<VerifiedRevocation> {
    const { crypto, root } = this.#options;
    const revocation = await verifyRevocation(crypto, bytes, root);
    if (typeof revocation === 'string') throw new Error(`bug: a revocation of this site's own does not hold: ${revocation}`);
    if (!this.#hasRoomFor(revocation)) {
      throw new WeatherError('too-many-revocations', 'this network knows as many revocations as routers keep', {
        remedy: 'found a new network, or revoke an issuer with all that it admitted',
      });
    }
    const hash = hashOf(bytes);
    await this.#write(hash, bytes);
    this.#take(hash, { bytes, revocation }, true);
    return revocation;
  }

  #take(hash: string, kept: Kept, written = false): void {
    const { routerId, siteName, reason, issuerRouterId } = kept.revocation;
    this.#options.log.warn('a site was revoked', { router: routerId, site: siteName, reason, by: issuerRouterId ?? 'the root' });
    this.#keep(hash, kept);
    if (!written) this.#writeSoon(hash, kept.bytes);
    this.#tell([kept.bytes]);
  }

  #keep(hash: string, kept: Kept): void {
    this.#kept.set(hash, kept);
    const { routerId } = kept.revocation;
    this.#byRouter.set(routerId, [...(this.#byRouter.get(routerId) ?? []), kept.revocation]);
  }

  #tell(added: readonly Uint8Array[]): void {
    for (const listener of this.#listeners) listener(added);
  }

  #hasRoomFor({ issuerRouterId, issuerKeyHash }: VerifiedRevocation): boolean {
    if (this.#kept.size >= maxRevocations) return false;
    if (issuerRouterId === undefined) return true;
    let delegated = 0;
    let same = 0;
    for (const { revocation } of this.#kept.values()) {
      if (revocation.issuerRouterId !== undefined) delegated++;
      if (revocation.issuerKeyHash === issuerKeyHash) same++;
    }
    return delegated < maxDelegatedRevocations && same < maxRevocationsPerIssuer;
  }

  /**
   * The revocation that ends a certificate: one of its router by an issuer above it, or of an issuer above it. `issuers` are those
   * above the certificate, up to the root.
   */
  revocationOf(routerId: string, issuers: readonly IssuerInChain[]): VerifiedRevocation | undefined {
    const own = this.#byRouter.get(routerId)?.find(({ issuerKeyHash }) => issuers.some(({ keyHash }) => keyHash === issuerKeyHash));
    if (own !== undefined) return own;
    for (const [at, issuer] of issuers.entries()) {
      const above = issuer.routerId === undefined ? undefined : this.revocationOf(issuer.routerId, issuers.slice(at + 1));
      if (above !== undefined) return above;
    }
    return undefined;
  }

  /** As `revocationOf` for a membership. Its router is refused from now on whatever other certificate it shows. */
  revocationOfMember(routerId: string, issuers: readonly IssuerInChain[]): VerifiedRevocation | undefined {
    const found = this.revocationOf(routerId, issuers);
    if (found !== undefined && this.#proven.size < maxProven) this.#proven.set(routerId, found);
    return found;
  }

  /** As `revocationOf` for the TLS certificate of a link's peer. */
  revocationOfPeer(routerId: string, issuers: readonly IssuerInChain[]): VerifiedRevocation | undefined {
    return this.#proven.get(routerId) ?? this.revocationOf(routerId, issuers);
  }

  #writeSoon(hash: string, bytes: Uint8Array): void {
    this.#unwritten.set(hash, bytes);
    this.#writing = this.#writing.then(async () => this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    for (const [hash, bytes] of this.#unwritten) {
      try {
        await this.#write(hash, bytes);
        this.#unwritten.delete(hash);
      } catch (error) {
        this.#options.log.error(
          'a revocation could not be kept on disk; it holds until this process ends and is written when that is possible',
          {
            reason: String(error),
          },
        );
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => {
          this.#writing = this.#writing.then(async () => this.#writeAll());
        }, writeRetryMs);
        return;
      }
    }
  }

  async #write(hash: string, bytes: Uint8Array): Promise<void> {
    await writeFileAtomic(join(this.#folder, `${hash.slice(0, 32)}${fileEnding}`), bytes);
  }
}

/** Routers whose memberships were seen to be revoked: each statement of an issuer may take many with it. */
const maxProven = 4096;

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** For people: who revoked a site, when and why. */
export function describeRevocation({ issuerRouterId, revokedAtMs, reason }: VerifiedRevocation): string {
  const by = issuerRouterId === undefined ? 'the network root' : `issuer ${issuerRouterId}`;
  return `revoked by ${by} at ${new Date(revokedAtMs).toISOString()}${reason === '' ? '' : `: ${reason}`}`;
}
