import type { Clock } from '../base/clock.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { addressRows, connectionRows, nodeRows, tcpListenerRows } from '../router/management-rows.ts';
import { acceptsLinks, entityNames, routingKeysOf, type Withheld } from '../site/derive.ts';
import { resourceKey, resourcesOf, type Resource } from '../site/resource-types.ts';
import { reportStatus, type ReportedResource } from '../site/status.ts';
import type { AccessGrants } from './access-grants.ts';
import type { AccessPoint } from './access-points.ts';
import { networkView, type NetworkView } from './network-view.ts';
import { observeSite } from './observe-site.ts';
import type { SiteRouter } from './site-router.ts';
import type { TokenRecords } from './token-records.ts';

export interface SiteViewSources {
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly router: SiteRouter;
  readonly grants: AccessGrants;
  readonly records: TokenRecords;
}

/** The site as it stands, besides what the sources know. */
export interface SiteState {
  readonly resources: readonly Resource[];
  readonly withheld: ReadonlyMap<string, Withheld>;
  readonly points: readonly AccessPoint[];
  /** Why the router is not as the resources say; empty when it is. */
  readonly failure: string;
}

/** The end of a membership is told this long before: time to get a token from somebody. */
const membershipNoticeMs: number = 14 * 24 * 3_600_000;

/** What a site can tell about itself and its network. Changes nothing. */
export class SiteView {
  readonly #sources: SiteViewSources;
  /** Conditions that did not change keep their time. */
  #reported: readonly ReportedResource[] = [];

  constructor(sources: SiteViewSources) {
    this.#sources = sources;
  }

  report(state: SiteState): readonly ReportedResource[] {
    const { clock, router, grants, records } = this.#sources;
    const { resources, points, failure } = state;
    const observed = observeSite({
      resources,
      router: router.router,
      routerError: failure,
      withheld: this.#withheld(state),
      refusals: router.refusals,
      accessPoints: points,
      network: this.network(resources),
      grants: grants.states(),
      tokens: records.states(resourcesOf(resources, 'AccessToken')),
    });
    this.#reported = reportStatus(resources, observed, new Date(clock.wallMs()).toISOString(), this.#reported);
    return grants.withCodes(this.#reported);
  }

  #withheld({ resources, withheld }: SiteState): ReadonlyMap<string, Withheld> {
    const all = new Map([...withheld, ...this.#sources.grants.withheld]);
    const access = resourcesOf(resources, 'RouterAccess').map((resource) => all.get(resourceKey(resource)));
    const [reason] = access;
    for (const site of resourcesOf(resources, 'Site')) {
      // What the Site asks for is there by its RouterAccess, and so is what keeps it from being there.
      if (acceptsLinks(site) && reason !== undefined && !access.includes(undefined)) all.set(resourceKey(site), reason);
    }
    return all;
  }

  /** The whole network; undefined while the router does not run. */
  network(resources: readonly Resource[]): NetworkView | undefined {
    const { trust, router: siteRouter } = this.#sources;
    const { router, siteData } = siteRouter;
    if (router === undefined) return undefined;
    const listenerKeys = resourcesOf(resources, 'MultiKeyListener').flatMap((resource) =>
      entityNames(resource).map((name) => [name, routingKeysOf(resource)] as const),
    );
    return networkView({
      networkId: trust.networkId ?? null,
      nodes: nodeRows(router, Object.fromEntries(siteData)),
      addresses: addressRows(router),
      connections: connectionRows(router),
      tcpListeners: tcpListenerRows(router),
      listenerKeys: new Map(listenerKeys),
    });
  }

  warnings({ resources, failure }: SiteState): readonly string[] {
    const { clock, trust, router } = this.#sources;
    const warnings = [...router.refusals].map(([entity, reason]) => `${entity}: ${reason}`);
    if (failure !== '') warnings.push(failure);
    const { leafExpiresAtMs, membershipEndsAtMs } = trust;
    const wallMs = clock.wallMs();
    if (leafExpiresAtMs !== undefined && wallMs >= leafExpiresAtMs) {
      warnings.push('the certificate of this site has ended and could not be renewed: links cannot be set up until an issuer is reachable');
    }
    if (membershipEndsAtMs !== undefined && membershipEndsAtMs - wallMs < membershipNoticeMs) {
      warnings.push(`the membership of this site ends at ${new Date(membershipEndsAtMs).toISOString()}: redeem a new token before`);
    }
    const unsigned = this.network(resources)?.sites.filter((site) => !site.signed && site.relation === 'direct') ?? [];
    for (const { name } of unsigned) warnings.push(`'${name}' cannot prove who it is: its link is unsigned`);
    return warnings;
  }
}
