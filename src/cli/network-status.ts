import { WeatherError } from '../base/errors.ts';
import type { NetworkService, NetworkSite, NetworkView } from '../supervisor/network-view.ts';
import type { NetworkReport, RevokedSite } from '../supervisor/site-requests.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import { formatWarnings } from './health-text.ts';
import { printResult } from './output.ts';
import { patternText } from './printable.ts';
import { SiteSession } from './site-session.ts';
import { formatTree, type TreeNode } from './table.ts';

export const command: Command = {
  parameters: [],
  options: {},
  description:
    'Every site sees the whole network. "direct" sites have a link to this one; "indirect" ones are reached through others. What sites\n' +
    'say is verified by a signature; "certified" ones prove who they are to their neighbours only; "unsigned" ones, such as a\n' +
    'skupper-router, not at all.',
  examples: [
    { line: 'van network status', meaning: 'A tree of sites, links and services' },
    { line: 'van network status -o json', meaning: 'The same for programs' },
  ],
  async run(call) {
    const view = await askNetwork(call);
    await printResult(call, view, () => `${formatNetwork(view, view.revokedSites)}${formatWarnings(view.warnings)}`);
    return 0;
  },
};

function revokedNodes(revokedSites: readonly RevokedSite[]): readonly TreeNode[] {
  if (revokedSites.length === 0) return [];
  const children = revokedSites.map(({ name, routerId, revokedAt, reason }) => ({
    text: `${name} (${routerId}), ${revokedAt}${reason === '' ? '' : `: ${reason}`}`,
  }));
  return [{ text: 'Revoked sites', children }];
}

/** Asks the site of the namespace for its view of the network. */
export async function askNetwork(call: Call): Promise<NetworkReport> {
  const view = await new SiteSession(call).ask<NetworkReport | null>('NETWORK', {});
  if (view !== null) return view;
  throw new WeatherError('router-not-running', `the router of namespace '${call.namespace}' is not running`, {
    remedy: `van${call.namespaceOption} site status says why`,
  });
}

export function formatNetwork(view: NetworkView, revokedSites: readonly RevokedSite[] = []): string {
  const { networkId, sites, services } = view;
  const ordered = [...sites].sort((a, b) => rank(a) - rank(b) || a.cost - b.cost || (a.name < b.name ? -1 : 1));
  const dialled = ownLinks(view);
  const costs = new Map(sites.map(({ routerId, cost }) => [routerId, cost]));
  const tree: TreeNode[] = [
    { text: 'Sites', children: ordered.map((site) => siteNode(site, dialled)) },
    { text: services.length === 0 ? 'Services: none' : 'Services', children: services.map((service) => serviceNode(service, costs)) },
    ...revokedNodes(revokedSites),
  ];
  return `${heading(networkId, sites.length)}\n${formatTree(tree)}`;
}

function rank({ relation }: NetworkSite): number {
  return ['self', 'direct', 'indirect'].indexOf(relation);
}

/** Who made the links of this site, by the router at their other end. */
function ownLinks({ links, routerId }: NetworkView): ReadonlyMap<string, string> {
  const made = new Map<string, string>();
  for (const { from, to, direction } of links) {
    if (direction === null) continue;
    made.set(from.routerId === routerId ? to.routerId : from.routerId, direction === 'out' ? ' (made here)' : ' (made there)');
  }
  return made;
}

function siteNode(site: NetworkSite, dialled: ReadonlyMap<string, string>): TreeNode {
  const facts = [site.platform, site.version, site.location].filter((fact) => fact !== null);
  const limits = [
    ...(limited(site.advertise) ? [`may offer ${patternText(site.advertise)}`] : []),
    ...(limited(site.consume) ? [`may use ${patternText(site.consume)}`] : []),
  ];
  const about = `router ${site.routerId}${facts.length === 0 ? '' : `, ${facts.join(' ')}`}`;
  const peers = site.peers.map(({ routerId, name, cost }): TreeNode => {
    const made = site.relation === 'self' ? (dialled.get(routerId) ?? '') : '';
    return { text: `link to ${name}, cost ${cost}${made}` };
  });
  return { text: `${site.name}  [${relationText(site)}]`, children: [{ text: about }, ...limits.map((text) => ({ text })), ...peers] };
}

function limited(patterns: readonly string[] | null): patterns is readonly string[] {
  return patterns !== null && !patterns.includes('*');
}

function relationText({ relation, nextHop, cost, trust: proven }: NetworkSite): string {
  const trust = proven === 'signed' ? '' : `, ${proven}`;
  if (relation === 'self') return 'this site';
  if (relation === 'direct') return `direct, cost ${cost}${trust}`;
  return `indirect by ${nextHop?.name ?? 'another site'}, cost ${cost}${trust}`;
}

function serviceNode(service: NetworkService, costs: ReadonlyMap<string, number>): TreeNode {
  const offered = service.connectors.map(({ routerId, name }) => {
    const cost = costs.get(routerId);
    return cost === undefined || cost === 0 ? name : `${name} (cost ${cost})`;
  });
  const local = service.localListeners.map(({ host, port, open }) => `${host}:${port}${open ? '' : ' (closed)'}`);
  const used = service.listeners.map(({ name }) => name);
  return {
    text: `${service.routingKey}  [${service.distribution}]`,
    children: [
      { text: `offered by ${offered.length === 0 ? 'nobody' : offered.join(', ')}` },
      { text: `listened for at ${used.length === 0 ? 'no site' : used.join(', ')}` },
      ...(local.length === 0 ? [] : [{ text: `here at ${local.join(', ')}` }]),
    ],
  };
}

/** A site can be linked to skupper-routers without belonging to a network of Caravan's kind. */
function heading(networkId: string | null, siteCount: number): string {
  if (networkId !== null) return `Network ${networkId}`;
  return siteCount > 1 ? 'A network without certified members' : 'This site belongs to no network yet.';
}
