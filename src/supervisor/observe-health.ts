import type { Clock } from '../base/clock.ts';
import type { AuditLog } from '../host/audit-log.ts';
import { describeRevocation } from '../host/revocations.ts';
import type { TrustStore } from '../host/trust-store.ts';
import type { ConnectorState } from '../management/operational-entities.ts';
import type { Router } from '../router/router.ts';
import { revokedPrefix } from '../router/trust-enforcement.ts';
import { acceptsLinks } from '../site/derive.ts';
import { serviceTypes } from '../site/derive-services.ts';
import type { HealthCode } from '../site/health-codes.ts';
import type { HealthObservation, Problem, SeenClock, SeenProbes } from '../site/health-observation.ts';
import { resourcesOf } from '../site/resource-types.ts';
import type { ReportedResource } from '../site/status.ts';
import type { HealthMonitor } from './health-monitor.ts';
import type { NetworkView } from './network-view.ts';
import type { ObserverProcessState } from './observer-process.ts';

export interface HealthSources {
  readonly namespace: string;
  readonly version: string;
  readonly siteName: string;
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly router: Router | undefined;
  readonly withheld: ReadonlySet<string>;
  readonly refusals: ReadonlyMap<string, string>;
  readonly monitor: HealthMonitor;
  readonly audit: Pick<AuditLog, 'state'>;
  readonly unexpectedStarts: number;
  readonly resources: readonly ReportedResource[];
  readonly network: NetworkView | undefined;
  readonly failure: Problem | undefined;
  readonly observer: ObserverProcessState | undefined;
  readonly probes?: SeenProbes;
}

/** Gathers what the rules of health judge. */
export function observeHealth(sources: HealthSources): HealthObservation {
  const { namespace, version, siteName, clock, trust, router, monitor, audit, network } = sources;
  const { lost, failure } = audit.state;
  const ownKeys = new Set(serviceTypes(sources.resources).keys());
  return {
    wallMs: clock.wallMs(),
    timeText: (wallMs) => new Date(wallMs).toISOString(),
    van: namespace === 'default' ? 'van' : `van -n ${namespace}`,
    site: { name: siteName, routerId: router?.routerId ?? '', version },
    resources: sources.resources,
    failure: sources.failure,
    withheld: sources.withheld,
    refusals: sources.refusals,
    connectors: connectorStates(router),
    sites: network?.sites ?? [],
    oneSided: monitor.oneSidedLinks(network?.sites ?? []),
    services: (network?.services ?? []).map(({ routingKey, connectors, localListeners, types }) => ({
      routingKey,
      connectors: connectors.length,
      localListeners: localListeners.length,
      types,
      isOwn: ownKeys.has(routingKey),
    })),
    trust: {
      networkId: trust.networkId,
      leafExpiresAtMs: trust.leafExpiresAtMs,
      renewalDueAtMs: trust.renewalDueAtMs,
      membershipEndsAtMs: trust.membershipEndsAtMs,
      revoked: ownRevocation(trust, router),
      isFenced: monitor.isFenced,
      isSigning: trust.networkId === undefined ? undefined : trust.signingCredentials !== undefined,
      revokedSites: (trust.revocations?.all ?? [])
        .filter(({ routerId }) => routerId !== trust.routerId)
        .map((revocation) => ({ routerId: revocation.routerId, name: revocation.siteName, text: describeRevocation(revocation) })),
    },
    clocks: peerClocks(router, clock, network),
    events: monitor.events,
    limits: [...monitor.limits, ...openFilesLimit(router)],
    lost: monitor.lost,
    losses: monitor.losses,
    unexpectedStarts: sources.unexpectedStarts,
    observerFailure: sources.observer?.message ?? undefined,
    audit: { lost, failure: failure === undefined ? undefined : { code: failure.code, text: failure.reason } },
    probes: sources.probes,
  };
}

