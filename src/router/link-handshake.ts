import type { TLSSocket } from 'node:tls';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import { explainTlsFailure } from '../host/peer-identity.ts';

/** What a peer's certificate proves about it. */
export interface ProvenPeer {
  /** Router id from the URI in the certificate; undefined when it has none (a foreign PKI, or no TLS). */
  readonly routerId: string | undefined;
  readonly networkId: string | undefined;
  readonly user: string | null;
}

export const unprovenPeer: ProvenPeer = { routerId: undefined, networkId: undefined, user: null };

/**
 * Checks the certificate of a peer after the TLS handshake and reads its identity; a string is the reason to refuse. With `networkId`
 * the peer must be a router of that network; without, a certificate of the profile's authority is enough.
 */
export function provePeer(socket: TLSSocket, networkId: string | undefined, required: boolean): ProvenPeer | string {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return required || networkId !== undefined ? 'the peer sent no certificate' : unprovenPeer;
  if (!socket.authorized) return explainTlsFailure(String(socket.authorizationError ?? 'unknown'));
  const identity = identityFromSubjectAltName(certificate.subjectAltName ?? '');
  if (networkId !== undefined) {
    if (identity === undefined) return 'the certificate of the peer does not name one router';
    if (identity.networkId !== networkId) return `the peer is of network ${identity.networkId}`;
  }
  return { routerId: identity?.routerId, networkId: identity?.networkId, user: certificate.subject };
}
