import { InputError } from '../base/errors.ts';
import { certificateTimeMs } from './certificate-time.ts';
import { DerReader, DerTag, checkDer, constructedContextTag, contextTag, objectIdentifierHex } from './der.ts';
import { decodeMembershipRights } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { generalNameTypes, objectIdentifiers } from './x509-library.ts';

/**
 * Reads certificates (RFC 5280) strictly, and only those that a network has. An issuer makes them with the X.509 library; they are read
 * here, because every router reads those of all others, and what a stranger sends must cost little.
 *
 *     Certificate ::= SEQUENCE { tbs SEQUENCE, algorithm SEQUENCE, signature BIT STRING }
 *     tbs: [0] { version INTEGER }, serialNumber INTEGER, signature SEQUENCE, issuer Name, validity SEQUENCE { Time, Time },
 *          subject Name, subjectPublicKeyInfo SEQUENCE, [3] { SEQUENCE OF Extension }
 *     Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
 */

/** Largest certificate that is read. Ours have about 700 bytes, with 16 hosts about 5 KiB. */
export const maxCertificateBytes = 8192;

/** The facts in a certificate that the rules of a network ask for. Nothing here has been verified. */
export interface CertificateFacts {
  readonly der: Uint8Array<ArrayBuffer>;
  /** What the signature is over. */
  readonly signed: Uint8Array<ArrayBuffer>;
  /** ECDSA with SHA-256: r and s, 32 octets each. */
  readonly signature: Uint8Array<ArrayBuffer>;
  /** DER of the names, in hex, for comparison. */
  readonly subject: string;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** Whether it is a CA that may sign certificates. */
  readonly isIssuer: boolean;
  /** Infinity when the certificate sets none. */
  readonly pathLength: number;
  readonly serverAuth: boolean;
  readonly clientAuth: boolean;
  readonly membership: boolean;
  /** URI subject alternative names. */
  readonly uris: readonly string[];
  /** Hosts of permitted URI names, or undefined when there is no name constraint. */
  readonly permittedUriHosts: readonly string[] | undefined;
  readonly rights: MembershipRights | undefined;
}

/**
 * Reads a certificate. Returns the reason when it cannot be read or is of a kind that no network of ours has: another
 * kind of key or signature, an extension twice, an unknown critical extension, excluded names.
 */
export function readCertificate(der: Uint8Array<ArrayBuffer>): CertificateFacts | string {
  if (der.length > maxCertificateBytes) return `a certificate is longer than ${maxCertificateBytes} bytes`;
  try {
    checkDer(der);
    return factsOf(der);
  } catch {
    return 'a certificate cannot be read';
  }
}

/** AlgorithmIdentifier without parameters (RFC 5758), its content. */
const ecdsaWithSha256: string = identifierHex(objectIdentifiers.ecdsaWithSha256);
/** AlgorithmIdentifier of a key on the curve (RFC 5480), its content. */
const p256: string = `${identifierHex(objectIdentifiers.ecPublicKey)}${identifierHex(objectIdentifiers.prime256v1)}`;

