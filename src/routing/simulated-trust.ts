import { AddressGrant } from '../base/address-grant.ts';
import { keyIdOctets } from './signed-record.ts';
import type { Credential, RoutingTrust } from './trust.ts';

/** What a simulated router signs with. */
export interface SimulatedIdentity {
  readonly routerId: string;
  /** The router id when not given. */
  readonly siteName?: string;
  /** Who has certificates for two keys signs with either; the router id when not given. */
  readonly keyName?: string;
  /** Patterns; everything when not given. */
  readonly advertise?: readonly string[];
  readonly consume?: readonly string[];
  readonly epoch: number;
  /** 8 octets; made from router id and epoch when not given. */
  readonly nonce?: Uint8Array;
  /** Statements that this router has kept. */
  readonly statements?: readonly Uint8Array[];
}

/** The trust of one simulated router. */
export interface SimulatedTrust extends RoutingTrust {
  /** Statements it has accepted, in the order in which they came: what its owner would keep on disk. */
  readonly kept: readonly Uint8Array[];
}

/** The authority of a simulated network. */
export interface SimulatedAuthority {
  /** A router's own trust. Two calls with the same router id, and key name if given, give the same key. */
  router(identity: SimulatedIdentity): SimulatedTrust;
  /** The statement that revokes a router; accepted by all trusts of this authority. */
  revocation(routerId: string): Uint8Array;
  /** From now on the credentials of this router id are pending (until `false`) for every trust. */
  setPending(routerId: string, pending: boolean): void;
}

interface SimulatedCredential extends Credential {
  readonly key: number;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Cheap and deterministic stand-in for certificates and signatures, for tests and simulation: a signature is a hash keyed by the
 * router's secret, and who has only a trust of its own cannot make that of another. Two authorities with different seeds do not
 * believe each other.
 */
export function simulatedTrust(seed: number): SimulatedAuthority {
  const pending = new Set<string>();
  /** By the bytes' identity first: records are shared by reference. */
  const read = new WeakMap<Uint8Array, { readonly credential: SimulatedCredential | undefined }>();
  /** Signatures found to hold, with what they were found to hold for: thousands of routers ask for the same. */
  const held = new WeakMap<Uint8Array, { readonly key: unknown; readonly bytes: Uint8Array }>();
  const secretOf = (routerId: string): number => keyedHash(seed ^ 0x5eed, encoder.encode(routerId));

  const readCredential = (bytes: Uint8Array): SimulatedCredential | undefined => {
    const known = read.get(bytes);
    if (known !== undefined) return known.credential;
    const credential = parseCredential(seed, bytes, secretOf);
    read.set(bytes, { credential });
    return credential;
  };

  const router = (identity: SimulatedIdentity): SimulatedTrust => {
    const { routerId, siteName = routerId, keyName = routerId, epoch, nonce, statements = [] } = identity;
    const { advertise = ['*'], consume = ['*'] } = identity;
    const secret = secretOf(keyName);
    const revoked = new Set<string>();
    const kept: Uint8Array[] = [];
    const statementOf = (bytes: Uint8Array): 'accepted' | 'refused' => {
      const [kind, name, proof] = decoder.decode(bytes).split('\n');
      if (kind !== 'revoked' || name === undefined || proof !== proofOf(seed, `revoked\n${name}`)) return 'refused';
      if (!revoked.has(name)) {
        revoked.add(name);
        kept.push(bytes.slice());
      }
      return 'accepted';
    };
    for (const statement of statements) statementOf(statement);
    const text = JSON.stringify({ routerId, siteName, keyName, advertise, consume });
    return {
      epoch,
      nonce: nonce ?? signatureOf(secret ^ epoch, encoder.encode(routerId)).slice(0, 8),
      credential: encoder.encode(`${text}\n${proofOf(seed, text)}`),
      keyId: keyIdOf(secret),
      sign: (bytes): Uint8Array => signatureOf(secret, bytes),
      verify: (credential, bytes, signature): boolean => {
        const known = held.get(signature);
        if (known !== undefined && known.key === credential.key && known.bytes === bytes) return true;
        const holds = isSignature(credential.key as number, bytes, signature);
        if (holds) held.set(signature, { key: credential.key, bytes });
        return holds;
      },
      credentialOf: (bytes): Credential | 'pending' | 'refused' => {
        const credential = readCredential(bytes);
        if (credential === undefined || revoked.has(credential.routerId)) return 'refused';
        return pending.has(credential.routerId) ? 'pending' : credential;
      },
      statementOf,
      statements: [...kept],
      kept,
    };
  };

  return {
    router,
    revocation: (routerId): Uint8Array => encoder.encode(`revoked\n${routerId}\n${proofOf(seed, `revoked\n${routerId}`)}`),
    setPending: (routerId, isPending): void => {
      if (isPending) pending.add(routerId);
      else pending.delete(routerId);
    },
  };
}

function parseCredential(seed: number, bytes: Uint8Array, secretOf: (routerId: string) => number): SimulatedCredential | undefined {
  const [text, proof] = decoder.decode(bytes).split('\n');
  if (text === undefined || proof !== proofOf(seed, text)) return undefined;
  const { routerId, siteName, keyName, advertise, consume } = JSON.parse(text) as {
    routerId: string;
    keyName: string;
    siteName: string;
    advertise: string[];
    consume: string[];
  };
  const key = secretOf(keyName);
  return { routerId, siteName, advertise: new AddressGrant(advertise), consume: new AddressGrant(consume), keyId: keyIdOf(key), key };
}

function proofOf(seed: number, text: string): string {
  const bytes = encoder.encode(text);
  return `${keyedHash(seed, bytes).toString(16)}${keyedHash(~seed, bytes).toString(16)}`;
}

/** Names the key of a secret. */
function keyIdOf(secret: number): Uint8Array {
  return signatureOf(secret, encoder.encode('key')).slice(0, keyIdOctets);
}

/** 64 octets as Ed25519 has; the first eight carry the hash. */
function signatureOf(secret: number, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64);
  const view = new DataView(signature.buffer);
  view.setUint32(0, keyedHash(secret, bytes));
  view.setUint32(4, keyedHash(~secret, bytes));
  return signature;
}

function isSignature(secret: number, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const view = new DataView(signature.buffer, signature.byteOffset, 64);
  if (view.getUint32(0) !== keyedHash(secret, bytes) || view.getUint32(4) !== keyedHash(~secret, bytes)) return false;
  for (let at = 8; at < 64; at += 4) if (view.getUint32(at) !== 0) return false;
  return true;
}

/** Murmur-like, over words where there are four octets, so that 10,000 routers can check 10,000 records each. */
function keyedHash(key: number, bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let hash = Math.imul(key ^ bytes.length, 0x9e37_79b1);
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    hash = Math.imul(hash ^ view.getUint32(at), 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  for (let at = whole; at < bytes.length; at++) {
    hash = Math.imul(hash ^ view.getUint8(at), 0xc2b2_ae35);
    hash ^= hash >>> 13;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x27d4_eb2f);
  return (hash ^ (hash >>> 15)) >>> 0;
}
