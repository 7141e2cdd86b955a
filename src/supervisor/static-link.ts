import { WeatherError } from '../base/errors.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { createCertificateRequest } from '../pki/certificate-request.ts';
import type { LinkEndpoint } from '../pki/grant.ts';
import { generatePrivateKey } from '../pki/keys.ts';
import { maxLeafLifetimeMs } from '../pki/membership.ts';
import type { PkiCrypto } from '../pki/pki-crypto.ts';
import { formatResources } from '../site/resources.ts';
import type { Resource } from '../site/resource-types.ts';

export interface StaticLinkOptions {
  /** Name of the Link and its Secret, and the proposed name of the site that uses it. */
  readonly name: string;
  readonly cost: number;
}

export interface StaticLink {
  /** A Secret and a Link, YAML. */
  readonly link: string;
  /** The id that the router which uses it must have. */
  readonly routerId: string;
  /** The certificate in it ends then; nothing renews it. RFC 3339. */
  readonly expirationTime: string;
}

/**
 * A Link that brings its certificates along, for a site that cannot redeem a token. Its key is made here, so that whoever
 * reads the file can pose as that site: a token is better where one can be used. The certificate has the longest life there is.
 */
export async function makeStaticLink(
  trust: TrustStore,
  crypto: PkiCrypto,
  endpoints: readonly LinkEndpoint[],
  options: StaticLinkOptions,
): Promise<StaticLink> {
  const [endpoint] = endpoints;
  if (endpoint === undefined) throw new Error('bug: a static link needs an endpoint');
  const { name, cost } = options;
  // By the way of a token that is used up at once: the register of who was admitted has one form.
  const token = await trust.issueToken(endpoint, { name, siteName: name, leafLifetimeMs: maxLeafLifetimeMs });
  const key = await generatePrivateKey(crypto);
  const csr = await createCertificateRequest(crypto, key);
  const result = await trust.redeem(token.grantId, { code: token.code, csr, hosts: [], siteName: name }, 'static link');
  if (result.outcome !== 'admitted') throw new WeatherError('link-not-made', `the certificate was refused: ${result.verdict}`);
  const { certificate, ca, routerId } = result.admission;
  const resources: Resource[] = [
    {
      kind: 'Secret',
      metadata: { name },
      spec: { type: 'kubernetes.io/tls', data: { 'ca.crt': base64(ca), 'tls.crt': base64(certificate), 'tls.key': base64(key) } },
    },
    {
      kind: 'Link',
      metadata: { name },
      spec: {
        endpoints: endpoints.map(({ host, port }) => ({ name: 'inter-router', host, port: String(port) })),
        tlsCredentials: name,
        cost,
      },
    },
  ];
  const grant = trust.grants.find(({ id }) => id === token.grantId);
  const expiresAtMs = (grant?.createdAtMs ?? 0) + maxLeafLifetimeMs;
  return { link: formatResources(resources), routerId, expirationTime: new Date(expiresAtMs).toISOString() };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