function factsOf(der: Uint8Array<ArrayBuffer>): CertificateFacts | string {
  const outer = new DerReader(der).inside(DerTag.sequence);
  const signed = outer.whole(DerTag.sequence);
  const algorithm = outer.content(DerTag.sequence).toHex();
  const signature = signatureOf(outer.wholeOctets());
  outer.end();

  const tbs = new DerReader(signed).inside(DerTag.sequence);
  const version = tbs.inside(constructedContextTag(0)).smallInteger();
  tbs.content(DerTag.integer);
  const innerAlgorithm = tbs.content(DerTag.sequence).toHex();
  if (algorithm !== ecdsaWithSha256 || innerAlgorithm !== ecdsaWithSha256) return 'a certificate is not signed with ECDSA and SHA-256';
  const issuer = tbs.whole(DerTag.sequence).toHex();
  const validity = tbs.inside(DerTag.sequence);
  const [notBeforeMs, notAfterMs] = [timeMs(validity), timeMs(validity)];
  validity.end();
  const subject = tbs.whole(DerTag.sequence).toHex();
  const publicKey = tbs.whole(DerTag.sequence).slice();
  if (!isP256Key(publicKey)) return 'a certificate has a key that is not ECDSA on P-256';
  const extensions = extensionsOf(tbs);
  if (typeof extensions === 'string') return extensions;
  if (version !== version3) return 'a certificate is not of version 3';
  const purposes = purposesOf(extensions.get(identifiers.extendedKeyUsage));
  const constraints = constraintsOf(extensions.get(identifiers.nameConstraints));
  if (constraints === 'excluded') return 'a certificate has excluded names, which no issuer of a network uses';
  const { cA, pathLength } = basicConstraintsOf(extensions.get(identifiers.basicConstraints));
  const isIssuer = cA && (firstUsageByte(extensions.get(identifiers.keyUsage)) & certificateSigningBit) !== 0;
  const rightsValue = extensions.get(identifiers.membershipRights);
  const rights = rightsValue === undefined ? undefined : decodeMembershipRights(rightsValue);
  // An issuer without rights is not limited.
  if (isIssuer && rightsValue !== undefined && rights === undefined) return 'an issuer has rights that cannot be read';
  return {
    der,
    signed,
    signature,
    subject,
    issuer,
    notBeforeMs,
    notAfterMs,
    publicKey,
    isIssuer,
    pathLength,
    serverAuth: purposes.includes(identifiers.serverAuth),
    clientAuth: purposes.includes(identifiers.clientAuth),
    membership: purposes.includes(identifiers.membershipPurpose),
    uris: urisOf(extensions.get(identifiers.subjectAltName)),
    permittedUriHosts: constraints,
    rights,
  };
}

/** Versions are counted from 0. */
const version3 = 2;

function identifierHex(identifier: string): string {
  const content = objectIdentifierHex(identifier);
  return `${Uint8Array.of(DerTag.objectIdentifier, content.length / 2).toHex()}${content}`;
}

/** keyCertSign is bit 5 of KeyUsage, RFC 5280 section 4.2.1.3. */
const certificateSigningBit = 0x04;

const identifiers = {
  basicConstraints: objectIdentifierHex(objectIdentifiers.basicConstraints),
  keyUsage: objectIdentifierHex(objectIdentifiers.keyUsage),
  extendedKeyUsage: objectIdentifierHex(objectIdentifiers.extendedKeyUsage),
  nameConstraints: objectIdentifierHex(objectIdentifiers.nameConstraints),
  subjectAltName: objectIdentifierHex(objectIdentifiers.subjectAltName),
  serverAuth: objectIdentifierHex(objectIdentifiers.serverAuth),
  clientAuth: objectIdentifierHex(objectIdentifiers.clientAuth),
  membershipPurpose: objectIdentifierHex(objectIdentifiers.membershipPurpose),
  membershipRights: objectIdentifierHex(objectIdentifiers.membershipRights),
};

const criticalExtensions: ReadonlySet<string> = new Set([
  identifiers.basicConstraints,
  identifiers.keyUsage,
  identifiers.extendedKeyUsage,
  identifiers.nameConstraints,
  identifiers.subjectAltName,
]);

/** Values by identifier. */
function extensionsOf(tbs: DerReader): ReadonlyMap<string, Uint8Array<ArrayBuffer>> | string {
  const values = new Map<string, Uint8Array<ArrayBuffer>>();
  if (tbs.isDone) return values;
  const list = tbs.inside(constructedContextTag(3)).inside(DerTag.sequence);
  tbs.end();
  while (!list.isDone) {
    const extension = list.inside(DerTag.sequence);
    const identifier = extension.objectIdentifier();
    const critical = extension.nextIs(DerTag.boolean) && extension.boolean();
    if (values.has(identifier)) return 'a certificate has the same extension twice';
    if (critical && !criticalExtensions.has(identifier)) return 'a certificate has an unknown critical extension';
    values.set(identifier, extension.content(DerTag.octetString));
    extension.end();
  }
  return values;
}

/** SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
function basicConstraintsOf(value: Uint8Array<ArrayBuffer> | undefined): { cA: boolean; pathLength: number } {
  if (value === undefined) return { cA: false, pathLength: Infinity };
  const fields = only(value).inside(DerTag.sequence);
  const cA = fields.nextIs(DerTag.boolean) && fields.boolean();
  const pathLength = fields.isDone ? Infinity : fields.smallInteger();
  fields.end();
  return { cA, pathLength };
}

function purposesOf(value: Uint8Array<ArrayBuffer> | undefined): readonly string[] {
  if (value === undefined) return [];
  const list = only(value).inside(DerTag.sequence);
  const purposes: string[] = [];
  while (!list.isDone) purposes.push(list.objectIdentifier());
  return purposes;
}

/** GeneralNames ::= SEQUENCE OF GeneralName, each with the context tag of its type. No certificate of a network has other types. */
function urisOf(value: Uint8Array<ArrayBuffer> | undefined): readonly string[] {
  if (value === undefined) return [];
  const list = only(value).inside(DerTag.sequence);
  const uris: string[] = [];
  while (!list.isDone) {
    if (list.nextIs(contextTag(generalNameTypes.uri))) uris.push(list.text(contextTag(generalNameTypes.uri)));
    else
      list.content(
        list.nextIs(contextTag(generalNameTypes.dnsName)) ? contextTag(generalNameTypes.dnsName) : contextTag(generalNameTypes.ipAddress),
      );
  }
  return uris;
}

/** SEQUENCE { permittedSubtrees [0] OPTIONAL, excludedSubtrees [1] OPTIONAL }, each a SEQUENCE OF SEQUENCE { base GeneralName, ... } */
function constraintsOf(value: Uint8Array<ArrayBuffer> | undefined): readonly string[] | 'excluded' | undefined {
  if (value === undefined) return undefined;
  const fields = only(value).inside(DerTag.sequence);
  if (!fields.nextIs(constructedContextTag(0))) return fields.isDone ? undefined : 'excluded';
  const subtrees = fields.inside(constructedContextTag(0));
  if (!fields.isDone) return 'excluded';
  const hosts: string[] = [];
  while (!subtrees.isDone) {
    const subtree = subtrees.inside(DerTag.sequence);
    if (subtree.nextIs(contextTag(generalNameTypes.uri))) hosts.push(subtree.text(contextTag(generalNameTypes.uri)));
    else subtree.anyContent();
    // No minimum and maximum: RFC 5280 has no use for them.
    subtree.end();
  }
  return hosts;
}

function firstUsageByte(value: Uint8Array<ArrayBuffer> | undefined): number {
  return value === undefined ? 0 : (only(value).content(DerTag.bitString)[1] ?? 0);
}

/** For a value that is one element, and nothing after it. */
function only(value: Uint8Array<ArrayBuffer>): DerReader {
  checkDer(value);
  return new DerReader(value);
}

/** SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }, the key an uncompressed point (RFC 5480). */
function isP256Key(publicKey: Uint8Array<ArrayBuffer>): boolean {
  const fields = new DerReader(publicKey).inside(DerTag.sequence);
  if (fields.content(DerTag.sequence).toHex() !== p256) return false;
  const point = fields.wholeOctets();
  fields.end();
  return point.length === 65 && point[0] === 0x04;
}

/** ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 5480) as r and s, 32 octets each. */
function signatureOf(value: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(value);
  const fields = outer.inside(DerTag.sequence);
  outer.end();
  const signature = new Uint8Array(64);
  for (const end of [32, 64]) {
    const octets = fields.unsigned(32);
    signature.set(octets, end - octets.length);
  }
  fields.end();
  return signature;
}

function timeMs(reader: DerReader): number {
  const isUtcTime = reader.nextIs(DerTag.utcTime);
  const ms = certificateTimeMs(reader.text(isUtcTime ? DerTag.utcTime : DerTag.generalizedTime), isUtcTime);
  if (ms === undefined) throw new InputError('bad-der', 'certificate', 'a time that there is not');
  return ms;
}
