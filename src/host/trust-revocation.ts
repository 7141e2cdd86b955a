import { InputError, WeatherError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import type { RouterIdentity } from '../pki/identity.ts';
import { decodeOnePem, decodePem } from '../pki/pem.ts';
import type { IssuerInChain, VerifiedRevocation } from '../pki/revocation.ts';
import { maxChainLength } from '../pki/verify-chain.ts';
import { issuersOfChain } from './certificate-issuers.ts';
import { describeRevocation } from './revocations.ts';
import type { Revocations } from './revocations.ts';

/** A member of the network that this site could revoke. */
export interface KnownMember {
  readonly routerId: string;
  readonly siteName: string;
  /** SHA-256 of its SubjectPublicKeyInfo in hex; empty when it is not known. */
  readonly publicKeyHash: string;
  /** The issuers above its membership, up to the root, where that was seen. */
  readonly issuers?: readonly IssuerInChain[];
  /** Address patterns of its credential, where that was seen. */
  readonly advertise?: readonly string[];
  readonly consume?: readonly string[];
}

/** Names that an error lists. */
const listedMembers = 20;

/** The issuers above a membership (PEM chain without the root), up to the root. */
export function issuersAbove(membershipPem: string, rootPem: string): readonly IssuerInChain[] {
  const root = decodeOnePem('CERTIFICATE', rootPem, 'root');
  const chain = decodePem('CERTIFICATE', membershipPem, 'membership', maxChainLength + 1).slice(1);
  const withoutRoot = chain.filter((der) => Buffer.compare(der, root) !== 0);
  return issuersOfChain([...withoutRoot, root]);
}

/** Throws InputError `membership-refused` when a member that asks for something has been revoked. */
export function refuseRevoked(
  revocations: Revocations | undefined,
  member: RouterIdentity & { readonly publicKeyHash: string },
  issuers: readonly IssuerInChain[],
): void {
  const revocation =
    revocations?.revocationOfMember(member.routerId, issuers) ??
    // A key that was revoked gets in under no other name.
    revocations?.all.find(({ publicKeyHash, issuerRouterId }) => issuerRouterId === undefined && publicKeyHash === member.publicKeyHash);
  if (revocation !== undefined) throw new RevokedError(revocation, revocations?.statementFor(revocation));
}

/** A site asks for something although it was revoked. Carries the statement, so that the site learns of it. */
export class RevokedError extends InputError {
  readonly statement: Uint8Array | undefined;

  constructor(revocation: VerifiedRevocation, statement: Uint8Array | undefined) {
    super('membership-refused', 'membership', `site '${revocation.siteName}' was ${describeRevocation(revocation)}`, {
      remedy: 'get a new token: with it the site joins again under a new identity',
    });
    this.statement = statement;
  }
}

/**
 * The member that a name or a router id means. Throws InputError `own-site`, `unknown-site`, `ambiguous-site`, and
 * `not-admitted-here` for one that this issuer has no power over.
 */
export function memberToRevoke(
  name: string,
  members: readonly KnownMember[],
  own: { readonly routerId: string; readonly siteName: string; readonly issuerKeyHash: string },
): KnownMember {
  const byId = new Map(members.map((member) => [member.routerId, member]));
  byId.delete(own.routerId);
  const others = [...byId.values()];
  const found = others.filter((member) => member.routerId === name || member.siteName === name);
  const [member] = found;
  const where = 'site revoke';
  if (member === undefined) {
    if (name === own.routerId || name === own.siteName) {
      throw new InputError('own-site', where, 'a site cannot revoke itself', {
        remedy: 'delete it: van site delete; the founder of a network cannot be revoked at all',
      });
    }
    const names = others.map(({ siteName, routerId }) => `${siteName} (${routerId})`);
    const near = nearestName(
      name,
      others.map(({ siteName }) => siteName),
    );
    throw new InputError('unknown-site', where, `no site '${name}' is known${near === undefined ? '' : `; did you mean '${near}'?`}`, {
      remedy: names.length === 0 ? 'no other site is known here' : `there are: ${names.slice(0, listedMembers).join(', ')}`,
    });
  }
  if (found.length > 1) {
    throw new InputError('ambiguous-site', where, `${found.length} sites are called '${name}'`, {
      remedy: `give the router id: ${found.map(({ routerId }) => routerId).join(', ')}`,
    });
  }
  if (member.issuers !== undefined && !member.issuers.some(({ keyHash }) => keyHash === own.issuerKeyHash)) {
    throw new InputError('not-admitted-here', where, `site '${member.siteName}' was admitted neither by this site nor below it`, {
      remedy: 'revoke it at the site that admitted it, or at the founder of the network',
    });
  }
  return member;
}

export function ownRevocationError(revocation: VerifiedRevocation): WeatherError {
  return new WeatherError('site-revoked', `this site was ${describeRevocation(revocation)}`, {
    remedy: 'redeem a new token: the site then has a new identity',
  });
}
