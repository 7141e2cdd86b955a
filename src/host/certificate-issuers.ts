import { X509Certificate, createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { identityFromSubjectAltName } from '../pki/identity.ts';
import type { IssuerInChain } from '../pki/revocation.ts';
import { maxChainLength } from '../pki/verify-chain.ts';

/** The issuers in a chain of certificates (DER), in its order, as revocation looks at them. Nothing is verified here. */
export function issuersOfChain(chain: readonly Uint8Array[]): readonly IssuerInChain[] {
  return chain.map((der) => {
    const certificate = new X509Certificate(der);
    const key = certificate.publicKey.export({ type: 'spki', format: 'der' });
    const routerId = identityFromSubjectAltName(certificate.subjectAltName ?? '')?.routerId;
    return { keyHash: createHash('sha256').update(key).digest('hex'), routerId };
  });
}

/** The issuers above the certificate of a TLS peer, up to the root. TLS has verified the chain. */
export function issuersOfPeer(socket: TLSSocket): readonly IssuerInChain[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerCertificate(true);
  // The root is its own issuer.
  while (chain.length <= maxChainLength && certificate.issuerCertificate !== undefined && certificate.issuerCertificate !== certificate) {
    certificate = certificate.issuerCertificate;
    chain.push(certificate.raw);
  }
  return issuersOfChain(chain);
}
