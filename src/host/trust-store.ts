import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { silentAudit } from '../base/audit.ts';
import type { Audit } from '../base/audit.ts';
import { InputError, WeatherError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { AccessToken } from '../pki/access-token.ts';
import { createCertificateRequest } from '../pki/certificate-request.ts';
import { checkAdmission } from '../pki/check-admission.ts';
import type { Grant, GrantOptions, LinkEndpoint, Redemption } from '../pki/grant.ts';
import type { RouterIdentity } from '../pki/identity.ts';
import { clockSkewMs } from '../pki/issue-certificate.ts';
import { generatePrivateKey, importPrivateKey, publicKeyOf } from '../pki/keys.ts';
import type { MembershipRights } from '../pki/membership.ts';
import { decodeOnePem } from '../pki/pem.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { parseHosts } from '../pki/redemption-protocol.ts';
import type { Admission, RedemptionRequest, RenewalRequest } from '../pki/redemption-protocol.ts';
import type { IssuerInChain, VerifiedRevocation } from '../pki/revocation.ts';
import { generateSigningKey, proveSigningKey, signingPublicKey } from '../pki/signing-key.ts';
import { Revocations } from './revocations.ts';
import type { SigningCredentials } from './routing-trust.ts';
import { foundIdentity, membershipFacts, planJoin, renewOwn, withEndpoints } from './site-identity.ts';
import { TrustFolder } from './trust-folder.ts';
import type { StoredIdentity } from './trust-folder.ts';
import { TrustGrants } from './trust-grants.ts';
import { TrustIssuing } from './trust-issuing.ts';
import type { IssuingSite, RedeemResult } from './trust-issuing.ts';
import { issuersAbove } from './trust-revocation.ts';
import type { KnownMember } from './trust-revocation.ts';

export interface TrustStoreOptions {
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: () => number;
  readonly crypto: PkiCrypto;
  readonly log: Logger;
  /** Gets tokens issued, used, refused and revoked, and sites revoked. Nowhere by default. */
  readonly audit?: Audit;
}

/** PEM for a TLS context. `ca` is the network's root alone: nobody else is trusted on a link. */
export interface TlsCredentials {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Keys made for a request that has not been answered yet. They are kept in memory only until the answer is adopted. */
export interface PendingRedemption {
  readonly token: AccessToken;
  readonly request: RedemptionRequest;
  readonly siteKey: string;
  readonly signingKey: string;
  readonly issuerKey: string;
}

/**
 * A site's place in a network: who it is, what it may do, whom it admitted. Everything it answers is on the disk first.
 * Calls may overlap; changes are made one after the other.
 */
export class TrustStore implements AsyncDisposable {
  readonly #folder: TrustFolder;
  readonly #crypto: PkiCrypto;
  readonly #wallMs: () => number;
  readonly #log: Logger;
  readonly #audit: Audit;
  readonly #grants: TrustGrants;
  readonly #issuing: TrustIssuing;
  readonly #listeners: Set<() => void> = new Set<() => void>();
  #identity: StoredIdentity | undefined;
  /** What the present membership says. */
  #rights: MembershipRights | undefined;
  #signs = false;
  #revocations: Revocations | undefined;
  /** The issuers above this site's membership, and above its TLS certificate. */
  #membershipIssuers: readonly IssuerInChain[] = [];
  #leafIssuers: readonly IssuerInChain[] = [];
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(folder: TrustFolder, options: TrustStoreOptions) {
    this.#folder = folder;
    this.#crypto = options.crypto;
    this.#wallMs = options.wallMs;
    this.#log = options.log;
    this.#audit = options.audit ?? silentAudit;
    this.#grants = new TrustGrants(folder, options.wallMs, options.log);
    this.#issuing = new TrustIssuing(this.#issuingSite(options), this.#grants);
  }

  /** Opens the folder, which is made when it is not there. Throws as `TrustFolder.open` does, and InputError `state-damaged`. */
  static async open(path: string, options: TrustStoreOptions): Promise<TrustStore> {
    const folder = await TrustFolder.open(path);
    try {
      const store = new TrustStore(folder, options);
      const identity = await folder.readIdentity();
      if (identity !== undefined) {
        // A site from before signing gets its key now; the next renewal has it certified.
        if (identity.signingKey === undefined) {
          await store.#setIdentity({ ...identity, signingKey: await generateSigningKey(options.crypto) });
        } else await store.#take(identity);
      }
      await store.#grants.load(identity?.networkId);
      return store;
    } catch (error) {
      await folder[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Waits for the change under way and gives the folder back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lastChange.catch(() => undefined);
    this.#listeners.clear();
    await this.#revocations?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }

  /** `none`: in no network. `founder`: holds the root. `member`: was admitted with a token. */
  get state(): 'none' | 'founder' | 'member' {
    return this.#identity?.role ?? 'none';
  }

  get identity(): RouterIdentity | undefined {
    return this.#identity;
  }

  get networkId(): string | undefined {
    return this.#identity?.networkId;
  }

  get siteName(): string | undefined {
    return this.#identity?.siteName;
  }

  get routerId(): string | undefined {
    return this.#identity?.routerId;
  }

  /** Whether this site can issue tokens and renew certificates of others. */
  get mayIssue(): boolean {
    return this.#identity?.role === 'founder' || this.#identity?.issuerCertificate !== undefined;
  }

  /** Revocations of this site's network; undefined in none. */
  get revocations(): Revocations | undefined {
    return this.#revocations;
  }

  /** The revocation that ends this site's membership. */
  get ownRevocation(): VerifiedRevocation | undefined {
    return this.#identity === undefined ? undefined : this.#revocations?.revocationOf(this.#identity.routerId, this.#membershipIssuers);
  }

  /** Where this site keeps what its router counts and knows in this network. */
  get signingFolder(): string | undefined {
    return this.#identity === undefined ? undefined : join(this.#folder.path, 'signing', this.#identity.networkId);
  }

  /** Tokens issued, the used and expired ones included. */
  get grants(): readonly Grant[] {
    return this.#grants.all;
  }

  /** Sites admitted by this one. */
  get members(): readonly Redemption[] {
    return this.#issuing.members;
  }

  /** Issuers that this site knows an address of. */
  get renewAt(): readonly LinkEndpoint[] {
    return this.#identity?.renewAt ?? [];
  }

  tlsCredentials(): TlsCredentials | undefined {
    const identity = this.#identity;
    return identity === undefined ? undefined : { ca: identity.root, cert: identity.certificate, key: identity.siteKey };
  }

  /** Calls back after each change of the TLS credentials, until the returned function is called. */
  onCredentials(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What the membership lets this site do; undefined in no network. */
  get rights(): MembershipRights | undefined {
    return this.#rights;
  }

  /** What routing signs with; undefined while no issuer has certified the key. */
  get signingCredentials(): SigningCredentials | undefined {
    const { root, membership, signingKey } = this.#identity ?? {};
    if (!this.#signs || root === undefined || membership === undefined || signingKey === undefined) return undefined;
    return { ca: root, membership, key: signingKey };
  }

  /** When the TLS certificate ends, ms since 1970. */
  get leafExpiresAtMs(): number | undefined {
    return this.#identity === undefined ? undefined : validity(this.#identity.certificate).endMs;
  }

  /** When to renew: at half of the TLS certificate's life, and at once when the signing key is not certified. */
  get renewalDueAtMs(): number | undefined {
    if (this.#identity === undefined) return undefined;
    // Nobody renews for a site that was revoked.
    if (this.ownRevocation !== undefined) return Infinity;
    // A certificate from an issuer that was revoked is refused everywhere; another issuer gives another one.
    const overdue = !this.#signs || this.#revocations?.revocationOf(this.#identity.routerId, this.#leafIssuers) !== undefined;
    return overdue ? 0 : halfLifeMs(this.#identity.certificate);
  }

  get membershipEndsAtMs(): number | undefined {
    return this.#identity === undefined ? undefined : validity(this.#identity.membership).endMs;
  }

  /** Whether the membership should be made anew by an issuer: past half of its life, or without the signing key. Never for the founder. */
  get membershipNeedsExtension(): boolean {
    return this.#identity?.role === 'member' && (!this.#signs || this.#wallMs() >= halfLifeMs(this.#identity.membership));
  }

  /** Makes a network with this site as its first. Throws InputError `in-network` when it is in one already. */
  async foundNetwork(siteName: string, hosts: readonly string[]): Promise<void> {
    await this.#change(async () => {
      if (this.#identity !== undefined) {
        throw new InputError('in-network', 'site', `already in network ${this.#identity.networkId}`);
      }
      await this.#setIdentity(await foundIdentity(this.#crypto, siteName, parseHosts(hosts), this.#wallMs()));
      this.#log.info('network founded', { network: this.networkId, router: this.routerId });
    });
  }

  /** Names and addresses for the TLS certificate from the next renewal on. */
  async setHosts(hosts: readonly string[]): Promise<void> {
    const checked = parseHosts(hosts);
    await this.#change(async () => {
      const identity = this.#inNetwork();
      if (JSON.stringify(identity.hosts) !== JSON.stringify(checked)) await this.#setIdentity({ ...identity, hosts: checked });
    });
  }

  // What a site does as an issuer is told at `TrustIssuing`.

  issueToken(endpoint: LinkEndpoint, options: GrantOptions & { links?: readonly LinkEndpoint[] }): Promise<AccessToken> {
    return this.#issuing.issueToken(endpoint, options);
  }

  revokeToken(grantId: string): Promise<void> {
    return this.#issuing.revokeToken(grantId);
  }

  revokeSite(name: string, reason: string, seen: readonly KnownMember[]): Promise<VerifiedRevocation> {
    return this.#issuing.revokeSite(name, reason, seen);
  }

  redeem(grantId: string, request: RedemptionRequest, remoteAddress: string): Promise<RedeemResult> {
    return this.#issuing.redeem(grantId, request, remoteAddress);
  }

  renew(request: RenewalRequest, remoteAddress: string): Promise<Admission> {
    return this.#issuing.renew(request, remoteAddress);
  }

  /**
   * The redeemer's first step: decides whether the token can be used here at all, before it is used up, and makes the
   * request. Throws InputError `other-network`, `own-token`, and WeatherError `disk-full`.
   */
  async beginRedemption(token: AccessToken, siteName: string, hosts: readonly string[]): Promise<PendingRedemption> {
    const plan = await this.#planJoin(token);
    await this.#folder.probeWritable();
    const present = plan === 'link' ? this.#inNetwork() : undefined;
    const siteKey = present?.siteKey ?? (await generatePrivateKey(this.#crypto));
    const signingKey = present?.signingKey ?? (await generateSigningKey(this.#crypto));
    const needsOwnKey = present === undefined || present.role === 'founder';
    const issuerKey = needsOwnKey ? await generatePrivateKey(this.#crypto) : present.issuerKey;
    const csr = await createCertificateRequest(this.#crypto, siteKey);
    const request = {
      code: token.code,
      csr,
      ...(await proveSigningKey(this.#crypto, signingKey, csr)),
      issuerCsr: await createCertificateRequest(this.#crypto, issuerKey),
      hosts: parseHosts(hosts),
      siteName,
      ...(present === undefined ? {} : { membership: present.membership }),
    };
    return { token, request, siteKey, signingKey, issuerKey };
  }

  /** The redeemer's second step: checks the answer and keeps it. Throws WeatherError `bad-admission`, `disk-full`. */
  async adopt(pending: PendingRedemption, admission: Admission): Promise<void> {
    await this.#change(async () => {
      const plan = await this.#planJoin(pending.token);
      const present = plan === 'link' ? this.#inNetwork() : undefined;
      const checked = await checkAdmission(
        this.#crypto,
        admission,
        {
          root: decodeOnePem('CERTIFICATE', pending.token.ca, 'ca'),
          publicKey: await this.#publicKey(pending.siteKey),
          issuerPublicKey: await this.#publicKey(pending.issuerKey),
          ...(present === undefined ? {} : { identity: present }),
          needsMembership: present === undefined,
        },
        this.#wallMs(),
      );
      const renewAt = withEndpoints(present?.renewAt ?? [], [pending.token, ...admission.links]);
      if (present?.role === 'founder') {
        // The founder's own certificates come from the root; the token only told where to link to.
        await this.#setIdentity({ ...present, renewAt });
        return;
      }
      const { identity, ...chains } = checked;
      const membership = chains.membership ?? present?.membership;
      if (membership === undefined) return;
      await this.#setIdentity({
        ...(present ?? { ...identity, role: 'member', root: admission.ca, siteKey: pending.siteKey, issuerKey: pending.issuerKey }),
        signingKey: pending.signingKey,
        ...chains,
        membership,
        hosts: pending.request.hosts,
        renewAt,
      });
      if (present === undefined) await this.#grants.forget();
      this.#log.info(present === undefined ? 'network joined' : 'token of the same network redeemed', { network: identity.networkId });
    });
  }

  /** What to send to an issuer to renew. */
  async beginRenewal(): Promise<RenewalRequest> {
    const { membership, siteKey, signingKey, issuerKey, hosts, role } = this.#inNetwork();
    const csr = await createCertificateRequest(this.#crypto, siteKey);
    return {
      membership,
      csr,
      ...(signingKey === undefined ? {} : await proveSigningKey(this.#crypto, signingKey, csr)),
      ...(role === 'founder' ? {} : { issuerCsr: await createCertificateRequest(this.#crypto, issuerKey) }),
      hosts,
    };
  }

  /** Checks an issuer's answer to `beginRenewal` and keeps it. Throws WeatherError `bad-admission`, `disk-full`. */
  async adoptRenewal(admission: Admission): Promise<void> {
    await this.#change(async () => {
      const present = this.#inNetwork();
      const { identity: _same, ...chains } = await checkAdmission(
        this.#crypto,
        admission,
        {
          root: decodeOnePem('CERTIFICATE', present.root, 'root'),
          publicKey: await this.#publicKey(present.siteKey),
          issuerPublicKey: await this.#publicKey(present.issuerKey),
          identity: present,
          needsMembership: false,
        },
        this.#wallMs(),
      );
      await this.#setIdentity({ ...present, ...chains });
    });
  }

  /** Renews with this site's own authority. Throws WeatherError `not-an-issuer`, and `issuer-expired` when that has ended. */
  async renewLocally(): Promise<void> {
    await this.#change(async () => {
      const present = this.#inNetwork();
      await this.#setIdentity(await renewOwn(this.#crypto, present, await this.#issuing.issuer(), this.#wallMs()));
    });
  }

  #issuingSite({ crypto, log, wallMs, audit = silentAudit }: TrustStoreOptions): IssuingSite {
    // Getters of an object literal have a `this` of their own.
    const store = (): TrustStore => this;
    return {
      crypto,
      log,
      audit,
      wallMs,
      identity: () => this.#inNetwork(),
      change: (change) => this.#change(change),
      get revocations() {
        return store().#revocations;
      },
      get ownRevocation() {
        return store().ownRevocation;
      },
      get rights() {
        return store().#rights;
      },
    };
  }

  #inNetwork(): StoredIdentity {
    if (this.#identity !== undefined) return this.#identity;
    throw new WeatherError('no-network', 'this site is in no network', { remedy: 'issue a token here, or redeem one from another site' });
  }

  async #publicKey(privateKeyPem: string): Promise<Uint8Array<ArrayBuffer>> {
    return publicKeyOf(this.#crypto, await importPrivateKey(this.#crypto, privateKeyPem));
  }

  async #planJoin(token: AccessToken): Promise<'join' | 'link'> {
    const ownGrant = this.#grants.get(token.grantId) !== undefined;
    // A site that was revoked is in no network as far as joining goes: it gets another identity.
    const present = this.ownRevocation === undefined ? this.#identity : undefined;
    return planJoin(this.#crypto, present, this.members.length, ownGrant, token);
  }

  async #setIdentity(identity: StoredIdentity): Promise<void> {
    await this.#folder.writeIdentity(identity);
    await this.#take(identity);
    for (const listener of this.#listeners) listener();
  }

  async #openRevocations(identity: StoredIdentity): Promise<void> {
    await this.#revocations?.[Symbol.asyncDispose]();
    const root = decodeOnePem('CERTIFICATE', identity.root, 'root');
    const folder = join(this.#folder.path, 'signing', identity.networkId, 'revocations');
    const revocations = await Revocations.open(folder, { crypto: this.#crypto, root, log: this.#log });
    this.#revocations = revocations;
    revocations.onAdded((added) => {
      for (const { siteName: site, routerId: router, reason, issuerRouterId: by = 'the network root' } of revocations.revocationsOf(
        added,
      )) {
        this.#audit.record({ event: 'siteRevoked', fields: { site, router, reason, by } });
      }
      // A certificate that its issuer's revocation ends is to be replaced at once.
      if (added.length > 0) for (const listener of this.#listeners) listener();
    });
  }

  async #take(identity: StoredIdentity): Promise<void> {
    const rights = membershipFacts(identity)?.rights;
    const { signingKey } = identity;
    const ownKey = signingKey === undefined ? undefined : await signingPublicKey(this.#crypto, signingKey);
    if (this.#identity?.networkId !== identity.networkId) await this.#openRevocations(identity);
    this.#identity = identity;
    this.#membershipIssuers = issuersAbove(identity.membership, identity.root);
    this.#leafIssuers = issuersAbove(identity.certificate, identity.root);
    this.#rights = rights;
    this.#signs = ownKey !== undefined && rights?.signingKey?.toHex() === ownKey.toHex();
  }

  /** Runs one change at a time, in the order of the calls. */
  #change<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change, change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

function validity(chainPem: string): { startMs: number; endMs: number } {
  const first = new X509Certificate(chainPem);
  return { startMs: first.validFromDate.getTime() + clockSkewMs, endMs: first.validToDate.getTime() };
}

function halfLifeMs(chainPem: string): number {
  const { startMs, endMs } = validity(chainPem);
  return startMs + (endMs - startMs) / 2;
}
