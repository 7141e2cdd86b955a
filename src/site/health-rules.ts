import { entityNames } from './derive.ts';
import type { HealthCode } from './health-codes.ts';
import type { HealthObservation, SeenClock, SeenEvent } from './health-observation.ts';
import { healthWarning, type Finding, type HealthSubject, type HealthWarning } from './health.ts';
import { resourceKey, resourcesOf } from './resource-types.ts';
import type { ReportedResource } from './status.ts';

/** The end of a membership is told this long before: time to get a token from somebody. */
const membershipNoticeMs: number = 14 * 24 * 3_600_000;
/** Clocks further apart are reported. Certificates have minutes of tolerance at their start; a host with a time service is within a second. */
export const clockToleranceMs = 30_000;
/** A link that one end reports for this long is no link that just comes up: its other end tells within a second or two. */
export const oneSidedMs = 5000;
/** Losses of one neighbour within the time that is watched. One is a restart, two may be. */
const unstableLosses = 3;
/** Starts after an unexpected end. */
const restartedOften = 3;
/** Of many cases with one cause this many are told one by one. */
const maxNamed = 10;
/** Resources that fail are told one by one up to this many: each wants something else to be done, but nobody reads thousands. */
const maxFailing = 100;

/** Everything that is wrong with the site, in no particular order. */
export function judgeHealth(seen: HealthObservation): readonly HealthWarning[] {
  const warnings: HealthWarning[] = [];
  const report: Report = (code, finding) => warnings.push(healthWarning(code, finding));
  judgeProcess(seen, report);
  judgeClocks(seen, report);
  judgeTrust(seen, report);
  judgeCertificates(seen, report);
  judgeLinks(seen, report);
  judgeNeighbours(seen, report);
  judgeNetwork(seen, report);
  judgeResources(seen, report);
  judgeAddresses(seen, report);
  return warnings;
}

type Report = (code: HealthCode, finding: Finding) => void;

const thisSite: HealthSubject = { kind: 'site', name: '' };

function judgeProcess({ failure, audit, limits, unexpectedStarts, observerFailure, van }: HealthObservation, report: Report): void {
  const full = [failure, audit.failure].find((problem) => problem?.code === 'disk-full');
  if (full !== undefined) {
    report('disk-full', { subject: thisSite, text: 'the disk is full', evidence: full.text, remedy: 'df -h, then make room' });
  }
  if (failure !== undefined && failure.code !== 'disk-full') {
    report('router-not-configured', { subject: thisSite, text: failure.text, remedy: `${van} site logs` });
  }
  if (audit.lost > 0) {
    report('audit-incomplete', {
      subject: thisSite,
      text: `${count(audit.lost, 'event')} could not be written to the audit log`,
      evidence: audit.failure?.text ?? 'it can be written again',
      remedy: `${van} site audit`,
    });
  }
  if (observerFailure !== undefined) {
    report('observer-down', {
      subject: thisSite,
      text: 'the observer of this site does not run',
      evidence: observerFailure,
      remedy: `${van} site logs`,
    });
  }
  for (const { limit, count: times } of limits.slice(0, maxNamed)) {
    report('limit-reached', {
      subject: thisSite,
      text: `the limit '${limit}' was reached`,
      evidence: `${count(times, 'time')} in the last minutes`,
      remedy: `${van} network status`,
    });
  }
  if (unexpectedStarts >= restartedOften) {
    report('restarted-often', {
      subject: thisSite,
      text: `the site was started ${unexpectedStarts} times within an hour after an end that nobody asked for`,
      remedy: `${van} site logs --lines 200`,
    });
  }
}

