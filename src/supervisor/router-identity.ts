import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AddressGrant } from '../base/address-grant.ts';
import type { Random } from '../base/random.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { identityFromSubjectAltName, newRouterId } from '../pki/identity.ts';
import type { SiteIdentity } from '../site/derive.ts';
import type { NamedCertificates } from '../site/derive-services.ts';
import { resourcesOf, type Resource } from '../site/resource-types.ts';
import type { SiteLayout } from '../site/state-layout.ts';
import type { CertificateFolders } from './certificate-files.ts';

/** Who a site's router is. */
export class RouterIdentities {
  readonly #layout: SiteLayout;
  readonly #trust: TrustStore;
  readonly #certificates: CertificateFolders;
  readonly #random: Random;

  constructor(layout: SiteLayout, trust: TrustStore, certificates: CertificateFolders, random: Random) {
    this.#layout = layout;
    this.#trust = trust;
    this.#certificates = certificates;
    this.#random = random;
  }

  /**
   * In a network: what the site's certificate says. Outside: what the certificate of a Link says, if it came from a Caravan
   * site, for the other side accepts no other id with it; otherwise an id of the site's own making, the same at each start.
   */
  async current(resources: readonly Resource[], siteName: string, namespace: string, version: string): Promise<SiteIdentity> {
    const credentials = await this.#certificates.named(resources);
    const { identity } = this.#trust;
    const own = this.#trust.tlsCredentials();
    if (identity !== undefined && own !== undefined) {
      const { rights, signingCredentials, signingFolder } = this.#trust;
      const network = {
        id: identity.networkId,
        certificates: await this.#certificates.own(own),
        ...(signingCredentials === undefined || signingFolder === undefined
          ? {}
          : { signing: await this.#certificates.signing(signingCredentials, signingFolder) }),
        ...(rights === undefined
          ? {}
          : { grants: { advertise: new AddressGrant(rights.advertise), consume: new AddressGrant(rights.consume) } }),
      };
      return { routerId: identity.routerId, siteName: identity.siteName, namespace, version, network, credentials };
    }
    const routerId = (await givenRouterId(resources, credentials)) ?? (await this.#provisionalId(siteName));
    return { routerId, siteName, namespace, version, credentials };
  }

  async #provisionalId(siteName: string): Promise<string> {
    const path = `${this.#layout.routerFolder}/provisional-id`;
    const known = (await readFile(path, 'utf8').catch(() => '')).trim();
    if (known.startsWith(`${siteName}-`) && known.length === siteName.length + 9) return known;
    const made = newRouterId(siteName, this.#random);
    await writeFileAtomic(path, `${made}\n`);
    return made;
  }
}

async function givenRouterId(
  resources: readonly Resource[],
  credentials: ReadonlyMap<string, NamedCertificates>,
): Promise<string | undefined> {
  for (const { spec } of resourcesOf(resources, 'Link')) {
    const files = credentials.get(spec.tlsCredentials ?? '');
    if (files?.certFile === undefined) continue;
    try {
      const { subjectAltName } = new X509Certificate(await readFile(files.certFile));
      const routerId = identityFromSubjectAltName(subjectAltName ?? '')?.routerId;
      if (routerId !== undefined) return routerId;
    } catch {
      // Not a certificate: the router says so when it loads the profile.
    }
  }
  return undefined;
}
