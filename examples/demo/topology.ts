import { join } from 'node:path';

import type { Phase } from './phases.ts';
import type { Command } from './van.ts';

/**
 * The four sites and their links with costs:
 *
 *     laptop ──1── azure ──1── remote      laptop and remote accept no links: two hops apart
 *        ╲           │          ╱
 *         7          7         7
 *          ╲         │        ╱
 *           ╰────── aws ─────╯
 *
 * From remote, laptop costs 2 (by azure) and aws 7. A new connection (of the HTTP service: a new request) goes where what is
 * outstanding plus cost is least, so aws gets its first when laptop has 5 more outstanding than aws: the backlog that overflows.
 */
export const siteNames = ['aws', 'azure', 'laptop', 'remote'] as const;

/** Name of one site, which is also its namespace. */
export type SiteName = (typeof siteNames)[number];

/** Two services, each with servers of its own at laptop and aws: by connection, and by request. */
export const serviceNames = ['greeting', 'greeting-http'] as const;
export type ServiceName = (typeof serviceNames)[number];

const nearCost = 1;
const overflowCost = 7;

/** All links: `from` redeems a token of `to`, so it dials. */
export const linkCosts: readonly { readonly from: SiteName; readonly to: SiteName; readonly cost: number }[] = [
  { from: 'azure', to: 'aws', cost: overflowCost },
  { from: 'laptop', to: 'aws', cost: overflowCost },
  { from: 'laptop', to: 'azure', cost: nearCost },
  { from: 'remote', to: 'aws', cost: overflowCost },
  { from: 'remote', to: 'azure', cost: nearCost },
];
/** Issues tokens of a network that it did not found. */
const issuer: SiteName = 'azure';

/** A command at one of the sites. */
interface Step extends Command {
  readonly namespace: SiteName;
}

/** Ports of 127.0.0.1 that the demonstration uses. */
export interface Ports {
  readonly awsLinks: number;
  readonly azureLinks: number;
  /** Of the web console, at remote. */
  readonly console: number;
  readonly services: Readonly<Record<ServiceName, ServicePorts>>;
}

/** Ports of one service: of its servers, and of the listener at remote. */
export interface ServicePorts {
  readonly laptop: number;
  readonly aws: number;
  readonly listener: number;
}

/** Creates a site, and starts it again when its router died. Public sites on one machine need link ports of their own. */
export function createSite(site: SiteName, ports: Ports): Step {
  const linkPorts: Partial<Record<SiteName, number>> = { aws: ports.awsLinks, azure: ports.azureLinks };
  const port = linkPorts[site];
  const access = port === undefined ? [] : ['--enable-link-access', '--link-access-host', '127.0.0.1', '--link-access-port', String(port)];
  const observer = site === 'remote' ? ['--enable-observer', '--observer-listen', `127.0.0.1:${ports.console}`] : [];
  return { namespace: site, parameters: ['site', 'create', site, ...access, ...observer] };
}

/** Links `redeemer` to `issuer` with a token. `mayIssue`: the redeemer may issue tokens of this network in its turn. */
function link(redeemer: SiteName, issuer: SiteName, cost: number, tokens: string, mayIssue: boolean): Step[] {
  const file = join(tokens, `${redeemer}-to-${issuer}.yaml`);
  return [
    { namespace: issuer, parameters: ['token', 'issue', file, '--cost', String(cost), ...(mayIssue ? ['--issuer'] : [])] },
    { namespace: redeemer, parameters: ['token', 'redeem', file] },
  ];
}

function service(name: ServiceName, { laptop, aws, listener }: ServicePorts): Step[] {
  const options = ['--host', '127.0.0.1', ...(name === 'greeting-http' ? ['--type', 'http'] : [])];
  return [
    { namespace: 'laptop', parameters: ['connector', 'create', name, String(laptop), ...options] },
    { namespace: 'aws', parameters: ['connector', 'create', name, String(aws), ...options] },
    { namespace: 'remote', parameters: ['listener', 'create', name, String(listener), ...options] },
  ];
}

/** Everything a user types to set the network up, in order. */
export function setUpSteps(ports: Ports, tokens: string): Step[] {
  return [
    ...siteNames.map((site) => createSite(site, ports)),
    ...linkCosts.flatMap(({ from, to, cost }) => link(from, to, cost, tokens, from === issuer)),
    ...serviceNames.flatMap((name) => service(name, ports.services[name])),
  ];
}

/** The load at which laptop alone cannot keep its queue short. */
const highLoad = 10;
const all = { minimum: 1, maximum: 1 };
const about = { minimum: 0.35, maximum: 0.65 };
const half = { minimum: 0.45, maximum: 0.55 };

const laptopAlone: Phase['expected'] = {
  greeting: { shares: { laptop: all }, errorsAllowedWhileSettling: 0 },
  'greeting-http': { shares: { laptop: all }, errorsAllowedWhileSettling: 0 },
};
const shared: Phase['expected'] = {
  greeting: { shares: { laptop: about, aws: about }, errorsAllowedWhileSettling: 0 },
  'greeting-http': { shares: { laptop: half, aws: half }, errorsAllowedWhileSettling: 0 },
};
/** What was on its way to aws or waited there: connections are lost with it, never more than were in flight; requests are sent again. */
const awsLost: Phase['expected'] = { ...laptopAlone, greeting: { shares: { laptop: all }, errorsAllowedWhileSettling: highLoad } };

/** What is shown, and what must be seen. `kill` and `restart` act on the router of aws. */
export function phases(kill: () => Promise<void>, restart: () => Promise<void>): Phase[] {
  return [
    { name: 'load 1', inFlight: 1, expected: laptopAlone },
    { name: 'load 10', inFlight: highLoad, expected: shared },
    { name: 'load 1 again', inFlight: 1, expected: laptopAlone },
    { name: 'aws killed', inFlight: highLoad, event: kill, expected: awsLost },
    { name: 'aws restarted', inFlight: highLoad, event: restart, awaitServer: 'aws', expected: shared },
  ];
}