/** With two neighbours or more the majority is right; with one nobody knows whose clock is wrong. */
function judgeClocks(seen: HealthObservation, report: Report): void {
  const clocks = new Map<string, SeenClock>();
  const { links = [], neighbours = [] } = seen.probes ?? {};
  const asked = [...links, ...neighbours].flatMap(({ clock }) => clock ?? []);
  // The last that was asked counts: `van check` asks now, the links told when they came up.
  for (const clock of [...seen.clocks, ...asked]) clocks.set(clock.routerId, clock);
  const wrong = [...clocks.values()].filter(({ aheadMs, uncertaintyMs }) => Math.abs(aheadMs) - uncertaintyMs > clockToleranceMs);
  if (wrong.length === 0) return;
  const remedy = 'timedatectl status';
  const isOwn = clocks.size > 1 && wrong.length * 2 > clocks.size;
  if (isOwn) {
    report('clock-differs', {
      subject: thisSite,
      related: wrong.map(({ routerId }) => router(routerId)),
      text: `the clock of this site is ${differenceText(wrong[0]?.aheadMs ?? 0, true)} those of its neighbours`,
      evidence: wrong.slice(0, maxNamed).map(clockText).join('; '),
      remedy,
    });
    return;
  }
  for (const clock of wrong.slice(0, maxNamed)) {
    report('peer-clock-differs', {
      subject: router(clock.routerId),
      related: linksTo(seen, clock.routerId),
      text: `the clock of '${clock.name}' is ${differenceText(clock.aheadMs, false)} that of this site`,
      evidence: clockText(clock),
      remedy: `${remedy}, at both sites`,
    });
  }
}

function secondsText(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

function differenceText(aheadMs: number, own: boolean): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const amount = seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
  return `${amount} ${aheadMs > 0 === own ? 'behind' : 'ahead of'}`;
}

function clockText({ name, aheadMs, uncertaintyMs }: SeenClock): string {
  const sign = aheadMs < 0 ? '-' : '+';
  return `${name} ${sign}${(Math.abs(aheadMs) / 1000).toFixed(1)} s (± ${(uncertaintyMs / 1000).toFixed(1)} s)`;
}

function judgeTrust(seen: HealthObservation, report: Report): void {
  const { trust, sites, events, van } = seen;
  if (trust.revoked !== undefined) {
    report('site-revoked', {
      subject: thisSite,
      text: 'this site was revoked: no other site accepts it any more',
      evidence: trust.revoked,
      remedy: `get a new token and ${van} token redeem FILE: the site gets a new identity`,
    });
  }
  if (trust.isFenced) {
    report('site-fenced', {
      subject: thisSite,
      text: 'this site has fenced itself: another process uses its identity',
      remedy: `stop the other process, then ${van} site stop and ${van} site start`,
    });
  }
  if (trust.isSigning === false) {
    report('site-not-signing', {
      subject: thisSite,
      text: 'this site does not sign what it says: no issuer has certified its signing key yet',
      remedy: `upgrade the issuer and make it reachable; ${van} site status shows when the site signs`,
    });
  }
  for (const { routerId, name, text } of trust.revokedSites.slice(0, maxNamed)) {
    report('site-revoked-elsewhere', {
      subject: router(routerId),
      text: `'${name}' was revoked`,
      evidence: text,
      remedy: 'none is needed',
    });
  }
  for (const { name, routerId } of sites.filter((site) => !site.signed && site.relation === 'direct').slice(0, maxNamed)) {
    report('neighbour-unsigned', {
      subject: router(routerId),
      text: `'${name}' cannot prove who it is: its link is unsigned`,
      remedy: `accept it, or set require-signed in the settings of the Site: ${van} apply -f FILE`,
    });
  }
  for (const event of events.slice(0, 4 * maxNamed)) report(event.kind, eventFinding(event, seen));
}

function eventFinding({ kind, about, count: times, evidence }: SeenEvent, seen: HealthObservation): Finding {
  const { van, sites } = seen;
  const name = sites.find(({ routerId }) => routerId === about)?.name ?? about;
  const who = name === '' ? 'somebody' : `'${name}'`;
  const finding = {
    subject: router(about),
    related: linksTo(seen, about),
    evidence: `${count(times, 'time')} in the last minutes${evidence === '' ? '' : `; ${evidence}`}`,
    remedy: `${van} site audit --since 1h`,
  };
  switch (kind) {
    case 'identity-conflict':
      return {
        ...finding,
        text: `the identity of ${about === seen.site.routerId || about === '' ? 'this site' : who} is used by two processes`,
      };
    case 'router-quarantined':
      return { ...finding, text: `${who} sent what no honest router sends and is refused for a while` };
    case 'routing-refused':
      return { ...finding, text: `routing information in the name of ${who} was not believed` };
    case 'grant-violation':
      return { ...finding, text: `${who} goes beyond the addresses it is granted` };
    default:
      return { ...finding, text: `a link from ${who} was refused` };
  }
}

