import type { TLSSocket } from 'node:tls';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import type { RouterIdentity } from '../pki/identity.ts';

export type PeerVerdict =
  | { readonly accepted: true; readonly identity: RouterIdentity }
  | { readonly accepted: false; readonly code: string; readonly reason: string };

/**
 * Who is at the other end of a link's TLS connection, after its handshake. TLS has checked the chain against the root
 * (signatures, validity, path length, name constraints, purpose); a server that asks for certificates without rejecting
 * connections by itself finds here what TLS found. Host names are not looked at, the name that counts is the router's:
 * the side that dials connects with `checkServerIdentity: () => undefined`.
 */
export function verifyPeer(socket: TLSSocket, networkId: string): PeerVerdict {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return refuse('no-certificate', 'the peer sent no certificate');
  if (!socket.authorized) {
    // Node declares an Error, but what is there is the code of the check that failed.
    const code = String(socket.authorizationError ?? 'unknown');
    return refuse('untrusted', explainTlsFailure(code));
  }
  const identity = identityFromSubjectAltName(certificate.subjectAltName ?? '');
  if (identity === undefined) return refuse('no-identity', 'the certificate of the peer does not name one router');
  if (identity.networkId !== networkId) return refuse('wrong-network', `the peer is of network ${identity.networkId}`);
  return { accepted: true, identity };
}

/** OpenSSL's verification results (`X509_V_ERR_...`, as Node names them) in an operator's words. `issuer`: who should have issued the certificate. */
export function explainTlsFailure(code: string, issuer = 'in this network'): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'the certificate of the peer has ended, or the clocks of the two hosts differ';
    case 'CERT_NOT_YET_VALID':
      return 'the certificate of the peer is not valid yet: compare the clocks of the two hosts';
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
      return `the certificate of the peer was not issued ${issuer}`;
    case 'INVALID_PURPOSE':
      return 'the certificate of the peer is not made for TLS';
    case 'PATH_LENGTH_EXCEEDED':
    case 'INVALID_CA':
      return 'the certificate of the peer comes from an issuer that may not issue it';
    case 'UNSPECIFIED':
      // Node has no name for these: a violated name constraint, an issuer that is none, a weak key or signature, a critical extension.
      return 'the certificate of the peer breaks a limit that its issuer is under, such as the names it may give, or is made too weakly';
    default:
      return `the certificate of the peer was refused (${code})`;
  }
}

function refuse(code: string, reason: string): PeerVerdict {
  return { accepted: false, code, reason };
}
