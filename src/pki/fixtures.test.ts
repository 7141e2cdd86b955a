import type { Random } from '../base/random.ts';
import { createRoot, issueDelegated, issueLeaf, issueMembership, networkIdOfKey } from './issue-certificate.ts';
import type { Authority } from './issue-certificate.ts';
import type { RouterIdentity } from './identity.ts';
import { generatePrivateKey, importPrivateKey, publicKeyOf } from './keys.ts';
import { everyAddress } from './membership.ts';
import type { MembershipRights } from './membership.ts';
import type { PkiCrypto } from './pki-crypto.ts';

/** What the certificate tests share: real cryptography, and a root, an issuer below it and a site below that. */

export const systemRandom: Random = {
  fill(target) {
    globalThis.crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
  },
  number: () => 0.5,
};

export const testCrypto: PkiCrypto = { subtle: globalThis.crypto.subtle, random: systemRandom };

export const dayMs: number = 86_400_000;
export const startMs: number = Date.UTC(2026, 10, 21, 12);

export interface TestKey {
  pem: string;
  key: CryptoKey;
  publicKey: Uint8Array<ArrayBuffer>;
}

export async function newKey(): Promise<TestKey> {
  const pem = await generatePrivateKey(testCrypto);
  const key = await importPrivateKey(testCrypto, pem);
  return { pem, key, publicKey: await publicKeyOf(testCrypto, key) };
}

export interface TestNetwork {
  networkId: string;
  root: Uint8Array<ArrayBuffer>;
  rootKey: TestKey;
  rootAuthority: Authority;
  identity(siteName: string): RouterIdentity;
}

export async function newNetwork(wallMs: number = startMs): Promise<TestNetwork> {
  const rootKey = await newKey();
  const root = await createRoot(testCrypto, rootKey.key, wallMs);
  const networkId = await networkIdOfKey(testCrypto, rootKey.publicKey);
  return {
    networkId,
    root,
    rootKey,
    rootAuthority: { certificate: root, privateKey: rootKey.key },
    identity: (siteName) => ({ networkId, siteName, routerId: `${siteName}-00000000` }),
  };
}

export interface CertificateChoices {
  identity: RouterIdentity;
  authority: Authority;
  key: TestKey;
  wallMs?: number;
  lifetimeMs?: number;
}

export function leaf(choices: CertificateChoices, hosts: readonly string[] = []): Promise<Uint8Array<ArrayBuffer>> {
  const { identity, authority, key, wallMs = startMs, lifetimeMs = dayMs } = choices;
  return issueLeaf(testCrypto, authority, { publicKey: key.publicKey, identity, hosts, wallMs, lifetimeMs });
}

export function membership(
  choices: CertificateChoices,
  mayIssue = false,
  pathLength = 0,
  more: Partial<MembershipRights> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { identity, authority, key, wallMs = startMs, lifetimeMs = 365 * dayMs } = choices;
  const rights = { mayIssue, pathLength, leafLifetimeMs: dayMs, advertise: everyAddress, consume: everyAddress, ...more };
  return issueMembership(testCrypto, authority, { publicKey: key.publicKey, identity, rights, wallMs, lifetimeMs });
}

export function delegated(
  choices: CertificateChoices,
  pathLength = 0,
  more: Partial<MembershipRights> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { identity, authority, key, wallMs = startMs, lifetimeMs = 365 * dayMs } = choices;
  const rights = { mayIssue: true, pathLength, leafLifetimeMs: dayMs, advertise: everyAddress, consume: everyAddress, ...more };
  return issueDelegated(testCrypto, authority, { publicKey: key.publicKey, identity, pathLength, rights, wallMs, lifetimeMs });
}