function judgeCertificates({ trust, wallMs, timeText, van }: HealthObservation, report: Report): void {
  const { leafExpiresAtMs, renewalDueAtMs, membershipEndsAtMs } = trust;
  if (membershipEndsAtMs !== undefined) {
    const evidence = `it ends at ${timeText(membershipEndsAtMs)}`;
    const remedy = `get a new token and ${van} token redeem FILE`;
    if (wallMs >= membershipEndsAtMs) {
      report('membership-ended', { subject: thisSite, text: 'the membership of this site has ended', evidence, remedy });
    } else if (membershipEndsAtMs - wallMs < membershipNoticeMs) {
      report('membership-ends-soon', { subject: thisSite, text: 'the membership of this site ends soon', evidence, remedy });
    }
  }
  if (leafExpiresAtMs === undefined) return;
  const remedy = `make an issuer reachable; ${van} site logs shows what the issuers answered`;
  if (wallMs >= leafExpiresAtMs) {
    report('certificate-ended', {
      subject: thisSite,
      text: 'the TLS certificate of this site has ended and could not be renewed',
      evidence: `it ended at ${timeText(leafExpiresAtMs)}, now it is ${timeText(wallMs)}`,
      remedy,
    });
  } else if (renewalDueAtMs !== undefined && wallMs > (renewalDueAtMs + leafExpiresAtMs) / 2) {
    report('certificate-not-renewing', {
      subject: thisSite,
      text: 'the TLS certificate of this site is not being renewed',
      evidence: `due since ${timeText(renewalDueAtMs)}, it ends at ${timeText(leafExpiresAtMs)}`,
      remedy,
    });
  }
}

function judgeLinks(seen: HealthObservation, report: Report): void {
  const { resources, connectors, probes, losses, van } = seen;
  for (const link of resourcesOf(resources, 'Link')) {
    const { name } = link.metadata;
    const states = entityNames(link).flatMap((entity) => connectors.get(entity) ?? []);
    const failed = states.find(({ connectionStatus }) => connectionStatus === 'FAILED');
    const isUp = states.some(({ connectionStatus }) => connectionStatus === 'SUCCESS');
    const tried = probes?.links.filter((probe) => probe.link === name) ?? [];
    const related = tried.flatMap(({ routerId }) => (routerId === undefined ? [] : [router(routerId)]));
    if (!isUp && failed !== undefined) {
      report('link-down', {
        subject: { kind: 'link', name },
        related,
        text: `the link '${name}' is down`,
        evidence: failed.connectionMsg,
        remedy: `${van} link status ${name}; at the other site: van check`,
      });
    }
    for (const { place, outcome, evidence } of tried) {
      // A link with several endpoints needs one of them.
      if (outcome === 'reached' || isUp) continue;
      const remedy =
        outcome === 'unreachable'
          ? `at the other site: van site start, and open ${place} in its firewall`
          : `${van} link delete ${name}, then redeem a new token`;
      report(outcome === 'unreachable' ? 'link-endpoint-unreachable' : 'link-peer-not-proven', {
        subject: { kind: 'link', name },
        related,
        text:
          outcome === 'unreachable'
            ? `${place} of the link '${name}' cannot be reached`
            : `what listens at ${place} is not a site of this network`,
        evidence,
        remedy,
      });
    }
  }
  for (const { routerId, name, count: times } of losses.filter((loss) => loss.count >= unstableLosses).slice(0, maxNamed)) {
    report('link-unstable', {
      subject: router(routerId),
      related: linksTo(seen, routerId),
      text: `the link with '${name}' goes up and down`,
      evidence: `lost ${count(times, 'time')} within ten minutes`,
      remedy: `${van} site logs`,
    });
  }
}

