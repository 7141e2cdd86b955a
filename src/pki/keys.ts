import { InputError } from '../base/errors.ts';
import { decodeOnePem, encodePem } from './pem.ts';
import type { PkiCrypto } from './pki-crypto.ts';

/** Every key is ECDSA on P-256: small, fast to sign, and every TLS stack in use speaks it. */
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** Makes a private key, as PKCS#8 PEM. */
export async function generatePrivateKey(crypto: PkiCrypto): Promise<string> {
  const pair = await crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  return encodePem('PRIVATE KEY', new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey)));
}

/** The key for signing. Throws InputError `bad-key`. */
export async function importPrivateKey(crypto: PkiCrypto, pem: string): Promise<CryptoKey> {
  const der = decodeOnePem('PRIVATE KEY', pem, 'private key');
  try {
    return await crypto.subtle.importKey('pkcs8', der, keyAlgorithm, true, ['sign']);
  } catch (cause) {
    throw new InputError('bad-key', 'private key', 'not an ECDSA key on P-256 in PKCS#8', { cause });
  }
}

/** The public half of a private key, as a DER SubjectPublicKeyInfo. */
export async function publicKeyOf(crypto: PkiCrypto, privateKey: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  const { d: _private, key_ops: _usages, ...publicHalf } = await crypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await crypto.subtle.importKey('jwk', publicHalf, keyAlgorithm, true, ['verify']);
  return new Uint8Array(await crypto.subtle.exportKey('spki', publicKey));
}
