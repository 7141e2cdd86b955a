import { maxAddressPatternLength } from '../base/address-grant.ts';
import { InputError } from '../base/errors.ts';
import {
  lineLimitBytes,
  respond,
  statusCodes,
  type ManagementRequest,
  type ManagementResponse,
} from '../management/management-protocol.ts';
import { flag, integer, list, optional, record, required, text, textMap, withDefault, type Fields } from '../management/schema.ts';
import { defaultExpirationWindowMs, maxRedemptions, type GrantOptions } from '../pki/grant.ts';
import { maxPathLength } from '../pki/membership.ts';
import { maxReasonLength, type VerifiedRevocation } from '../pki/revocation.ts';
import { failure } from '../router/management.ts';
import { rootCauses, type RootCause } from '../site/health.ts';
import { plainResource, siteName } from '../site/resources.ts';
import type { LineStream } from '../host/line-server.ts';
import type { NetworkView } from './network-view.ts';
import type { ObserverProcessState } from './observer-process.ts';
import type { PublishOptions } from './site-events.ts';
import { maxLingerMs, type ObserveOptions } from './site-flows.ts';
import { leastIntervalMs, type PingRequestOptions } from './site-pings.ts';
import type { SiteSupervisor } from './site-supervisor.ts';

/**
 * The operations of a site, beside those of its router (QUERY, READ, CREATE, UPDATE, DELETE):
 *
 *     STATUS         {network?: true}                    -> SiteStatusBody, with each site of the network in the status of the Site
 *     APPLY          {resources: YAML, where?}           -> {resources: [{kind, name, result}]}
 *     REMOVE         {kind, name}                        -> {}
 *     ISSUE-TOKEN    {name?, redemptionsAllowed?, expirationWindowMs?, issuer?, pathLength?, linkCost?, siteName?,
 *                     certificateLifetimeMs?, membershipLifetimeMs?, advertise?, consume?} -> IssuedToken
 *     REDEEM-TOKEN   {token: YAML, linkCost?, name?, where?} -> RedeemedLink
 *     REVOKE-SITE    {name, reason?}                     -> RevokedSite
 *     GENERATE-LINK  {name, cost?}                       -> StaticLink
 *     NETWORK        {}                                  -> NetworkReport
 *     CHECK          {}                                  -> CheckReport
 *     PING           {target, count?, intervalMs?, timeoutMs?} -> PingStarted, then PingReported and PingServers, all with the same id, PingDone last
 *     PUBLISH        {address, body: base64, contentType?, subject?, headers?, waitFor?, timeoutMs?} -> PublishedEvent
 *     SUBSCRIBE      {address}                           -> SubscribedBody, then a ReceivedEvent for each message, all with the same id
 *     OBSERVE        {detail?, logs?, lingerMs?}         -> ObservedBody, then a line for each message of flow records, or {lost: count}
 *     STOP           {drainMs?}                          -> {}
 *
 * `where` names the text in errors: the file it came from. A failed operation has the body {code, remedy?, where?}.
 */

/** Connections get this long to finish when nothing else is said. */
export const defaultDrainMs = 10_000;

export interface SiteStatusBody {
  readonly site: {
    readonly name: string;
    readonly namespace: string;
    readonly routerId: string;
    readonly openConnections: number;
  };
  /** Plain resources with their status, as Kubernetes would show them. */
  readonly resources: readonly Readonly<Record<string, unknown>>[];
  readonly pid: number;
  readonly version: string;
  readonly trust: {
    readonly state: 'none' | 'founder' | 'member';
    readonly networkId: string | null;
    readonly routerId: string | null;
    /** RFC 3339. */
    readonly leafExpires: string | null;
    readonly membershipEnds: string | null;
    readonly mayIssue: boolean;
    /** Whether the router signs what it says. */
    readonly signs: boolean;
    /** Addresses that the site may announce and send to; null in no network. */
    readonly advertise: readonly string[] | null;
    readonly consume: readonly string[] | null;
    /** By whom this site was revoked, when and why; null when it was not. */
    readonly revoked: string | null;
    /** Sites of the network that were revoked. */
    readonly revokedSites: readonly RevokedSite[];
  };
  /** What is wrong: the causes, each with what follows from it. */
  readonly warnings: readonly RootCause[];
  /** The observer that the site runs; null when it runs none. */
  readonly observer: ObserverProcessState | null;
}

/** The network as the site sees it, and what is wrong. */
export interface NetworkReport extends NetworkView {
  readonly warnings: readonly RootCause[];
  readonly revokedSites: readonly RevokedSite[];
}

export interface SiteRequestContext {
  readonly supervisor: SiteSupervisor;
  readonly version: string;
  /** Ends the process in order. */
  readonly stop: (drainMs: number) => void;
}

const longestDrainMs = 3_600_000;
/** Consumers in the whole network answer within seconds, or not at all. */
const defaultPublishMs = 10_000;
const longestPublishMs = 3_600_000;
const shortTextLength = 4096;
const where = withDefault(text({ maximumLength: shortTextLength }), 'input', 'name of the text in errors');
const cost = integer(1, 9999);
/** Ranges of lifetimes are the grant's to check. */
const lifetime = integer(1, Number.MAX_SAFE_INTEGER);

