import { AddressGrant } from '../base/address-grant.ts';
import { keyIdOctets } from '../routing/signed-record.ts';
import type { Credential, RoutingTrust } from '../routing/trust.ts';

/**
 * Trust among routers of which none is hostile: a credential is a number, and signatures are not looked at. It costs next to nothing, so that a run
 * with thousands of routers in one process measures routing and not a stand-in for Ed25519, which takes about 0.1 ms for each record
 * that a router gets.
 */
export class ScaleTrust {
  readonly #credentials: Credential[] = [];
  readonly #everything = new AddressGrant(['*']);

  /** The trust of one router. */
  router(routerId: string): RoutingTrust {
    const number = this.#credentials.length;
    const keyId = octetsOf(number, keyIdOctets);
    this.#credentials.push({ routerId, siteName: routerId, advertise: this.#everything, consume: this.#everything, keyId, key: number });
    const credential = octetsOf(number, 16);
    return {
      epoch: 1,
      nonce: octetsOf(number, 8),
      credential,
      keyId,
      sign: (bytes) => signatureOf(bytes),
      verify: () => true,
      credentialOf: (bytes) => this.#credentials[numberIn(bytes, 0)] ?? 'refused',
      statementOf: () => 'refused',
      statements: [],
    };
  }
}

function octetsOf(number: number, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  new DataView(octets.buffer).setUint32(0, number);
  return octets;
}

/** Four octets that differ with what is signed, since digests of databases are made of them. */
function signatureOf(bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  const view = new DataView(signature.buffer);
  let hash = 0;
  for (const octet of bytes) hash = Math.imul(hash ^ octet, 0x9e37_79b1) ^ (hash >>> 15);
  view.setUint32(0, hash >>> 0);
  return signature;
}

function numberIn(octets: Uint8Array, at: number): number {
  return (octets[at] << 24) | (octets[at + 1] << 16) | (octets[at + 2] << 8) | octets[at + 3];
}
