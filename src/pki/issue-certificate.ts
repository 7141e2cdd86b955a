import { WeatherError, assert } from '../base/errors.ts';
import { formatIdentity } from './identity.ts';
import type { RouterIdentity } from './identity.ts';
import { isIpv4, parseIpv6 } from './ip-address.ts';
import { publicKeyOf } from './keys.ts';
import { allowsEveryAddress, encodeMembershipRights } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import { randomBytes, sha256 } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { generalNameTypes, loadX509, objectIdentifiers } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';

/**
 * The four kinds of certificate of a network (X.509 version 3, RFC 5280; ECDSA P-256 with SHA-256):
 *
 * - root: made by the site that founds the network, signed by itself.
 * - delegated issuer: a CA with a path length, and with a name constraint that permits URI names of this network only.
 * - leaf: for TLS, both as server and as client; short.
 * - membership: for renewal only, no TLS; long. Same public key as the leaf.
 */

/** Certificates begin this long before they are made, for peers whose clock is slow. */
export const clockSkewMs: number = 5 * 60_000;

const dayMs = 24 * 3_600_000;
export const rootLifetimeMs: number = 3650 * dayMs;
export const defaultMembershipLifetimeMs: number = 365 * dayMs;
export const defaultLeafLifetimeMs: number = dayMs;

/** Key usage bits, RFC 5280 section 4.2.1.3, as the first byte of the BIT STRING. */
const keyUsage = { digitalSignature: 0x80, certificateSigning: 0x06 } as const;

/** RFC 5280 appendix A.1, ub-common-name. Nothing is decided by a common name: a router's name is in its URI. */
const maxCommonNameLength = 64;