/** What a pattern may be is the grant's to check. */
const patterns = list(text({ maximumLength: maxAddressPatternLength }));

const address = text({ maximumLength: maxAddressPatternLength });

const attributes = {
  status: schema<{ network: boolean }>({ network: withDefault(flag(), false, 'whether each site of the network is wanted') }),
  apply: schema<{ resources: string; where: string }>({ resources: required(text({ maximumLength: 1024 * 1024 }), 'YAML'), where }),
  remove: schema<{ kind: string; name: string }>({
    kind: required(text({ maximumLength: 64 }), 'kind of the resource'),
    name: required(text({ maximumLength: 253 }), 'name of the resource'),
  }),
  issue: schema<IssueAttributes>({
    name: optional(siteName, 'name of the token'),
    redemptionsAllowed: withDefault(integer(1, maxRedemptions), 1, 'how many sites may redeem it'),
    expirationWindowMs: withDefault(lifetime, defaultExpirationWindowMs, 'how long it can be redeemed'),
    issuer: withDefault(flag(), false, 'whether the redeemer may issue tokens'),
    pathLength: optional(integer(0, maxPathLength), 'levels of issuers below the redeemer'),
    linkCost: withDefault(cost, 1, 'cost of the link'),
    siteName: optional(siteName, 'name that the redeemer gets'),
    certificateLifetimeMs: optional(lifetime, 'life of each TLS certificate of the redeemer'),
    membershipLifetimeMs: optional(lifetime, 'how long the redeemer may renew'),
    advertise: optional(patterns, 'address patterns that the redeemer may announce'),
    consume: optional(patterns, 'address patterns that the redeemer may send to'),
  }),
  redeem: schema<{ token: string; linkCost?: number; name?: string; where: string }>({
    token: required(text({ maximumLength: 64 * 1024, secret: true }), 'YAML of an AccessToken'),
    linkCost: optional(cost, 'cost of the link'),
    name: optional(siteName, 'name of the Link'),
    where,
  }),
  revoke: schema<{ name: string; reason: string }>({
    name: required(text({ maximumLength: 128 }), 'name or router id of the site'),
    reason: withDefault(text({ minimumLength: 0, maximumLength: maxReasonLength }), '', 'why, for everybody to read'),
  }),
  generate: schema<{ name: string; cost: number }>({
    name: required(siteName, 'name of the Link'),
    cost: withDefault(cost, 1, 'cost of the link'),
  }),
  publish: schema<PublishOptions>({
    address: required(address, 'address that the message goes to'),
    body: required(text({ minimumLength: 0, maximumLength: lineLimitBytes }), 'body in base64'),
    contentType: optional(text({ maximumLength: shortTextLength }), 'media type of the body'),
    subject: optional(text({ maximumLength: shortTextLength }), 'subject'),
    headers: withDefault(textMap(), {}, 'application properties'),
    waitFor: withDefault(integer(0, 16_384), 0, 'sites with consumers that are waited for'),
    timeoutMs: withDefault(integer(1, longestPublishMs), defaultPublishMs, 'how long to wait for subscribers and the outcome'),
  }),
  subscribe: schema<{ address: string }>({ address: required(address, 'address whose messages are wanted') }),
  ping: schema<PingRequestOptions>({
    target: required(text({ maximumLength: maxAddressPatternLength }), 'name or router id of a site, or routing key of a service'),
    count: withDefault(integer(1, 1_000_000), 4, 'pings to each site'),
    intervalMs: withDefault(integer(leastIntervalMs, 3_600_000), 1000, 'from one ping to the next'),
    timeoutMs: withDefault(integer(10, 60_000), 2000, 'after which an answer counts as lost'),
  }),
  observe: schema<ObserveOptions>({
    detail: withDefault(flag(), false, 'whether records of single requests and connections are wanted'),
    logs: withDefault(flag(), false, 'whether lines of logs are wanted'),
    lingerMs: optional(integer(0, maxLingerMs), 'how long routers go on counting when the client has gone'),
  }),
  stop: schema<{ drainMs: number }>({
    drainMs: withDefault(integer(0, longestDrainMs), defaultDrainMs, 'how long connections may finish'),
  }),
};

interface IssueAttributes {
  readonly name?: string;
  readonly redemptionsAllowed: number;
  readonly expirationWindowMs: number;
  readonly issuer: boolean;
  readonly pathLength?: number;
  readonly linkCost: number;
  readonly siteName?: string;
  readonly certificateLifetimeMs?: number;
  readonly membershipLifetimeMs?: number;
  readonly advertise?: readonly string[];
  readonly consume?: readonly string[];
}

function schema<T extends object>(fields: Fields<T>): (request: ManagementRequest) => T {
  const read = record<T>(fields, { keyWord: 'attribute' });
  return (request) => read.read(request.attributes, []);
}

