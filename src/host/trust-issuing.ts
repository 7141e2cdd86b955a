import { addressPatternsCover } from '../base/address-grant.ts';
import type { Audit } from '../base/audit.ts';
import { InputError, WeatherError, assert } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { AccessToken } from '../pki/access-token.ts';
import { issue, prepareRedemption, prepareRenewal } from '../pki/admission.ts';
import type { Issuer, PreparedAdmission } from '../pki/admission.ts';
import { createGrant, hashCode, judgeRedemption } from '../pki/grant.ts';
import type { GrantOptions, GrantVerdict, LinkEndpoint, Redemption } from '../pki/grant.ts';
import { issuerExpired } from '../pki/issue-certificate.ts';
import type { MembershipRights } from '../pki/membership.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import type { Admission, RedemptionRequest, RenewalRequest } from '../pki/redemption-protocol.ts';
import { createRevocation } from '../pki/revocation.ts';
import type { VerifiedRevocation } from '../pki/revocation.ts';
import { issuersOfChain } from './certificate-issuers.ts';
import type { Revocations } from './revocations.ts';
import { issuerOf } from './site-identity.ts';
import type { StoredIdentity } from './trust-folder.ts';
import type { TrustGrants } from './trust-grants.ts';
import { issuersAbove, memberToRevoke, ownRevocationError, refuseRevoked } from './trust-revocation.ts';
import type { KnownMember } from './trust-revocation.ts';

export type RedeemResult =
  | { readonly outcome: 'admitted'; readonly admission: Admission }
  | { readonly outcome: 'refused'; readonly verdict: Exclude<GrantVerdict, 'accepted'> };

/** The site as an issuer needs it: always as it is at the moment. */
export interface IssuingSite {
  readonly crypto: PkiCrypto;
  readonly log: Logger;
  readonly audit: Audit;
  readonly revocations: Revocations | undefined;
  readonly ownRevocation: VerifiedRevocation | undefined;
  /** What the site's own membership gives. */
  readonly rights: MembershipRights | undefined;
  wallMs(): number;
  /** Throws WeatherError `no-network`. */
  identity(): StoredIdentity;
  /** Runs one change at a time, in the order of the calls. */
  change<T>(change: () => Promise<T>): Promise<T>;
}

/** What a site does for others as an issuer of its network: admits them, renews their certificates, revokes them. */
export class TrustIssuing {
  readonly #site: IssuingSite;
  readonly #grants: TrustGrants;

  constructor(site: IssuingSite, grants: TrustGrants) {
    this.#site = site;
    this.#grants = grants;
  }

