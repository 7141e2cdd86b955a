import type { TLSSocket } from 'node:tls';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import type { IssuerInChain } from '../pki/revocation.ts';
import { issuersOfPeer } from '../host/certificate-issuers.ts';
import { explainTlsFailure, verifyPeer } from '../host/peer-identity.ts';

/** What a peer's certificate proves about it. */
export interface ProvenPeer {
  /** Router id from the URI in the certificate; undefined when it has none (a foreign PKI, or no TLS). */
  readonly routerId: string | undefined;
  readonly networkId: string | undefined;
  readonly user: string | null;
  /** The issuers above its certificate, up to the root; none where no network's identity is asked for. */
  readonly issuers: readonly IssuerInChain[];
}

export const unprovenPeer: ProvenPeer = { routerId: undefined, networkId: undefined, user: null, issuers: [] };

/**
 * Checks the certificate of a peer after the TLS handshake and reads its identity; a string is the reason to refuse. With `networkId`
 * the peer must be a router of that network; without, a certificate of the profile's authority is enough.
 */
export function provePeer(socket: TLSSocket, networkId: string | undefined, required: boolean): ProvenPeer | string {
  const certificate = socket.getPeerX509Certificate();
  const user = certificate?.subject ?? null;
  if (networkId !== undefined) {
    const verdict = verifyPeer(socket, networkId);
    return verdict.accepted ? { routerId: verdict.identity.routerId, networkId, user, issuers: issuersOfPeer(socket) } : verdict.reason;
  }
  if (certificate === undefined) return required ? 'the peer sent no certificate' : unprovenPeer;
  if (!socket.authorized) return explainTlsFailure(String(socket.authorizationError ?? 'unknown'));
  const identity = identityFromSubjectAltName(certificate.subjectAltName ?? '');
  return { routerId: identity?.routerId, networkId: identity?.networkId, user, issuers: [] };
}
