import type * as X509 from 'pkijs';
import { isP256 } from './certificate-request.ts';
import { decodeMembershipRights } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { constantTimeEqual } from './pki-crypto.ts';
import { generalNameTypes, identifierAsRead, objectIdentifiers } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';

/** Largest certificate that is read. Ours have about 700 bytes, with 16 hosts about 5 KiB. */
const maxCertificateBytes = 8192;

/** The facts in a certificate that the rules of a network ask for. Nothing here has been verified. */
export interface CertificateFacts {
  readonly certificate: X509.Certificate;
  readonly der: Uint8Array<ArrayBuffer>;
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
export function readCertificate(library: X509Library, der: Uint8Array<ArrayBuffer>): CertificateFacts | string {
  if (der.length > maxCertificateBytes) return `a certificate is longer than ${maxCertificateBytes} bytes`;
  let certificate: X509.Certificate;
  try {
    certificate = library.x509.Certificate.fromBER(der);
    // What the signature does not cover must be DER too, so that one certificate has one form.
    const { unusedBits, valueHexView: signature } = certificate.signatureValue.valueBlock;
    const isDer = constantTimeEqual(new Uint8Array(certificate.toSchema().toBER()), der) && unusedBits === 0 && isDerSignature(signature);
    if (!isDer) return 'a certificate is not DER';
    return factsOf(library, certificate, der);
  } catch {
    return 'a certificate cannot be read';
  }
}

function factsOf(library: X509Library, certificate: X509.Certificate, der: Uint8Array<ArrayBuffer>): CertificateFacts | string {
  if (!isP256(library, certificate.subjectPublicKeyInfo)) return 'a certificate has a key that is not ECDSA on P-256';
  if (certificate.signatureAlgorithm.algorithmId !== objectIdentifiers.ecdsaWithSha256) {
    return 'a certificate is not signed with ECDSA and SHA-256';
  }
  const extensions = new Map<string, X509.Extension>();
  for (const extension of certificate.extensions ?? []) {
    if (extensions.has(extension.extnID)) return `a certificate has the extension ${extension.extnID} twice`;
    if (extension.critical && !criticalExtensions.has(extension.extnID)) {
      return `a certificate has the unknown critical extension ${extension.extnID}`;
    }
    extensions.set(extension.extnID, extension);
  }
  const { x509, asn1 } = library;
  const valueOf = (identifier: string): Uint8Array<ArrayBuffer> | undefined => {
    const extension = extensions.get(identifier);
    return extension === undefined ? undefined : new Uint8Array(extension.extnValue.valueBlock.valueHexView);
  };

  const basicDer = valueOf(objectIdentifiers.basicConstraints);
  const basic = basicDer === undefined ? undefined : x509.BasicConstraints.fromBER(basicDer);
  const usageDer = valueOf(objectIdentifiers.keyUsage);
  const usageBits = usageDer === undefined ? 0 : firstUsageByte(asn1.fromBER(usageDer).result);
  const purposesDer = valueOf(objectIdentifiers.extendedKeyUsage);
  const purposes = purposesDer === undefined ? [] : x509.ExtKeyUsage.fromBER(purposesDer).keyPurposes;
  const namesDer = valueOf(objectIdentifiers.subjectAltName);
  const names = namesDer === undefined ? [] : x509.GeneralNames.fromBER(namesDer).names;
  const constraintsDer = valueOf(objectIdentifiers.nameConstraints);
  const constraints = constraintsDer === undefined ? undefined : x509.NameConstraints.fromBER(constraintsDer);
  if (constraints?.excludedSubtrees !== undefined) return 'a certificate has excluded names, which no issuer of a network uses';
  const rightsDer = valueOf(identifierAsRead(library, objectIdentifiers.membershipRights));

  return {
    certificate,
    der,
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    notBeforeMs: certificate.notBefore.value.getTime(),
    notAfterMs: certificate.notAfter.value.getTime(),
    publicKey: new Uint8Array(certificate.subjectPublicKeyInfo.toSchema().toBER()),
    isIssuer: basic?.cA === true && (usageBits & certificateSigningBit) !== 0,
    pathLength: typeof basic?.pathLenConstraint === 'number' ? basic.pathLenConstraint : Infinity,
    serverAuth: purposes.includes(objectIdentifiers.serverAuth),
    clientAuth: purposes.includes(objectIdentifiers.clientAuth),
    membership: purposes.includes(identifierAsRead(library, objectIdentifiers.membershipPurpose)),
    uris: names.filter((name) => name.type === generalNameTypes.uri).map((name) => String(name.value)),
    permittedUriHosts: constraints?.permittedSubtrees
      ?.filter((subtree) => subtree.base.type === generalNameTypes.uri)
      .map((subtree) => String(subtree.base.value)),
    rights: rightsDer === undefined ? undefined : decodeMembershipRights(library, rightsDer),
  };
}

/** keyCertSign is bit 5 of KeyUsage, RFC 5280 section 4.2.1.3. */
const certificateSigningBit = 0x04;

const criticalExtensions: ReadonlySet<string> = new Set([
  objectIdentifiers.basicConstraints,
  objectIdentifiers.keyUsage,
  objectIdentifiers.extendedKeyUsage,
  objectIdentifiers.nameConstraints,
  objectIdentifiers.subjectAltName,
]);

/** ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 5480), each of at most 33 bytes, and nothing else. */
function isDerSignature(bytes: Uint8Array): boolean {
  const rLength = bytes[3] ?? 0;
  const sAt = 4 + rLength;
  const sLength = bytes[sAt + 1] ?? 0;
  const tags = bytes[0] === 0x30 && bytes[2] === 0x02 && bytes[sAt] === 0x02;
  return tags && bytes[1] === bytes.length - 2 && rLength <= 33 && sLength <= 33 && sAt + 2 + sLength === bytes.length;
}

function firstUsageByte(value: unknown): number {
  const block = (value as { valueBlock?: { valueHexView?: Uint8Array } }).valueBlock;
  return block?.valueHexView?.[0] ?? 0;
}

function nameOf(name: X509.RelativeDistinguishedNames): string {
  return new Uint8Array(name.toSchema().toBER()).toHex();
}
