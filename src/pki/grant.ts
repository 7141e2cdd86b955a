import { InputError } from '../base/errors.ts';
import { checkSiteName, randomLabel } from './identity.ts';
import { defaultLeafLifetimeMs, defaultMembershipLifetimeMs } from './issue-certificate.ts';
import { everyAddress, maxLeafLifetimeMs, maxPathLength, minLeafLifetimeMs, patternListProblem } from './membership.ts';
import { constantTimeEqual, randomBytes, sha256 } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';

/** Where a link can be dialled. */
export interface LinkEndpoint {
  readonly host: string;
  readonly port: number;
}

/** One use of a grant: the receipt, and with it the register of who was admitted. */
export interface Redemption {
  readonly routerId: string;
  readonly siteName: string;
  /** SHA-256 of the site's SubjectPublicKeyInfo, in hex. */
  readonly publicKeyHash: string;
  readonly mayIssue: boolean;
  readonly remoteAddress: string;
  readonly atMs: number;
  /** False when the redeemer was a member already and took no more than the link's endpoint. */
  readonly admitted: boolean;
}

/** What the issuer keeps of a token. The secret itself is not kept, only its hash. */
export interface Grant {
  readonly id: string;
  readonly networkId: string;
  readonly name: string;
  /** SHA-256 of the code, in hex. */
  readonly codeHash: string;
  readonly redemptionsAllowed: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Set when the token was revoked or seen expired; it stays ended even when the clock is set back. */
  readonly endedAtMs?: number;
  readonly mayIssue: boolean;
  readonly pathLength: number;
  readonly membershipLifetimeMs: number;
  readonly leafLifetimeMs: number;
  /** Address patterns that the redeemer may announce and send to. Absent in grants from before signing: every address. */
  readonly advertise?: readonly string[];
  readonly consume?: readonly string[];
  /** When set, the redeemer gets this name whatever it proposes. */
  readonly assignedSiteName?: string;
  readonly links: readonly LinkEndpoint[];
  readonly linkCost: number;
  readonly redemptions: readonly Redemption[];
}

export interface GrantOptions {
  readonly name?: string;
  /** How many sites may use it. Default 1. */
  readonly redemptions?: number;
  /** How long it can be used. Default 15 minutes. */
  readonly expirationWindowMs?: number;
  /** Whether those who use it may issue tokens themselves. Default false. */
  readonly issuer?: boolean;
  /** Levels of issuers below them. Default 0: they admit sites, which cannot admit others. */
  readonly pathLength?: number;
  /** Default one year. */
  readonly membershipLifetimeMs?: number;
  /** Default 24 hours. */
  readonly leafLifetimeMs?: number;
  readonly siteName?: string;
  /** Address patterns that the redeemer may announce. Default: every address. */
  readonly advertise?: readonly string[];
  /** Address patterns that it may send to. Default: every address. */
  readonly consume?: readonly string[];
  /** Default 1. */
  readonly linkCost?: number;
}

/** One token cannot admit more sites than this; each use is a line in the grant's file, which is written on each use. */
export const maxRedemptions = 1000;
export const defaultExpirationWindowMs: number = 15 * 60_000;
/** A token is a key lying in a file; after this time it should have been used. */
const maxExpirationWindowMs: number = 30 * 24 * 3_600_000;
const maxMembershipLifetimeMs: number = 3650 * 24 * 3_600_000;
/** Bytes of randomness in a code: 192 bits, well above the 128 that a guesser cannot reach. */
const codeBytes = 24;
const grantIdLength = 20;

/** A code and the grant that knows its hash. The code goes into the token and nowhere else. */
export async function createGrant(
  crypto: PkiCrypto,
  networkId: string,
  links: readonly LinkEndpoint[],
  options: GrantOptions,
  wallMs: number,
): Promise<{ code: string; grant: Grant }> {
  const { redemptions = 1, expirationWindowMs = defaultExpirationWindowMs, issuer = false, pathLength = 0, linkCost = 1 } = options;
  const { membershipLifetimeMs = defaultMembershipLifetimeMs, leafLifetimeMs = defaultLeafLifetimeMs } = options;
  checkRange('redemptions', redemptions, 1, maxRedemptions);
  checkRange('expiration window (ms)', expirationWindowMs, 1, maxExpirationWindowMs);
  checkRange('path length', pathLength, 0, maxPathLength);
  checkRange('membership lifetime (ms)', membershipLifetimeMs, leafLifetimeMs, maxMembershipLifetimeMs);
  checkRange('certificate lifetime (ms)', leafLifetimeMs, minLeafLifetimeMs, maxLeafLifetimeMs);
  checkRange('link cost', linkCost, 1, 0x7fff_ffff);
  const { advertise = everyAddress, consume = everyAddress } = options;
  checkPatterns('--advertise', advertise);
  checkPatterns('--consume', consume);
  if (options.siteName !== undefined) checkSiteName(options.siteName, 'token: site name');
  if (options.name !== undefined) checkSiteName(options.name, 'token: name');

  const code = randomBytes(crypto, codeBytes).toBase64({ alphabet: 'base64url', omitPadding: true });
  const id = randomLabel(crypto.random, grantIdLength);
  const grant: Grant = {
    id,
    networkId,
    name: options.name ?? `token-${id.slice(0, 8)}`,
    codeHash: (await hashCode(crypto, code)).toHex(),
    redemptionsAllowed: redemptions,
    createdAtMs: wallMs,
    expiresAtMs: wallMs + expirationWindowMs,
    mayIssue: issuer,
    pathLength: issuer ? pathLength : 0,
    membershipLifetimeMs,
    leafLifetimeMs,
    advertise,
    consume,
    ...(options.siteName === undefined ? {} : { assignedSiteName: options.siteName }),
    links,
    linkCost,
    redemptions: [],
  };
  return { code, grant };
}

export async function hashCode(crypto: PkiCrypto, code: string): Promise<Uint8Array<ArrayBuffer>> {
  return sha256(crypto, new TextEncoder().encode(code));
}

export type GrantVerdict = 'accepted' | 'wrong-code' | 'expired' | 'used-up';

/** Whether a code may be used now. `grant` is undefined for an unknown id; the comparison is made all the same. */
export function judgeRedemption(grant: Grant | undefined, codeHash: Uint8Array, wallMs: number): GrantVerdict {
  const expected = grant === undefined ? new Uint8Array(codeHash.length) : Uint8Array.fromHex(grant.codeHash);
  const rightCode = constantTimeEqual(expected, codeHash);
  if (grant === undefined || !rightCode) return 'wrong-code';
  if (grant.endedAtMs !== undefined || wallMs >= grant.expiresAtMs) return 'expired';
  return grant.redemptions.length < grant.redemptionsAllowed ? 'accepted' : 'used-up';
}

function checkPatterns(where: string, patterns: readonly string[]): void {
  const problem = patternListProblem(patterns);
  if (problem === undefined) return;
  throw new InputError('bad-pattern', `token: ${where}`, problem, { remedy: 'use names such as "db", "db.*", or "*" for every address' });
}

function checkRange(what: string, value: number, minimum: number, maximum: number): void {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return;
  throw new InputError('out-of-range', `token: ${what}`, `${value} is not a whole number from ${minimum} to ${maximum}`);
}
