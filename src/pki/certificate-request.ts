import { InputError } from '../base/errors.ts';
import { importPrivateKey, publicKeyOf } from './keys.ts';
import { decodeOnePem, encodePem } from './pem.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import { loadX509, objectIdentifiers } from './x509-library.ts';
import type { X509Library } from './x509-library.ts';

/**
 * Certificate requests (PKCS#10, RFC 2986). Only the public key and the proof that its owner has the private key are
 * taken from a request; names and lifetimes are the issuer's decision.
 */

/** Largest request accepted. Ours have about 250 bytes. */
const maxRequestBytes = 2048;

/** A request for the key, signed with it, as PEM. */
export async function createCertificateRequest(crypto: PkiCrypto, privateKeyPem: string): Promise<string> {
  const library = await loadX509(crypto);
  const { x509, asn1, engine } = library;
  const privateKey = await importPrivateKey(crypto, privateKeyPem);
  const request = new x509.CertificationRequest();
  request.version = 0;
  request.subject.typesAndValues.push(
    new x509.AttributeTypeAndValue({ type: objectIdentifiers.commonName, value: new asn1.Utf8String({ value: 'site' }) }),
  );
  request.subjectPublicKeyInfo = x509.PublicKeyInfo.fromBER(await publicKeyOf(crypto, privateKey));
  request.attributes = [];
  await request.sign(privateKey, 'SHA-256', engine);
  return encodePem('CERTIFICATE REQUEST', new Uint8Array(request.toSchema(true).toBER()));
}

/**
 * The public key (DER SubjectPublicKeyInfo) whose owner signed the request.
 * Throws InputError `bad-certificate-request` for anything but a well-formed, correctly signed request for a P-256 key.
 */
export async function verifyCertificateRequest(crypto: PkiCrypto, pem: string, where: string): Promise<Uint8Array<ArrayBuffer>> {
  const der = decodeOnePem('CERTIFICATE REQUEST', pem, where);
  if (der.length > maxRequestBytes) throw refused(where, `longer than ${maxRequestBytes} bytes`);
  const library = await loadX509(crypto);
  const { x509, engine } = library;
  try {
    const request = x509.CertificationRequest.fromBER(der);
    if (!isP256(library, request.subjectPublicKeyInfo)) throw refused(where, 'the key is not an ECDSA key on P-256');
    if (request.signatureAlgorithm.algorithmId !== objectIdentifiers.ecdsaWithSha256)
      throw refused(where, 'not signed with ECDSA and SHA-256');
    if (!(await request.verify(engine))) throw refused(where, 'the signature does not fit the key');
    return new Uint8Array(request.subjectPublicKeyInfo.toSchema().toBER());
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError('bad-certificate-request', where, 'not a certificate request (PKCS#10)', { cause });
  }
}

/** Whether a public key is an ECDSA key on P-256. */
export function isP256(library: X509Library, key: InstanceType<X509Library['x509']['PublicKeyInfo']>): boolean {
  if (key.algorithm.algorithmId !== objectIdentifiers.ecPublicKey) return false;
  const curve: unknown = key.algorithm.algorithmParams;
  return curve instanceof library.asn1.ObjectIdentifier && curve.valueBlock.toString() === objectIdentifiers.prime256v1;
}

function refused(where: string, reason: string): InputError {
  return new InputError('bad-certificate-request', where, reason);
}
