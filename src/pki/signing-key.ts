import { InputError, assert } from '../base/errors.ts';
import { signingKeyLength } from './membership.ts';
import { decodeOnePem, encodePem } from './pem.ts';
import type { PkiCrypto } from './pki-crypto.ts';

/**
 * The key with which a router signs what it says to the network (Ed25519, RFC 8032). It is not the key of its certificates: those are ECDSA,
 * which TLS stacks speak; this one is small and fast to check, which every router does for every record.
 *
 * Its public half comes to the issuer beside the certificate request, with a signature of it over the request: nobody can have the key of
 * another certified as his own.
 */

const algorithm = { name: 'Ed25519' } as const;
const signatureLength = 64;
const proofContext = 'caravan signing key of certificate request\n';

/** Public key and proof, in base64. */
export interface SigningKeyProof {
  readonly signingKey: string;
  readonly signingProof: string;
}

/** Makes a private key, as PKCS#8 PEM. */
export async function generateSigningKey(crypto: PkiCrypto): Promise<string> {
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  assert('privateKey' in pair, 'Ed25519 has pairs of keys');
  return encodePem('PRIVATE KEY', new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey)));
}

/** The raw public half, 32 octets. Throws InputError `bad-key`. */
export async function signingPublicKey(crypto: PkiCrypto, privateKeyPem: string): Promise<Uint8Array<ArrayBuffer>> {
  const { x = '' } = await crypto.subtle.exportKey('jwk', await importSigningKey(crypto, privateKeyPem));
  return Uint8Array.fromBase64(x, { alphabet: 'base64url' });
}

/** `requestPem`: the certificate request that the key goes with. */
export async function proveSigningKey(crypto: PkiCrypto, privateKeyPem: string, requestPem: string): Promise<SigningKeyProof> {
  const key = await importSigningKey(crypto, privateKeyPem);
  const signature = await crypto.subtle.sign(algorithm, key, provenBytes(requestPem));
  return {
    signingKey: (await signingPublicKey(crypto, privateKeyPem)).toBase64(),
    signingProof: new Uint8Array(signature).toBase64(),
  };
}

/** The proven public key, or undefined when the request has none. Throws InputError `bad-certificate-request`. */
export async function verifySigningKey(
  crypto: PkiCrypto,
  request: { readonly csr: string; readonly signingKey?: string; readonly signingProof?: string },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (request.signingKey === undefined) return undefined;
  const publicKey = fromBase64(request.signingKey, signingKeyLength, 'signingKey');
  const signature = fromBase64(request.signingProof ?? '', signatureLength, 'signingProof');
  let proven = false;
  try {
    const key = await crypto.subtle.importKey('raw', publicKey, algorithm, false, ['verify']);
    proven = await crypto.subtle.verify(algorithm, key, signature, provenBytes(request.csr));
  } catch (cause) {
    throw new InputError('bad-certificate-request', 'signingKey', 'not an Ed25519 public key', { cause });
  }
  if (!proven) throw new InputError('bad-certificate-request', 'signingProof', 'not a signature of the signing key over the request');
  return publicKey;
}

async function importSigningKey(crypto: PkiCrypto, pem: string): Promise<CryptoKey> {
  const der = decodeOnePem('PRIVATE KEY', pem, 'signing key');
  try {
    return await crypto.subtle.importKey('pkcs8', der, algorithm, true, ['sign']);
  } catch (cause) {
    throw new InputError('bad-key', 'signing key', 'not an Ed25519 key in PKCS#8', { cause });
  }
}

function provenBytes(requestPem: string): Uint8Array<ArrayBuffer> {
  const context = new TextEncoder().encode(proofContext);
  const request = decodeOnePem('CERTIFICATE REQUEST', requestPem, 'csr');
  const bytes = new Uint8Array(context.length + request.length);
  bytes.set(context);
  bytes.set(request, context.length);
  return bytes;
}

function fromBase64(text: string, length: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' });
    if (bytes.length === length) return bytes;
  } catch (cause) {
    throw new InputError('bad-certificate-request', where, 'not base64', { cause });
  }
  throw new InputError('bad-certificate-request', where, `not ${length} octets`);
}
