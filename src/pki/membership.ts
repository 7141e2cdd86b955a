import type * as Asn1 from 'asn1js';
import type { X509Library } from './x509-library.ts';

/**
 * What a membership certificate lets its holder do, decided by the token that admitted it. It travels in an extension
 * of our own:
 *
 *     MembershipRights ::= SEQUENCE {
 *       mayIssue             BOOLEAN,  -- may hold a delegated issuer certificate
 *       pathLength           INTEGER,  -- pathLenConstraint of that certificate; 0 when mayIssue is false
 *       leafLifetimeSeconds  INTEGER } -- lifetime of the TLS certificates that renewal gives
 */
export interface MembershipRights {
  readonly mayIssue: boolean;
  readonly pathLength: number;
  readonly leafLifetimeMs: number;
}

/** Deepest chain of delegated issuers that a network may have; keeps chains short enough to check on every handshake. */
export const maxPathLength = 3;

/** Longest lifetime of a TLS certificate. Longer ones would outlive the decision to trust the site. */
export const maxLeafLifetimeMs: number = 30 * 24 * 3_600_000;

/** Shortest lifetime of a TLS certificate: its second half must leave time for a renewal attempt with its 10 s deadline. */
export const minLeafLifetimeMs = 20_000;

export function encodeMembershipRights(library: X509Library, rights: MembershipRights): ArrayBuffer {
  const { asn1 } = library;
  return new asn1.Sequence({
    value: [
      new asn1.Boolean({ value: rights.mayIssue }),
      new asn1.Integer({ value: rights.pathLength }),
      new asn1.Integer({ value: Math.ceil(rights.leafLifetimeMs / 1000) }),
    ],
  }).toBER();
}

/** Returns undefined when the bytes are not of that form or out of range. */
export function decodeMembershipRights(library: X509Library, der: Uint8Array<ArrayBuffer>): MembershipRights | undefined {
  const { asn1 } = library;
  const parsed = asn1.fromBER(der);
  if (parsed.offset !== der.length || !(parsed.result instanceof asn1.Sequence)) return undefined;
  const fields: Asn1.AsnType[] = parsed.result.valueBlock.value;
  const [mayIssue, pathLength, leafLifetimeSeconds] = fields;
  if (fields.length !== 3 || !(mayIssue instanceof asn1.Boolean)) return undefined;
  if (!(pathLength instanceof asn1.Integer) || !(leafLifetimeSeconds instanceof asn1.Integer)) return undefined;
  const rights = {
    mayIssue: mayIssue.valueBlock.value,
    pathLength: pathLength.valueBlock.valueDec,
    leafLifetimeMs: leafLifetimeSeconds.valueBlock.valueDec * 1000,
  };
  if (rights.pathLength < 0 || rights.pathLength > maxPathLength) return undefined;
  if (rights.leafLifetimeMs < minLeafLifetimeMs || rights.leafLifetimeMs > maxLeafLifetimeMs) return undefined;
  return rights;
}
