import type { AddressGrant } from '../base/address-grant.ts';

/** What a credential proves about a router: its certificate chain led to the network's root. */
export interface Credential {
  readonly routerId: string;
  readonly siteName: string;
  /** Addresses that the router may announce, and those that it may send to. */
  readonly advertise: AddressGrant;
  readonly consume: AddressGrant;
  /** First 16 octets of the SHA-256 of the public key: records name it (signed-record.ts). */
  readonly keyId: Uint8Array;
  /** The public key in a form that only the owner of the trust understands: handed back to `verify`. */
  readonly key: unknown;
}

/**
 * What a router that signs needs from outside: its key, and the judgement on others. Signatures are checked at once;
 * certificates may take a while: then the owner calls `RoutingEngine.trustChanged` when it knows, and is asked again.
 */
export interface RoutingTrust {
  /** Life of this router: larger than in any life before, and durably so before it is used here. */
  readonly epoch: number;
  /** 64 random bits of this life: two processes that share one state folder differ in it. */
  readonly nonce: Uint8Array;
  /** This router's credential, for all others. At most `limits.credentialBytes`. */
  readonly credential: Uint8Array;
  /** Names the key that `sign` uses, as `Credential.keyId` does. */
  readonly keyId: Uint8Array;
  /** Ed25519 signature, 64 octets. */
  sign(bytes: Uint8Array): Uint8Array;
  verify(credential: Credential, bytes: Uint8Array, signature: Uint8Array): boolean;
  /** What a credential proves now. The same bytes are asked for many times; `refused` also when it has expired or been revoked. */
  credentialOf(bytes: Uint8Array): Credential | 'pending' | 'refused';
  /**
   * A statement of an issuer of the network (a revocation) has come from another router, or comes again. `accepted`: it holds and is
   * to be passed on to everybody; routing keeps it as long as it runs, the owner for ever.
   */
  statementOf(bytes: Uint8Array): 'accepted' | 'pending' | 'refused';
  /** Statements that hold, at the start. */
  readonly statements: readonly Uint8Array[];
}
