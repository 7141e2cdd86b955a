import { AddressGrant } from '../../src/base/address-grant.ts';
import type { Credential, RoutingTrust } from '../../src/routing/trust.ts';

/** The trust of a compromised router: its own credential grants it everything, as far as it is concerned. Others it judges as it should. */
export class LyingTrust implements RoutingTrust {
  readonly #trust: RoutingTrust;

  constructor(trust: RoutingTrust) {
    this.#trust = trust;
  }

  get epoch(): number {
    return this.#trust.epoch;
  }

  get nonce(): Uint8Array {
    return this.#trust.nonce;
  }

  get keyId(): Uint8Array {
    return this.#trust.keyId;
  }

  get credential(): Uint8Array {
    return this.#trust.credential;
  }

  get statements(): readonly Uint8Array[] {
    return this.#trust.statements;
  }

  sign(bytes: Uint8Array): Uint8Array {
    return this.#trust.sign(bytes);
  }

  verify(credential: Credential, bytes: Uint8Array, signature: Uint8Array): boolean {
    return this.#trust.verify(credential, bytes, signature);
  }

  credentialOf(bytes: Uint8Array): Credential | 'pending' | 'refused' {
    const verdict = this.#trust.credentialOf(bytes);
    if (bytes !== this.#trust.credential || typeof verdict === 'string') return verdict;
    return { ...verdict, advertise: new AddressGrant(['*']), consume: new AddressGrant(['*']) };
  }

  /** It keeps quiet about its own revocation, as far as it can. */
  statementOf(bytes: Uint8Array): 'accepted' | 'pending' | 'refused' {
    return this.#trust.statementOf(bytes);
  }
}
