import type { Clock } from '../base/clock.ts';
import type { AuditLog } from '../host/audit-log.ts';
import type { TrustStore } from '../host/trust-store.ts';
import { serviceListeners } from '../management/entities.ts';
import { revokedIssuerPrefix } from '../router/trust-enforcement.ts';
import { addressRows, connectionRows, nodeRows } from '../router/management-rows.ts';
import { acceptsLinks, entityNames, type Withheld } from '../site/derive.ts';
import { routingKeysOf, serviceTypes } from '../site/derive-services.ts';
import type { HealthObservation, Problem, SeenProbes } from '../site/health-observation.ts';
import { judgeHealth } from '../site/health-rules.ts';
import type { HealthWarning } from '../site/health.ts';
import { resourceKey, resourcesOf, type Resource } from '../site/resource-types.ts';
import { reportStatus, type ReportedResource } from '../site/status.ts';
import type { AccessGrants } from './access-grants.ts';
import type { AccessPoint } from './access-points.ts';
import type { HealthMonitor } from './health-monitor.ts';
import { networkView, type NetworkView } from './network-view.ts';
import { connectorStates, observeHealth, ownRevocation } from './observe-health.ts';
import { observeSite } from './observe-site.ts';
import type { ObserverProcessState } from './observer-process.ts';
import type { SiteRouter } from './site-router.ts';
import type { TokenRecords } from './token-records.ts';

export interface SiteViewSources {
  readonly namespace: string;
  readonly version: string;
  readonly monitor: HealthMonitor;
  readonly audit: Pick<AuditLog, 'state'>;
  /** Starts in the last hour after an end that nobody asked for. */
  readonly unexpectedStarts: number;
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly router: SiteRouter;
  readonly grants: AccessGrants;
  readonly records: TokenRecords;
  readonly observer: () => ObserverProcessState | undefined;
}

/** The site as it stands, besides what the sources know. */
export interface SiteState {
  readonly resources: readonly Resource[];
  readonly withheld: ReadonlyMap<string, Withheld>;
  readonly points: readonly AccessPoint[];
  readonly siteName: string;
  /** Why the router is not as the resources say; undefined when it is. */
  readonly failure: Problem | undefined;
}

/** What is kept does not grow with the network. */
function withoutNetwork(resource: ReportedResource): ReportedResource {
  if (resource.kind !== 'Site' || resource.status === undefined) return resource;
  const { network: _network, ...status } = resource.status;
  return { ...resource, status };
}

/** A site and its network at one moment. */
export interface SiteLook {
  /** Undefined while the router does not run. */
  readonly network: NetworkView | undefined;
  readonly resources: readonly ReportedResource[];
  readonly warnings: readonly HealthWarning[];
}

/** What a site can tell about itself and its network. Changes nothing. */
export class SiteView {
  readonly #sources: SiteViewSources;
  /** Conditions that did not change keep their time. */
  #reported: readonly ReportedResource[] = [];

  constructor(sources: SiteViewSources) {
    this.#sources = sources;
  }

  /** The resources with their status; with each site of the network in that of the Site when the view is to be `whole`. */
  report(state: SiteState, network: NetworkView | undefined = this.network(state.resources), isWhole = false): readonly ReportedResource[] {
    const { clock, router, grants, records } = this.#sources;
    const { resources, points, failure } = state;
    const observed = observeSite({
      resources,
      router: router.router,
      wallMs: clock.wallMs(),
      routerError: failure?.text ?? '',
      withheld: this.#withheld(state),
      refusals: router.refusals,
      accessPoints: points,
      network,
      isWhole,
      grants: grants.states(),
      tokens: records.states(resourcesOf(resources, 'AccessToken')),
    });
    const reported = reportStatus(resources, observed, new Date(clock.wallMs()).toISOString(), this.#reported);
    // What is kept does not grow with the network.
    this.#reported = isWhole ? reported.map(withoutNetwork) : reported;
    return grants.withCodes(reported);
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
      ports: serviceListeners(router.configuration).map((entity) => ({
        name: entity.name,
        ...('address' in entity ? { address: entity.address } : {}),
        host: entity.host,
        port: entity.port,
        boundPort: router.services.port(entity.type, entity.name)?.state.boundPort ?? 0,
      })),
      types: serviceTypes(resources),
      listenerKeys: new Map(listenerKeys),
    });
  }

  /** What is seen when health is judged, with what was tried out if anything was. */
  health(state: SiteState, probes?: SeenProbes): HealthObservation {
    const network = this.network(state.resources);
    return this.#observe(state, network, this.report(state, network), probes);
  }

  /** The network, the resources and what is wrong with them, all of one moment; the network is gone through once. */
  look(state: SiteState, isWhole: boolean): SiteLook {
    const network = this.network(state.resources);
    const resources = this.report(state, network, isWhole);
    return { network, resources, warnings: judgeHealth(this.#observe(state, network, resources, undefined)) };
  }

  #observe(
    state: SiteState,
    network: NetworkView | undefined,
    resources: readonly ReportedResource[],
    probes: SeenProbes | undefined,
  ): HealthObservation {
    const { namespace, version, clock, trust, router, monitor, audit, unexpectedStarts, observer } = this.#sources;
    return observeHealth({
      namespace,
      version,
      siteName: state.siteName,
      clock,
      trust,
      router: router.router,
      withheld: new Set(this.#withheld(state).keys()),
      refusals: router.refusals,
      monitor,
      audit,
      unexpectedStarts,
      resources,
      network,
      failure: state.failure,
      observer: observer(),
      ...(probes === undefined ? {} : { probes }),
    });
  }

  /** By whom this site was revoked, when and why: from the statement, or as neighbours tell it when they refuse the link. */
  get ownRevocation(): string | undefined {
    const { trust, router } = this.#sources;
    return ownRevocation(trust, router.router);
  }

  /** Whether a neighbour refuses this site's certificate for the issuer that it comes from. */
  get isCertificateRefused(): boolean {
    const { router } = this.#sources.router;
    return [...connectorStates(router).values()].some(({ connectionMsg }) => connectionMsg.includes(revokedIssuerPrefix));
  }

  warnings(state: SiteState): readonly HealthWarning[] {
    return judgeHealth(this.health(state));
  }
}