/** What the neighbours said when they were asked about their links with this site. */
function judgeNeighbours(seen: HealthObservation, report: Report): void {
  const { probes, trust, site, van } = seen;
  for (const probe of probes?.neighbours.slice(0, 4 * maxNamed) ?? []) {
    const { routerId, name, outcome, uptimeMs, costHere, costThere } = probe;
    const about = { subject: router(routerId), related: linksTo(seen, routerId) };
    if (outcome === 'silent') {
      report('neighbour-silent', {
        ...about,
        text: `'${name}' does not answer over its link`,
        evidence: `the link has been up for ${secondsText(uptimeMs)}; no answer within 3 s`,
        remedy: `${van} ping ${name}; at '${name}': van check`,
      });
    }
    // While a link comes up its ends do not know all of each other.
    if (outcome !== 'answered' || uptimeMs < oneSidedMs) continue;
    if (costHere !== undefined && costThere === undefined) {
      report('link-one-sided', {
        subject: router(routerId),
        related: [router(site.routerId), ...about.related],
        text: `this site uses its link with '${name}', which does not use it`,
        evidence: `'${name}' was asked just now; the link has been up for ${secondsText(uptimeMs)}`,
        remedy: `at '${name}': van check`,
      });
    }
    if (trust.isSigning === true && probe.trust !== undefined && probe.trust !== 'signed') {
      report('neighbour-doubts', {
        ...about,
        text: `'${name}' does not believe what this site signs`,
        evidence: `it holds this site to be ${probe.trust}`,
        remedy: `at '${name}': van check; then here: ${van} site stop and ${van} site start`,
      });
    }
  }
}

/** What the routers of the network say of one another. */
function judgeNetwork({ sites, oneSided, site, lost, van, wallMs, timeText }: HealthObservation, report: Report): void {
  const byId = new Map(sites.map((seen) => [seen.routerId, seen]));
  const nameOf = (routerId: string): string => byId.get(routerId)?.name ?? routerId;
  for (const { from, to } of oneSided.filter(({ sinceMs }) => sinceMs >= oneSidedMs).slice(0, maxNamed)) {
    report('link-one-sided', {
      subject: router(to),
      related: [router(from)],
      text: `'${nameOf(from)}' says that it has a link to '${nameOf(to)}', which does not say so`,
      remedy: 'van check, at both sites',
    });
  }
  const others = sites.filter(({ version, relation }) => relation !== 'self' && version !== null && version !== site.version);
  for (const { routerId, name, version } of others.slice(0, maxNamed)) {
    report('version-differs', {
      subject: router(routerId),
      text: `'${name}' runs version ${version ?? ''}, this site ${site.version}`,
      remedy: 'upgrade the older one, then restart its site: van site stop; van site start',
    });
  }
  // What is reached again need not have been told one by one.
  for (const { routerId, name, lastSeenMs } of lost.filter((gone) => !byId.has(gone.routerId)).slice(0, maxNamed)) {
    report('site-unreachable', {
      subject: router(routerId),
      text: `'${name}' cannot be reached any more`,
      evidence: `it could until ${timeText(Math.min(lastSeenMs, wallMs))}`,
      remedy: `${van} network status; at '${name}': van check`,
    });
  }
}

