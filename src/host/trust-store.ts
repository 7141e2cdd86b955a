import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { silentAudit } from '../base/audit.ts';
import type { Audit } from '../base/audit.ts';
import { InputError, WeatherError, assert } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { AccessToken } from '../pki/access-token.ts';
import { issue, prepareRedemption, prepareRenewal } from '../pki/admission.ts';
import type { Issuer, PreparedAdmission } from '../pki/admission.ts';
import { createCertificateRequest } from '../pki/certificate-request.ts';
import { checkAdmission } from '../pki/check-admission.ts';
import { createGrant, hashCode, judgeRedemption } from '../pki/grant.ts';
import type { Grant, GrantOptions, GrantVerdict, LinkEndpoint, Redemption } from '../pki/grant.ts';
import type { RouterIdentity } from '../pki/identity.ts';
import { clockSkewMs, issuerExpired } from '../pki/issue-certificate.ts';
import { generatePrivateKey, importPrivateKey, publicKeyOf } from '../pki/keys.ts';
import type { MembershipRights } from '../pki/membership.ts';
import { decodeOnePem } from '../pki/pem.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { parseHosts } from '../pki/redemption-protocol.ts';
import type { Admission, RedemptionRequest, RenewalRequest } from '../pki/redemption-protocol.ts';
import { createRevocation } from '../pki/revocation.ts';
import type { IssuerInChain, VerifiedRevocation } from '../pki/revocation.ts';
import { generateSigningKey, proveSigningKey, signingPublicKey } from '../pki/signing-key.ts';
import { issuersOfChain } from './certificate-issuers.ts';
import { Revocations } from './revocations.ts';
import type { SigningCredentials } from './routing-trust.ts';
import { foundIdentity, issuerOf, membershipFacts, planJoin, renewOwn, withEndpoints } from './site-identity.ts';
import { TrustFolder } from './trust-folder.ts';
import type { StoredIdentity } from './trust-folder.ts';
import { TrustGrants } from './trust-grants.ts';
import { issuersAbove, memberToRevoke, ownRevocationError, refuseRevoked } from './trust-revocation.ts';
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

