import type { Random } from '../base/random.ts';

/** The cryptography that the certificate code needs, given by the host. */
export interface PkiCrypto {
  readonly subtle: SubtleCrypto;
  readonly random: Random;
}

export async function sha256(crypto: PkiCrypto, bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** `length` random bytes. */
export function randomBytes(crypto: PkiCrypto, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  crypto.random.fill(bytes);
  return bytes;
}

/**
 * Whether two byte strings are equal, in a time that depends on their lengths alone. Used on digests of secrets, so
 * that even a timing leak of the engine would tell nothing about the secret itself.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let at = 0; at < a.length; at++) difference |= (a[at] ?? 0) ^ (b[at] ?? 0);
  return difference === 0;
}