/** Resources that say themselves that something about them is wrong. */
function judgeResources({ resources, refusals, withheld, van }: HealthObservation, report: Report): void {
  const told = new Set<string>();
  const failing = resources.flatMap((resource) => {
    const message = failureOf(resource);
    return message === undefined ? [] : [{ resource, message }];
  });
  for (const { resource, message } of failing.slice(0, maxFailing)) {
    told.add(message);
    const { kind, metadata } = resource;
    const { name } = metadata;
    const finding = {
      subject: { kind: 'resource', name: `${kind}/${name}` },
      related: routingKeyOf(resource),
      text: `${kind} '${name}': ${message}`,
    } as const;
    if (withheld.has(resourceKey(resource))) {
      report('resource-failed', { ...finding, remedy: `mend it and ${van} apply -f FILE, or delete it` });
    } else if (kind === 'Listener' || kind === 'MultiKeyListener') {
      report('listener-port-closed', { ...finding, remedy: `${van} listener delete ${name}, then create it with another port or --host` });
    } else if (kind === 'RouterAccess' || kind === 'Site') {
      report('link-port-closed', { ...finding, remedy: 'ss -ltnp shows what uses the port; or choose another port' });
    } else {
      report('resource-failed', { ...finding, remedy: `mend it and ${van} apply -f FILE, or delete it` });
    }
  }
  if (failing.length > maxFailing) {
    const left = failing.length - maxFailing;
    const text = `${count(left, 'more resource')} of the site ${left === 1 ? 'has' : 'have'} no effect`;
    report('resource-failed', { subject: thisSite, text, remedy: `${van} listener status; ${van} connector status` });
    return;
  }
  // What belongs to no resource alone, such as a certificate.
  for (const [entity, reason] of [...refusals].slice(0, maxFailing)) {
    if (told.has(reason)) continue;
    report('resource-failed', { subject: { kind: 'resource', name: entity }, text: `${entity}: ${reason}`, remedy: `${van} site logs` });
  }
}

function failureOf(resource: ReportedResource): string | undefined {
  return resource.status?.conditions.find(({ status, reason }) => status === 'False' && reason === 'Error')?.message;
}

function routingKeyOf({ spec }: ReportedResource): readonly HealthSubject[] {
  const key = typeof spec === 'object' && 'routingKey' in spec ? spec.routingKey : undefined;
  return typeof key === 'string' ? [{ kind: 'address', name: key }] : [];
}

/** AMQP clients need no connector: they come through listeners, to send and to receive. */
function hasOnlyClients(types: readonly string[]): boolean {
  return types.length > 0 && types.every((type) => type === 'amqp');
}

function judgeAddresses({ services, probes, van }: HealthObservation, report: Report): void {
  const lonely = services.filter(
    ({ localListeners, connectors, types }) => localListeners > 0 && connectors === 0 && !hasOnlyClients(types),
  );
  for (const { routingKey } of lonely.slice(0, maxNamed)) {
    report('address-without-connector', {
      subject: { kind: 'address', name: routingKey },
      text: `nobody who can be reached offers '${routingKey}', which this site listens for`,
      evidence: 'its port is closed until somebody does',
      remedy: `where the server is: van connector create ${routingKey} PORT`,
    });
  }
  const mixed = services.filter(({ isOwn, types }) => isOwn && new Set(types.map(familyOf)).size > 1);
  for (const { routingKey, types } of mixed.slice(0, maxNamed)) {
    report('service-type-differs', {
      subject: { kind: 'address', name: routingKey },
      text: `listeners and connectors of '${routingKey}' are of different types: ${types.join(', ')}`,
      evidence: 'connectors refuse what comes from a listener of another type',
      remedy: `${van} service status ${routingKey}, then delete and create with --type what is of the wrong one`,
    });
  }
  for (const { connector, place, failure } of probes?.servers ?? []) {
    if (failure === '') continue;
    report('connector-server-down', {
      subject: { kind: 'resource', name: `Connector/${connector}` },
      text: `the server of connector '${connector}' at ${place} does not accept connections`,
      evidence: failure,
      remedy: `start the server, or ${van} connector delete ${connector}`,
    });
  }
}

/** Types that go together. */
function familyOf(type: string): string {
  return type === 'http2' ? 'http' : type;
}

function router(routerId: string): HealthSubject {
  return { kind: 'router', name: routerId };
}

/** Links of this site that lead to a router: those that are up, and those that `van check` has found it at. */
function linksTo({ resources, connectors, probes }: HealthObservation, routerId: string): readonly HealthSubject[] {
  const leads = (link: string, entities: readonly string[]): boolean =>
    entities.some((entity) => connectors.get(entity)?.remoteContainer === routerId) ||
    probes?.links.some((probe) => probe.link === link && probe.routerId === routerId) === true;
  return resourcesOf(resources, 'Link')
    .filter((link) => leads(link.metadata.name, entityNames(link)))
    .map(({ metadata }) => ({ kind: 'link', name: metadata.name }));
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