/** Answers one request to a site. Answers that go on go to `client`. */
export async function handleSiteRequest(
  context: SiteRequestContext,
  request: ManagementRequest,
  client: LineStream,
): Promise<ManagementResponse> {
  const { supervisor } = context;
  const ok = (body: unknown): ManagementResponse => respond(request.id, statusCodes.ok, body);
  try {
    switch (request.operation) {
      case 'STATUS':
        return ok(statusBody(context, attributes.status(request).network));
      case 'APPLY': {
        const { resources, where: place } = attributes.apply(request);
        return ok({ resources: await supervisor.apply(resources, place) });
      }
      case 'REMOVE': {
        const { kind, name } = attributes.remove(request);
        await supervisor.remove(kind, name);
        return ok({});
      }
      case 'ISSUE-TOKEN':
        return ok(await supervisor.issueToken(grantOptions(attributes.issue(request))));
      case 'REDEEM-TOKEN': {
        const { token, where: place, ...options } = attributes.redeem(request);
        return ok(await supervisor.redeem(token, place, options));
      }
      case 'REVOKE-SITE': {
        const { name, reason } = attributes.revoke(request);
        return ok(revokedSite(await supervisor.revokeSite(name, reason)));
      }
      case 'GENERATE-LINK':
        return ok(await supervisor.generateLink(attributes.generate(request)));
      case 'NETWORK':
        return ok(networkReport(supervisor));
      case 'CHECK':
        return ok(await supervisor.check());
      case 'PING':
        return ok(supervisor.ping(attributes.ping(request), request, client));
      case 'PUBLISH':
        return ok(await supervisor.events.publish(attributes.publish(request)));
      case 'SUBSCRIBE':
        return ok(supervisor.events.subscribe(attributes.subscribe(request).address, request, client));
      case 'OBSERVE':
        return ok(supervisor.flows.observe(attributes.observe(request), supervisor.siteName, request, client));
      case 'STOP': {
        const { drainMs } = attributes.stop(request);
        context.stop(drainMs);
        return ok({});
      }
      default:
        return await supervisor.handleRouter(request);
    }
  } catch (error) {
    return failure(request, error);
  }
}

function statusBody({ supervisor, version }: SiteRequestContext, isWhole: boolean): SiteStatusBody {
  const { trust, siteName: name, namespace, routerId, openConnections } = supervisor;
  const { resources, warnings } = supervisor.look(isWhole);
  return {
    site: { name, namespace, routerId, openConnections },
    resources: resources.map((resource) =>
      resource.kind === 'Secret' ? plainResource({ ...resource, spec: { ...resource.spec, data: {} } }) : plainResource(resource),
    ),
    pid: process.pid,
    version,
    trust: {
      state: trust.state,
      networkId: trust.networkId ?? null,
      routerId: trust.routerId ?? null,
      leafExpires: dateText(trust.leafExpiresAtMs),
      membershipEnds: dateText(trust.membershipEndsAtMs),
      mayIssue: trust.mayIssue && trust.ownRevocation === undefined,
      signs: trust.signingCredentials !== undefined,
      advertise: trust.rights?.advertise ?? null,
      consume: trust.rights?.consume ?? null,
      revoked: supervisor.ownRevocation ?? null,
      revokedSites: revokedSites(supervisor),
    },
    warnings: rootCauses(warnings),
    observer: supervisor.observer ?? null,
  };
}

function networkReport(supervisor: SiteSupervisor): NetworkReport | null {
  const { network, warnings } = supervisor.look(false);
  return network === undefined ? null : { ...network, warnings: rootCauses(warnings), revokedSites: revokedSites(supervisor) };
}

/** A revocation as status shows it. */
export interface RevokedSite {
  readonly routerId: string;
  readonly name: string;
  /** RFC 3339. */
  readonly revokedAt: string;
  readonly reason: string;
  /** Router id of the issuer that revoked it; null for the network's root. */
  readonly by: string | null;
}

function revokedSites({ trust }: SiteSupervisor): readonly RevokedSite[] {
  return (trust.revocations?.all ?? []).map(revokedSite);
}

function revokedSite({ routerId, siteName, revokedAtMs, reason, issuerRouterId }: VerifiedRevocation): RevokedSite {
  return { routerId, name: siteName, revokedAt: new Date(revokedAtMs).toISOString(), reason, by: issuerRouterId ?? null };
}

function grantOptions(given: IssueAttributes): GrantOptions {
  const { redemptionsAllowed, certificateLifetimeMs, membershipLifetimeMs, ...same } = given;
  if (given.pathLength !== undefined && !given.issuer) {
    throw new InputError('path-length', 'pathLength', 'only tokens for issuers have a path length', { remedy: 'add issuer: true' });
  }
  return {
    ...same,
    redemptions: redemptionsAllowed,
    ...(certificateLifetimeMs === undefined ? {} : { leafLifetimeMs: certificateLifetimeMs }),
    ...(membershipLifetimeMs === undefined ? {} : { membershipLifetimeMs }),
  };
}

function dateText(wallMs: number | undefined): string | null {
  return wallMs === undefined ? null : new Date(wallMs).toISOString();
}