export type RedeemResult =
  | { readonly outcome: 'admitted'; readonly admission: Admission }
  | { readonly outcome: 'refused'; readonly verdict: Exclude<GrantVerdict, 'accepted'> };

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
    return this.grants.flatMap((grant) => grant.redemptions.filter((redemption) => redemption.admitted));
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

  /**
   * Issues a token that leads to `endpoint` and gives redeemers `links` to dial (default: the endpoint itself).
   * The code is in the returned token only. Throws WeatherError `no-network`, `not-an-issuer`, `too-many-tokens`, `disk-full`.
   */
  async issueToken(endpoint: LinkEndpoint, options: GrantOptions & { links?: readonly LinkEndpoint[] }): Promise<AccessToken> {
    return this.#change(async () => {
      const identity = this.#inNetwork();
      const issuer = await this.#issuer();
      if (options.issuer === true && (options.pathLength ?? 0) >= issuer.pathLength) {
        throw new InputError('path-length', '--issuer', 'this site may admit sites, but not sites that admit others', {
          remedy: 'issue the token at the site that founded the network',
        });
      }
      await this.#grants.makeRoom();
      const { code, grant } = await createGrant(this.#crypto, identity.networkId, options.links ?? [endpoint], options, this.#wallMs());
      await this.#grants.add(grant);
      this.#audit.record({
        event: 'tokenIssued',
        fields: {
          token: grant.name,
          uses: grant.redemptionsAllowed,
          issuer: grant.mayIssue,
          advertise: grant.advertise,
          consume: grant.consume,
        },
      });
      this.#log.info('token issued', { token: grant.name, grant: grant.id, uses: grant.redemptionsAllowed, issuer: grant.mayIssue });
      return { name: grant.name, ...endpoint, grantId: grant.id, code, ca: identity.root, linkCost: grant.linkCost };
    });
  }

  /** Makes a token unusable. Its redemptions stay on record. */
  async revokeToken(grantId: string): Promise<void> {
    await this.#change(async () => {
      const grant = this.#grants.get(grantId);
      if (grant === undefined) throw new InputError('unknown-token', 'token', `no token ${grantId}`);
      await this.#grants.end(grant);
      this.#audit.record({ event: 'tokenRevoked', fields: { token: grant.name } });
    });
  }

  /**
   * Revokes a site, by its name or router id. `seen`: members that are known beside those admitted here. It is on the disk when
   * the promise resolves. Throws InputError as `memberToRevoke` does and `bad-reason`, WeatherError `not-an-issuer`, `disk-full`.
   */
  async revokeSite(name: string, reason: string, seen: readonly KnownMember[]): Promise<VerifiedRevocation> {
    return this.#change(async () => {
      const { routerId, siteName, networkId } = this.#inNetwork();
      const issuer = await this.#issuer();
      const revocations = this.#revocations;
      assert(revocations !== undefined, 'a site in a network has its revocations');
      const [{ keyHash: issuerKeyHash } = { keyHash: '' }] = issuersOfChain([issuer.authority.certificate]);
      const member = memberToRevoke(name, [...this.members, ...seen], { routerId, siteName, issuerKeyHash });
      const known = revocations.all.find((other) => other.routerId === member.routerId && other.issuerKeyHash === issuerKeyHash);
      if (known !== undefined) return known;
      const statement = await createRevocation(this.#crypto, issuer, { networkId, ...member }, reason, this.#wallMs());
      const revocation = await revocations.add(statement);
      this.#audit.record({ event: 'siteRevoked', fields: { site: member.siteName, router: member.routerId, reason } });
      return revocation;
    });
  }

  /**
   * The issuer's side of a redemption. A use is on the disk before anything is signed, so a crash at any moment leaves the
   * token either unused or used up, never used twice. Throws InputError for a bad request with the right code (the token
   * stays unused) and WeatherError `disk-full`.
   */
  async redeem(grantId: string, request: RedemptionRequest, remoteAddress: string): Promise<RedeemResult> {
    const codeHash = await hashCode(this.#crypto, request.code);
    const known = this.#grants.get(grantId);
    const verdict = judgeRedemption(known, codeHash, this.#wallMs());
    if (verdict === 'expired' && known?.endedAtMs === undefined) await this.#change(() => this.#grants.endExpired(grantId));
    if (verdict !== 'accepted' || known === undefined) return this.#refuse(grantId, remoteAddress, verdict);
    const issuer = await this.#issuer();
    const prepared = await prepareRedemption(this.#crypto, issuer, known, request, this.#wallMs());
    this.#refuseRevoked(prepared, request.membership);

    return this.#change(async () => {
      const grant = this.#grants.get(grantId);
      const wallMs = this.#wallMs();
      const verdictNow = judgeRedemption(grant, codeHash, wallMs);
      if (verdictNow !== 'accepted' || grant === undefined) return this.#refuse(grantId, remoteAddress, verdictNow);
      await this.#grants.useUp(grant, {
        routerId: prepared.identity.routerId,
        siteName: prepared.identity.siteName,
        publicKeyHash: prepared.publicKeyHash,
        mayIssue: grant.mayIssue,
        remoteAddress,
        atMs: wallMs,
        admitted: prepared.admitted,
      });
      const issued = await issue(this.#crypto, issuer, prepared, wallMs);
      this.#audit.record({
        event: 'tokenRedeemed',
        fields: { token: grant.name, site: prepared.identity.siteName, router: prepared.identity.routerId, from: remoteAddress },
      });
      this.#log.info('token redeemed', { token: grant.name, grant: grantId, router: prepared.identity.routerId, remoteAddress });
      const { siteName, routerId, networkId: network } = prepared.identity;
      const { links, linkCost } = grant;
      return { outcome: 'admitted', admission: { network, siteName, routerId, ca: this.#inNetwork().root, ...issued, links, linkCost } };
    });
  }

  /** The issuer's side of a renewal. Throws InputError `membership-refused` and WeatherError `not-an-issuer`. */
  async renew(request: RenewalRequest, remoteAddress: string): Promise<Admission> {
    const issuer = await this.#issuer();
    const { root } = this.#inNetwork();
    const wallMs = this.#wallMs();
    const prepared = await prepareRenewal(this.#crypto, issuer, request, wallMs);
    this.#refuseRevoked(prepared, request.membership);
    const issued = await issue(this.#crypto, issuer, prepared, wallMs);
    const { siteName, routerId, networkId: network } = prepared.identity;
    this.#log.info('certificate renewed', { router: routerId, remoteAddress, membership: prepared.membership !== undefined });
    return { network, siteName, routerId, ca: root, ...issued, links: [], linkCost: 1 };
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
      await this.#setIdentity(await renewOwn(this.#crypto, present, await this.#issuer(), this.#wallMs()));
    });
  }

  #inNetwork(): StoredIdentity {
    if (this.#identity !== undefined) return this.#identity;
    throw new WeatherError('no-network', 'this site is in no network', { remedy: 'issue a token here, or redeem one from another site' });
  }

  #refuseRevoked({ identity, publicKeyHash }: PreparedAdmission, membership: string | undefined): void {
    const issuers = membership === undefined ? [] : issuersAbove(membership, this.#inNetwork().root);
    refuseRevoked(this.#revocations, { ...identity, publicKeyHash }, issuers);
  }

  async #issuer(): Promise<Issuer> {
    const { ownRevocation } = this;
    if (ownRevocation !== undefined) throw ownRevocationError(ownRevocation);
    const issuer = await issuerOf(this.#crypto, this.#inNetwork());
    // Looked at before a token is used up, which it would be in vain.
    if (issuer !== undefined && this.#wallMs() >= issuer.notAfterMs) throw issuerExpired();
    if (issuer !== undefined) return issuer;
    throw new WeatherError('not-an-issuer', 'this site may not issue tokens', {
      remedy: 'issue the token at another site, or redeem one here that was issued with --issuer',
    });
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

  #refuse(grant: string, remoteAddress: string, verdict: GrantVerdict): RedeemResult {
    const reason = verdict === 'accepted' ? 'wrong-code' : verdict;
    this.#audit.record({ event: 'tokenRefused', fields: { from: remoteAddress, reason } });
    this.#log.warn('token refused', { grant: grant.slice(0, 64), remoteAddress, reason });
    return { outcome: 'refused', verdict: reason };
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
    this.#revocations = await Revocations.open(folder, { crypto: this.#crypto, root, log: this.#log });
    // A certificate that its issuer's revocation ends is to be replaced at once.
    this.#revocations.onAdded((added) => {
      if (added.length > 0) for (const listener of this.#listeners) listener();
    });
  }

  async #take(identity: StoredIdentity): Promise<void> {
    const rights = (await membershipFacts(this.#crypto, identity))?.rights;
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
