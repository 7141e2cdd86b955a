import { WeatherError } from '../base/errors.ts';
import type { RouterIdentity } from './identity.ts';
import { decodeOnePem, decodePem, encodePemChain } from './pem.ts';
import { constantTimeEqual } from './pki-crypto.ts';
import type { PkiCrypto } from './pki-crypto.ts';
import type { Admission } from './redemption-protocol.ts';
import { maxChainLength, verifyChain } from './verify-chain.ts';
import type { ChainPurpose } from './verify-chain.ts';

/** What the requester knows and therefore expects of the answer. */
export interface ExpectedAdmission {
  /** DER of the root that the token, or the stored identity, pins. */
  readonly root: Uint8Array<ArrayBuffer>;
  /** DER SubjectPublicKeyInfo of the requests. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly issuerPublicKey: Uint8Array<ArrayBuffer>;
  /** Set when the site is a member already: its identity may not change. */
  readonly identity?: RouterIdentity;
  readonly needsMembership: boolean;
}

/** The certificates of an answer, checked, as PEM chains without the root. */
export interface CheckedAdmission {
  readonly identity: RouterIdentity;
  readonly certificate: string;
  readonly membership?: string;
  readonly issuerCertificate?: string;
}

/**
 * Checks an issuer's answer before anything of it is kept: every chain leads to the pinned root and holds now, is for our
 * own key, and names one and the same router. Throws WeatherError `bad-admission`.
 */
export async function checkAdmission(
  crypto: PkiCrypto,
  admission: Admission,
  expected: ExpectedAdmission,
  wallMs: number,
): Promise<CheckedAdmission> {
  if (!constantTimeEqual(decodeOnePem('CERTIFICATE', admission.ca, 'ca'), expected.root)) throw bad('it is for another network');

  const check = async (pem: string, purpose: ChainPurpose, publicKey: Uint8Array): Promise<{ identity: RouterIdentity; pem: string }> => {
    const chain = decodePem('CERTIFICATE', pem, purpose, maxChainLength + 1);
    const verdict = await verifyChain(crypto, chain, expected.root, purpose, wallMs);
    if (!verdict.accepted) throw bad(`${purpose} certificate: ${verdict.reason}`);
    if (!constantTimeEqual(verdict.subject.publicKey, publicKey)) throw bad(`${purpose} certificate: not for the key of this site`);
    const identity = verdict.identity;
    if (identity.routerId !== admission.routerId || identity.siteName !== admission.siteName) throw bad('its names contradict each other');
    if (expected.identity !== undefined && identity.routerId !== expected.identity.routerId) throw bad('it is for another router');
    return { identity, pem: encodePemChain(chain.filter((der) => !constantTimeEqual(der, expected.root))) };
  };

  const leaf = await check(admission.certificate, 'tls', expected.publicKey);
  if (admission.membership === undefined && expected.needsMembership) throw bad('it has no membership');
  const membership = admission.membership === undefined ? undefined : await check(admission.membership, 'membership', expected.publicKey);
  const issuer =
    admission.issuerCertificate === undefined ? undefined : await check(admission.issuerCertificate, 'issuer', expected.issuerPublicKey);
  return {
    identity: leaf.identity,
    certificate: leaf.pem,
    ...(membership === undefined ? {} : { membership: membership.pem }),
    ...(issuer === undefined ? {} : { issuerCertificate: issuer.pem }),
  };
}

function bad(reason: string): WeatherError {
  return new WeatherError('bad-admission', `the issuer's answer cannot be used: ${reason}`, {
    remedy: 'compare the clocks of the two hosts; if they agree, ask for a new token',
  });
}
