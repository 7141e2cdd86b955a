import type * as Asn1 from 'asn1js';
import type * as X509 from 'pkijs';
import type { PkiCrypto } from './pki-crypto.ts';

/** The X.509 library with its cryptography bound to what the host gave. */
export interface X509Library {
  readonly x509: typeof X509;
  readonly asn1: typeof Asn1;
  readonly engine: X509.ICryptoEngine;
}

/**
 * Loads the X.509 library on first use: it costs about 55 ms, which a command that makes no certificate must not pay.
 * The engine is handed to every call; the library's global engine is left alone.
 */
export async function loadX509(crypto: PkiCrypto): Promise<X509Library> {
  const [x509, asn1] = await Promise.all([import('pkijs'), import('asn1js')]);
  const subtle = crypto.subtle;
  const getRandomValues = <T extends ArrayBufferView | null>(array: T): T => {
    if (array !== null) crypto.random.fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  };
  const engine = new x509.CryptoEngine({ name: 'caravan', crypto: { subtle, getRandomValues } as Crypto, subtle });
  // The library's declarations lag behind its platform's: they ask for key encapsulation, which nothing here uses.
  return { x509, asn1, engine: engine as unknown as X509.ICryptoEngine };
}

/** Object identifiers of RFC 5280 and RFC 5480, and the two of our own (under a UUID arc, ITU-T X.667). */
export const objectIdentifiers = {
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  ecPublicKey: '1.2.840.10045.2.1',
  prime256v1: '1.2.840.10045.3.1.7',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  /** Extended key usage of a membership certificate. TLS refuses a certificate that has only this one. */
  membershipPurpose: '2.25.56160705136293575136189069909065185982.1',
  /** Extension that carries a member's rights. */
  membershipRights: '2.25.56160705136293575136189069909065185982.2',
} as const;

/** General name types, RFC 5280 section 4.2.1.6. */
export const generalNameTypes = { dnsName: 2, uri: 6, ipAddress: 7 } as const;
