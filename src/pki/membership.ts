import type * as Asn1 from 'asn1js';
import { addressPatternProblem, addressPatternsCover, maxAddressPatterns } from '../base/address-grant.ts';
import { DerReader, DerTag } from './der.ts';
import type { X509Library } from './x509-library.ts';

/**
 * What a membership certificate lets its holder do, decided by the token that admitted it. It travels in an extension
 * of our own:
 *
 *     MembershipRights ::= SEQUENCE {
 *       mayIssue             BOOLEAN,       -- may hold a delegated issuer certificate
 *       pathLength           INTEGER,       -- pathLenConstraint of that certificate; 0 when mayIssue is false
 *       leafLifetimeSeconds  INTEGER,       -- lifetime of the TLS certificates that renewal gives
 *       signingKey           OCTET STRING,  -- Ed25519 public key that signs what the router says; empty = it does not sign
 *       advertise            SEQUENCE OF UTF8String,    -- addresses that the router may announce
 *       consume              SEQUENCE OF UTF8String }   -- addresses that it may send to
 *
 * Memberships from before signing have the first three only; they allow every address.
 *
 * The certificate of a delegated issuer has the same extension when its membership does not allow every address, without a signing
 * key: what is below it may have no more addresses than it. Issuers from before have none and are not limited.
 */
export interface MembershipRights {
  readonly mayIssue: boolean;
  readonly pathLength: number;
  readonly leafLifetimeMs: number;
  /** Raw Ed25519 public key, 32 octets. Absent: the site does not sign. */
  readonly signingKey?: Uint8Array<ArrayBuffer>;
  /** Address patterns (base/address-grant). Empty: none. */
  readonly advertise: readonly string[];
  readonly consume: readonly string[];
}

/** Deepest chain of delegated issuers that a network may have; keeps chains short enough to check on every handshake. */
export const maxPathLength = 3;

/** Longest lifetime of a TLS certificate. Longer ones would outlive the decision to trust the site. */
export const maxLeafLifetimeMs: number = 30 * 24 * 3_600_000;

/** Shortest lifetime of a TLS certificate: its second half must leave time for a renewal attempt with its 10 s deadline. */
export const minLeafLifetimeMs = 20_000;

/** Octets of an Ed25519 public key. */
export const signingKeyLength = 32;

/**
 * Octets of all patterns of one list, each with one more for its separator: the membership has to fit into a renewal's request
 * together with the longest chain, and every router of the network keeps it.
 */
export const maxPatternListOctets = 512;

/** Every address: what a token gives when it says nothing else. */
export const everyAddress: readonly string[] = ['*'];

/** Why a list of patterns cannot be granted; undefined when it can. */
export function patternListProblem(patterns: readonly string[]): string | undefined {
  if (patterns.length > maxAddressPatterns) return `has more than ${maxAddressPatterns} patterns`;
  const encoder = new TextEncoder();
  let octets = 0;
  for (const pattern of patterns) {
    const problem = addressPatternProblem(pattern);
    if (problem !== undefined) return `the pattern "${pattern.slice(0, 80)}" ${problem}`;
    octets += encoder.encode(pattern).length + 1;
  }
  return octets > maxPatternListOctets ? `is longer than ${maxPatternListOctets} octets; use patterns such as "db.*"` : undefined;
}

/** Address patterns that somebody may announce, and send to. */
export type AddressGrants = Pick<MembershipRights, 'advertise' | 'consume'>;

/** `rights` within what the issuers above allow, each of which may say nothing. */
export function rightsWithin<Rights extends AddressGrants>(rights: Rights, issuers: readonly (AddressGrants | undefined)[]): Rights {
  let { advertise, consume } = rights;
  for (const issuer of issuers) {
    if (issuer === undefined) continue;
    advertise = patternsInBoth(advertise, issuer.advertise);
    consume = patternsInBoth(consume, issuer.consume);
  }
  return { ...rights, advertise, consume };
}

/** Whether everything that `grants` allow is allowed by all issuers above. */
export function isWithin(grants: AddressGrants, issuers: readonly (AddressGrants | undefined)[]): boolean {
  return issuers.every((issuer) => {
    if (issuer === undefined) return true;
    const { advertise, consume } = issuer;
    return (
      grants.advertise.every((pattern) => addressPatternsCover(advertise, pattern)) &&
      grants.consume.every((pattern) => addressPatternsCover(consume, pattern))
    );
  });
}

export function allowsEveryAddress({ advertise, consume }: AddressGrants): boolean {
  return advertise.includes('*') && consume.includes('*');
}

/** Two patterns have nothing in common, or one covers the other: the narrower ones are what both lists allow. */
function patternsInBoth(one: readonly string[], other: readonly string[]): readonly string[] {
  const narrower = one.filter((pattern) => addressPatternsCover(other, pattern));
  return [...new Set([...narrower, ...other.filter((pattern) => addressPatternsCover(one, pattern))])];
}

export function encodeMembershipRights(library: X509Library, rights: MembershipRights): ArrayBuffer {
  const { asn1 } = library;
  const texts = (values: readonly string[]): Asn1.Sequence =>
    new asn1.Sequence({ value: values.map((value) => new asn1.Utf8String({ value })) });
  return new asn1.Sequence({
    value: [
      new asn1.Boolean({ value: rights.mayIssue }),
      new asn1.Integer({ value: rights.pathLength }),
      new asn1.Integer({ value: Math.ceil(rights.leafLifetimeMs / 1000) }),
      new asn1.OctetString({ valueHex: (rights.signingKey ?? new Uint8Array(0)).slice().buffer }),
      texts(rights.advertise),
      texts(rights.consume),
    ],
  }).toBER();
}

/** Returns undefined when the bytes are not of that form or out of range. */
export function decodeMembershipRights(der: Uint8Array<ArrayBuffer>): MembershipRights | undefined {
  let rights: MembershipRights;
  try {
    rights = readRights(der);
  } catch {
    return undefined;
  }
  if (rights.pathLength > maxPathLength) return undefined;
  if (rights.leafLifetimeMs < minLeafLifetimeMs || rights.leafLifetimeMs > maxLeafLifetimeMs) return undefined;
  if (rights.signingKey !== undefined && rights.signingKey.length !== signingKeyLength) return undefined;
  if (patternListProblem(rights.advertise) !== undefined || patternListProblem(rights.consume) !== undefined) return undefined;
  return rights;
}

function readRights(der: Uint8Array<ArrayBuffer>): MembershipRights {
  const outer = new DerReader(der);
  const fields = outer.inside(DerTag.sequence);
  outer.end();
  const basic = { mayIssue: fields.boolean(), pathLength: fields.smallInteger(), leafLifetimeMs: fields.smallInteger() * 1000 };
  if (fields.isDone) return { ...basic, advertise: everyAddress, consume: everyAddress };
  const signingKey = fields.content(DerTag.octetString).slice();
  const rights = { ...basic, advertise: readPatterns(fields), consume: readPatterns(fields) };
  fields.end();
  return signingKey.length === 0 ? rights : { ...rights, signingKey };
}

/** One more than may be granted at most: the list is refused then. */
function readPatterns(fields: DerReader): readonly string[] {
  const list = fields.inside(DerTag.sequence);
  const patterns: string[] = [];
  while (!list.isDone && patterns.length <= maxAddressPatterns) patterns.push(list.text(DerTag.utf8String));
  return patterns;
}