/** By whom this site was revoked, when and why: from the statement, or as neighbours tell it when they refuse the link. */
export function ownRevocation(trust: TrustStore, router: Router | undefined): string | undefined {
  if (trust.ownRevocation !== undefined) return describeRevocation(trust.ownRevocation);
  for (const { connectionMsg } of connectorStates(router).values()) {
    const at = connectionMsg.indexOf(revokedPrefix);
    if (at !== -1) return `a neighbour says: ${connectionMsg.slice(at)}`;
  }
  return undefined;
}

export function connectorStates(router: Router | undefined): ReadonlyMap<string, ConnectorState> {
  const states = new Map<string, ConnectorState>();
  for (const { name } of router?.configuration.connectors ?? []) {
    const state = router?.connector(name)?.state;
    if (state !== undefined) states.set(name, state);
  }
  return states;
}

/** The limit of open files, as one more that was met. */
function openFilesLimit(router: Router | undefined): readonly { limit: string; count: number }[] {
  const count = router?.socketsRefusedLately ?? 0;
  return count === 0 ? [] : [{ limit: 'open files', count }];
}

/** The clocks of the neighbours, as far as they told them when their links came up. */
function peerClocks(router: Router | undefined, clock: Clock, network: NetworkView | undefined): readonly SeenClock[] {
  const names = new Map(network?.sites.map(({ routerId, name }) => [routerId, name]));
  return (router?.links ?? []).flatMap(({ neighbour, peerClock }) => {
    const { routerId } = neighbour;
    if (!neighbour.isUp || peerClock === undefined) return [];
    const aheadMs = peerClock.offsetMs + clock.nowMs() - clock.wallMs();
    return [{ routerId, name: names.get(routerId) ?? routerId, aheadMs, uncertaintyMs: peerClock.uncertaintyMs }];
  });
}

/** Checks that there is nothing for at this site, or that have not been made. */
export function skippedChecks({ resources, trust, sites, probes, clocks, services }: HealthObservation): ReadonlySet<HealthCode> {
  const skipped = new Set<HealthCode>();
  const skip = (isSkipped: boolean, ...codes: readonly HealthCode[]): void => {
    if (isSkipped) for (const code of codes) skipped.add(code);
  };
  const has = (...kinds: readonly string[]): boolean => resources.some(({ kind }) => kinds.includes(kind));
  const isAccepting = has('RouterAccess') || resourcesOf(resources, 'Site').some(acceptsLinks);
  skip(
    trust.networkId === undefined,
    'site-revoked',
    'identity-conflict',
    'site-fenced',
    'site-not-signing',
    'site-revoked-elsewhere',
    'grant-violation',
    'routing-refused',
  );
  skip(trust.membershipEndsAtMs === undefined, 'membership-ended', 'membership-ends-soon');
  skip(trust.leafExpiresAtMs === undefined, 'certificate-ended', 'certificate-not-renewing');
  skip(clocks.length === 0 && probes?.links.every(({ clock }) => clock === undefined) !== false, 'clock-differs', 'peer-clock-differs');
  skip(!has('Link'), 'link-down');
  skip(probes === undefined || probes.links.length === 0, 'link-endpoint-unreachable', 'link-peer-not-proven');
  skip(probes === undefined || probes.servers.length === 0, 'connector-server-down');
  const answered = probes?.neighbours.filter(({ outcome }) => outcome === 'answered') ?? [];
  skip(probes?.neighbours.every(({ outcome }) => outcome === 'unable') !== false, 'neighbour-silent');
  skip(answered.length === 0 || trust.isSigning !== true, 'neighbour-doubts');
  skip(!isAccepting, 'link-port-closed', 'link-refused');
  skip(
    sites.length < 2,
    'link-one-sided',
    'link-unstable',
    'version-differs',
    'site-unreachable',
    'neighbour-unsigned',
    'router-quarantined',
  );
  skip(!has('Listener', 'MultiKeyListener'), 'listener-port-closed');
  skip(
    services.every(({ localListeners }) => localListeners === 0),
    'address-without-connector',
  );
  skip(!has('Listener', 'MultiKeyListener', 'Connector'), 'service-type-differs');
  return skipped;
}