/** A certificate that may sign others, with its key. */
export interface Authority {
  /** DER of the issuing certificate. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly privateKey: CryptoKey;
}

/** First 16 hex digits of SHA-256 over the root's SubjectPublicKeyInfo. */
export async function networkIdOfKey(crypto: PkiCrypto, publicKey: Uint8Array<ArrayBuffer>): Promise<string> {
  return (await sha256(crypto, publicKey)).toHex().slice(0, 16);
}

/** Makes the root for a fresh key. Returns its DER. */
export async function createRoot(crypto: PkiCrypto, privateKey: CryptoKey, wallMs: number): Promise<Uint8Array<ArrayBuffer>> {
  const library = await loadX509(crypto);
  const publicKey = await publicKeyOf(crypto, privateKey);
  const networkId = await networkIdOfKey(crypto, publicKey);
  return sign(crypto, library, undefined, privateKey, {
    publicKey,
    commonName: `network ${networkId}`,
    wallMs,
    lifetimeMs: rootLifetimeMs,
    extensions: [basicConstraints(library, true, undefined), usage(library, keyUsage.certificateSigning)],
  });
}

/**
 * Makes a delegated issuer's certificate for `publicKey` (DER SubjectPublicKeyInfo). `rights`: of the site's membership, which limit
 * what it can give. Returns its DER.
 */
export async function issueDelegated(
  crypto: PkiCrypto,
  authority: Authority,
  request: {
    publicKey: Uint8Array<ArrayBuffer>;
    identity: RouterIdentity;
    pathLength: number;
    rights: MembershipRights;
    wallMs: number;
    lifetimeMs: number;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const library = await loadX509(crypto);
  return sign(crypto, library, authority.certificate, authority.privateKey, {
    ...request,
    commonName: `network ${request.identity.networkId} issuer ${request.identity.routerId.slice(-8)}`,
    extensions: [
      basicConstraints(library, true, request.pathLength),
      usage(library, keyUsage.certificateSigning),
      permittedNetwork(library, request.identity.networkId),
      alternativeNames(library, request.identity, []),
      ...(allowsEveryAddress(request.rights) ? [] : [rightsExtension(library, { ...request.rights, signingKey: new Uint8Array(0) })]),
    ],
  });
}

/** Makes the TLS certificate of a router. `hosts` are names and addresses it is reached by. Returns its DER. */
export async function issueLeaf(
  crypto: PkiCrypto,
  authority: Authority,
  request: { publicKey: Uint8Array<ArrayBuffer>; identity: RouterIdentity; hosts: readonly string[]; wallMs: number; lifetimeMs: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const library = await loadX509(crypto);
  return sign(crypto, library, authority.certificate, authority.privateKey, {
    ...request,
    commonName: request.identity.routerId.slice(-maxCommonNameLength),
    extensions: [
      basicConstraints(library, false, undefined),
      usage(library, keyUsage.digitalSignature),
      extendedUsage(library, [objectIdentifiers.serverAuth, objectIdentifiers.clientAuth]),
      alternativeNames(library, request.identity, request.hosts),
    ],
  });
}

/** Makes the certificate with which a site renews. Returns its DER. */
export async function issueMembership(
  crypto: PkiCrypto,
  authority: Authority,
  request: { publicKey: Uint8Array<ArrayBuffer>; identity: RouterIdentity; rights: MembershipRights; wallMs: number; lifetimeMs: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const library = await loadX509(crypto);
  return sign(crypto, library, authority.certificate, authority.privateKey, {
    ...request,
    commonName: request.identity.routerId.slice(-maxCommonNameLength),
    extensions: [
      basicConstraints(library, false, undefined),
      usage(library, keyUsage.digitalSignature),
      extendedUsage(library, [objectIdentifiers.membershipPurpose]),
      alternativeNames(library, request.identity, []),
      rightsExtension(library, request.rights),
    ],
  });
}

type Extension = InstanceType<X509Library['x509']['Extension']>;
type Certificate = InstanceType<X509Library['x509']['Certificate']>;

interface Contents {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly commonName: string;
  readonly wallMs: number;
  readonly lifetimeMs: number;
  readonly extensions: readonly Extension[];
}

/** Signs `contents`. Without an issuer the certificate is its own. It never outlives its issuer. */
async function sign(
  crypto: PkiCrypto,
  library: X509Library,
  issuerDer: Uint8Array<ArrayBuffer> | undefined,
  privateKey: CryptoKey,
  contents: Contents,
): Promise<Uint8Array<ArrayBuffer>> {
  const { x509, asn1, engine } = library;
  const certificate = new x509.Certificate();
  certificate.version = 2;
  certificate.serialNumber = new asn1.Integer({ valueHex: serialNumber(crypto).buffer });
  certificate.subject.typesAndValues.push(
    new x509.AttributeTypeAndValue({ type: objectIdentifiers.commonName, value: new asn1.Utf8String({ value: contents.commonName }) }),
  );
  certificate.subjectPublicKeyInfo = x509.PublicKeyInfo.fromBER(contents.publicKey);

  const issuer = issuerDer === undefined ? certificate : x509.Certificate.fromBER(issuerDer);
  certificate.issuer = issuer.subject;
  const issuerEndMs = issuerDer === undefined ? Infinity : issuer.notAfter.value.getTime();
  setValidity(
    library,
    certificate,
    contents.wallMs - clockSkewMs,
    Math.min(contents.wallMs + contents.lifetimeMs, issuerEndMs),
    contents.wallMs,
  );

  certificate.extensions = [
    ...contents.extensions,
    new x509.Extension({
      extnID: objectIdentifiers.subjectKeyIdentifier,
      extnValue: new asn1.OctetString({ valueHex: await keyIdentifier(crypto, certificate) }).toBER(),
    }),
    new x509.Extension({
      extnID: objectIdentifiers.authorityKeyIdentifier,
      extnValue: new x509.AuthorityKeyIdentifier({
        keyIdentifier: new asn1.OctetString({ valueHex: await keyIdentifier(crypto, issuer) }),
      })
        .toSchema()
        .toBER(),
    }),
  ];
  await certificate.sign(privateKey, 'SHA-256', engine);
  return new Uint8Array(certificate.toSchema(true).toBER());
}

/** 16 random bytes that are a positive INTEGER of full length (RFC 5280 section 4.1.2.2). */
function serialNumber(crypto: PkiCrypto): Uint8Array<ArrayBuffer> {
  const bytes = randomBytes(crypto, 16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** Years from 2050 on are GeneralizedTime, those before are UTCTime (RFC 5280 section 4.1.2.5). Both have whole seconds. */
function setValidity(library: X509Library, certificate: Certificate, fromMs: number, untilMs: number, wallMs: number): void {
  if (untilMs <= wallMs) throw issuerExpired();
  for (const [time, ms] of [
    [certificate.notBefore, fromMs],
    [certificate.notAfter, untilMs],
  ] as const) {
    assert(Number.isFinite(ms), 'a certificate needs an end');
    time.value.setTime(Math.floor(ms / 1000) * 1000);
    time.type = time.value.getUTCFullYear() < 2050 ? library.x509.TimeType.UTCTime : library.x509.TimeType.GeneralizedTime;
  }
}

export function issuerExpired(): WeatherError {
  return new WeatherError('issuer-expired', 'the certificate of this issuer has ended', {
    remedy: 'check the clock of this host; if it is right, redeem a new token that was issued with --issuer',
  });
}

/** The leftmost 160 bits of SHA-256 over the subjectPublicKey bits (RFC 7093 section 2, method 1). */
async function keyIdentifier(crypto: PkiCrypto, certificate: Certificate): Promise<ArrayBuffer> {
  const bits = new Uint8Array(certificate.subjectPublicKeyInfo.subjectPublicKey.valueBlock.valueHexView);
  return (await sha256(crypto, bits)).slice(0, 20).buffer;
}

function rightsExtension(library: X509Library, rights: MembershipRights): Extension {
  const extnValue = encodeMembershipRights(library, rights);
  return new library.x509.Extension({ extnID: objectIdentifiers.membershipRights, critical: false, extnValue });
}

function basicConstraints(library: X509Library, cA: boolean, pathLength: number | undefined): Extension {
  const { x509 } = library;
  const value = new x509.BasicConstraints(pathLength === undefined ? { cA } : { cA, pathLenConstraint: pathLength });
  return new x509.Extension({ extnID: objectIdentifiers.basicConstraints, critical: true, extnValue: value.toSchema().toBER() });
}

function usage(library: X509Library, bits: number): Extension {
  const { x509, asn1 } = library;
  let unusedBits = 0;
  while (((bits >> unusedBits) & 1) === 0) unusedBits++;
  const value = new asn1.BitString({ valueHex: new Uint8Array([bits]).buffer, unusedBits });
  return new x509.Extension({ extnID: objectIdentifiers.keyUsage, critical: true, extnValue: value.toBER() });
}

function extendedUsage(library: X509Library, keyPurposes: string[]): Extension {
  const { x509 } = library;
  const value = new x509.ExtKeyUsage({ keyPurposes });
  return new x509.Extension({ extnID: objectIdentifiers.extendedKeyUsage, critical: true, extnValue: value.toSchema().toBER() });
}

/** Permits URI names whose host is the network id, and no other URI names (RFC 5280 section 4.2.1.10). */
function permittedNetwork(library: X509Library, networkId: string): Extension {
  const { x509 } = library;
  const base = new x509.GeneralName({ type: generalNameTypes.uri, value: networkId });
  const value = new x509.NameConstraints({ permittedSubtrees: [new x509.GeneralSubtree({ base })] });
  return new x509.Extension({ extnID: objectIdentifiers.nameConstraints, critical: true, extnValue: value.toSchema().toBER() });
}

function alternativeNames(library: X509Library, identity: RouterIdentity, hosts: readonly string[]): Extension {
  const { x509, asn1 } = library;
  const names = [new x509.GeneralName({ type: generalNameTypes.uri, value: formatIdentity(identity) })];
  for (const host of hosts) {
    const address = isIpv4(host) ? Uint8Array.from(host.split('.'), Number) : parseIpv6(host);
    names.push(
      address === undefined
        ? new x509.GeneralName({ type: generalNameTypes.dnsName, value: host })
        : new x509.GeneralName({ type: generalNameTypes.ipAddress, value: new asn1.OctetString({ valueHex: address.buffer }) }),
    );
  }
  const value = new x509.GeneralNames({ names });
  return new x509.Extension({ extnID: objectIdentifiers.subjectAltName, extnValue: value.toSchema().toBER() });
}