  /**
   * Issues a token that leads to `endpoint` and gives redeemers `links` to dial (default: the endpoint itself).
   * The code is in the returned token only. Throws WeatherError `no-network`, `not-an-issuer`, `too-many-tokens`, `disk-full`.
   */
  async issueToken(endpoint: LinkEndpoint, options: GrantOptions & { links?: readonly LinkEndpoint[] }): Promise<AccessToken> {
    return this.#site.change(async () => {
      const identity = this.#site.identity();
      const issuer = await this.issuer();
      if (options.issuer === true && (options.pathLength ?? 0) >= issuer.pathLength) {
        throw new InputError('path-length', '--issuer', 'this site may admit sites, but not sites that admit others', {
          remedy: 'issue the token at the site that founded the network',
        });
      }
      const granted = this.#granted(options);
      await this.#grants.makeRoom();
      const { code, grant } = await createGrant(
        this.#site.crypto,
        identity.networkId,
        options.links ?? [endpoint],
        { ...options, ...granted },
        this.#site.wallMs(),
      );
      await this.#grants.add(grant);
      this.#site.audit.record({
        event: 'tokenIssued',
        fields: {
          token: grant.name,
          uses: grant.redemptionsAllowed,
          issuer: grant.mayIssue,
          advertise: grant.advertise,
          consume: grant.consume,
        },
      });
      this.#site.log.info('token issued', { token: grant.name, grant: grant.id, uses: grant.redemptionsAllowed, issuer: grant.mayIssue });
      return { name: grant.name, ...endpoint, grantId: grant.id, code, ca: identity.root, linkCost: grant.linkCost };
    });
  }

  /** Makes a token unusable. Its redemptions stay on record. */
  async revokeToken(grantId: string): Promise<void> {
    await this.#site.change(async () => {
      const grant = this.#grants.get(grantId);
      if (grant === undefined) throw new InputError('unknown-token', 'token', `no token ${grantId}`);
      await this.#grants.end(grant);
      this.#site.audit.record({ event: 'tokenRevoked', fields: { token: grant.name } });
    });
  }

  /**
   * Revokes a site, by its name or router id. `seen`: members that are known beside those admitted here. It is on the disk when
   * the promise resolves. Throws InputError as `memberToRevoke` does and `bad-reason`, WeatherError `not-an-issuer`, `disk-full`.
   */
  async revokeSite(name: string, reason: string, seen: readonly KnownMember[]): Promise<VerifiedRevocation> {
    return this.#site.change(async () => {
      const { routerId, siteName, networkId } = this.#site.identity();
      const issuer = await this.issuer();
      const revocations = this.#site.revocations;
      assert(revocations !== undefined, 'a site in a network has its revocations');
      const [{ keyHash: issuerKeyHash } = { keyHash: '' }] = issuersOfChain([issuer.authority.certificate]);
      const member = memberToRevoke(name, [...this.members, ...seen], { routerId, siteName, issuerKeyHash });
      const known = revocations.all.find((other) => other.routerId === member.routerId && other.issuerKeyHash === issuerKeyHash);
      if (known !== undefined) return known;
      const statement = await createRevocation(this.#site.crypto, issuer, { networkId, ...member }, reason, this.#site.wallMs());
      return revocations.add(statement);
    });
  }

  /**
   * The issuer's side of a redemption. A use is on the disk before anything is signed, so a crash at any moment leaves the
   * token either unused or used up, never used twice. Throws InputError for a bad request with the right code (the token
   * stays unused) and WeatherError `disk-full`.
   */
  async redeem(grantId: string, request: RedemptionRequest, remoteAddress: string): Promise<RedeemResult> {
    const codeHash = await hashCode(this.#site.crypto, request.code);
    const known = this.#grants.get(grantId);
    const verdict = judgeRedemption(known, codeHash, this.#site.wallMs());
    if (verdict === 'expired' && known?.endedAtMs === undefined) await this.#site.change(() => this.#grants.endExpired(grantId));
    if (verdict !== 'accepted' || known === undefined) return this.#refuse(grantId, remoteAddress, verdict);
    const issuer = await this.issuer();
    const prepared = await prepareRedemption(this.#site.crypto, issuer, known, request, this.#site.wallMs());
    this.#refuseRevoked(prepared, request.membership);

    return this.#site.change(async () => {
      const grant = this.#grants.get(grantId);
      const wallMs = this.#site.wallMs();
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
      const issued = await issue(this.#site.crypto, issuer, prepared, wallMs);
      this.#site.audit.record({
        event: 'tokenRedeemed',
        fields: { token: grant.name, site: prepared.identity.siteName, router: prepared.identity.routerId, from: remoteAddress },
      });
      this.#site.log.info('token redeemed', { token: grant.name, grant: grantId, router: prepared.identity.routerId, remoteAddress });
      const { siteName, routerId, networkId: network } = prepared.identity;
      const { links, linkCost } = grant;
      return {
        outcome: 'admitted',
        admission: { network, siteName, routerId, ca: this.#site.identity().root, ...issued, links, linkCost },
      };
    });
  }

  /** The issuer's side of a renewal. Throws InputError `membership-refused` and WeatherError `not-an-issuer`. */
  async renew(request: RenewalRequest, remoteAddress: string): Promise<Admission> {
    const issuer = await this.issuer();
    const { root } = this.#site.identity();
    const wallMs = this.#site.wallMs();
    const prepared = await prepareRenewal(this.#site.crypto, issuer, request, wallMs);
    this.#refuseRevoked(prepared, request.membership);
    const issued = await issue(this.#site.crypto, issuer, prepared, wallMs);
    const { siteName, routerId, networkId: network } = prepared.identity;
    this.#site.log.info('certificate renewed', { router: routerId, remoteAddress, membership: prepared.membership !== undefined });
    return { network, siteName, routerId, ca: root, ...issued, links: [], linkCost: 1 };
  }

  /** Sites admitted by this one. */
  get members(): readonly Redemption[] {
    return this.#grants.all.flatMap((grant) => grant.redemptions.filter((redemption) => redemption.admitted));
  }

  #refuseRevoked({ identity, publicKeyHash }: PreparedAdmission, membership: string | undefined): void {
    const issuers = membership === undefined ? [] : issuersAbove(membership, this.#site.identity().root);
    refuseRevoked(this.#site.revocations, { ...identity, publicKeyHash }, issuers);
  }

  /**
   * This site's authority. Throws WeatherError `no-network`, `not-an-issuer`, `site-revoked`, and `issuer-expired` when it has ended.
   */
  async issuer(): Promise<Issuer> {
    const { ownRevocation } = this.#site;
    if (ownRevocation !== undefined) throw ownRevocationError(ownRevocation);
    const issuer = await issuerOf(this.#site.crypto, this.#site.identity());
    // Looked at before a token is used up, which it would be in vain.
    if (issuer !== undefined && this.#site.wallMs() >= issuer.notAfterMs) throw issuerExpired();
    if (issuer !== undefined) return issuer;
    throw new WeatherError('not-an-issuer', 'this site may not issue tokens', {
      remedy: 'issue the token at another site, or redeem one here that was issued with --issuer',
    });
  }

  #refuse(grant: string, remoteAddress: string, verdict: GrantVerdict): RedeemResult {
    const reason = verdict === 'accepted' ? 'wrong-code' : verdict;
    this.#site.audit.record({ event: 'tokenRefused', fields: { from: remoteAddress, reason } });
    this.#site.log.warn('token refused', { grant: grant.slice(0, 64), remoteAddress, reason });
    return { outcome: 'refused', verdict: reason };
  }

  /** What a token of this site gives: nothing beyond what the site may do itself, unless it is the founder. */
  #granted(options: GrantOptions): Pick<GrantOptions, 'advertise' | 'consume'> {
    const { rights } = this.#site;
    if (this.#site.identity().role === 'founder' || rights === undefined) return {};
    const { advertise = rights.advertise, consume = rights.consume } = options;
    for (const [where, wanted, own] of [
      ['--advertise', advertise, rights.advertise],
      ['--consume', consume, rights.consume],
    ] as const) {
      const beyond = wanted.find((pattern) => !addressPatternsCover(own, pattern));
      if (beyond === undefined) continue;
      throw new InputError(
        'not-granted',
        where,
        `this site may give only ${own.length === 0 ? 'nothing' : own.join(', ')}, not ${beyond}`,
        {
          remedy: 'issue the token at the founder of the network',
        },
      );
    }
    return { advertise, consume };
  }
}
