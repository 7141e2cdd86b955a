import { InputError, WeatherError } from '../base/errors.ts';
import { nearestName } from '../base/nearest-name.ts';
import type { NetworkSite, NetworkView } from './network-view.ts';

/** Sites of one service that are pinged: the nearest. */
const maxTargets = 16;
/** Names in a suggestion. */
const maxNamed = 12;

export interface PingTargets {
  readonly kind: 'site' | 'service';
  readonly name: string;
  readonly sites: readonly NetworkSite[];
  /** Sites that offer the service besides these. */
  readonly left: number;
}

/**
 * Whom a name means: a site by its name or router id, or a service by its routing key; `site/NAME` and `service/KEY` where both are called the
 * same. Throws InputError `unknown-target` and WeatherError `nobody-offers`.
 */
export function pingTargets(network: NetworkView, text: string): PingTargets {
  const site = sitesCalled(network, text);
  if (site.length > 0) return { kind: 'site', name: text, sites: site.slice(0, maxTargets), left: Math.max(0, site.length - maxTargets) };
  const service = network.services.find(({ routingKey }) => routingKey === text);
  if (service !== undefined) return serviceTargets(network, service);
  const [kind, ...rest] = text.split('/');
  const name = rest.join('/');
  if (kind === 'site' && name !== '') {
    const found = sitesCalled(network, name);
    if (found.length > 0) return { kind, name, sites: found.slice(0, maxTargets), left: Math.max(0, found.length - maxTargets) };
    throw unknown(
      name,
      'site',
      network.sites.map((one) => one.name),
    );
  }
  if (kind === 'service' && name !== '') {
    const found = network.services.find(({ routingKey }) => routingKey === name);
    if (found !== undefined) return serviceTargets(network, found);
    throw unknown(
      name,
      'service',
      network.services.map(({ routingKey }) => routingKey),
    );
  }
  throw unknown(text, 'site or service', [
    ...network.sites.map((one) => one.name),
    ...network.services.map(({ routingKey }) => routingKey),
  ]);
}

function sitesCalled({ sites }: NetworkView, text: string): readonly NetworkSite[] {
  const byId = sites.filter(({ routerId }) => routerId === text);
  return byId.length > 0 ? byId : sites.filter(({ name }) => name === text);
}

function serviceTargets(network: NetworkView, { routingKey, connectors }: NetworkView['services'][number]): PingTargets {
  if (connectors.length === 0) {
    throw new WeatherError('nobody-offers', `nobody who can be reached offers '${routingKey}'`, {
      remedy: `where the server is: van connector create ${routingKey} PORT`,
    });
  }
  const byId = new Map(network.sites.map((site) => [site.routerId, site]));
  const sites = connectors.flatMap(({ routerId }) => byId.get(routerId) ?? []);
  return { kind: 'service', name: routingKey, sites: sites.slice(0, maxTargets), left: Math.max(0, sites.length - maxTargets) };
}

function unknown(name: string, kind: string, known: readonly string[]): InputError {
  const near = nearestName(name, known);
  const list = [...new Set(known)].sort();
  const some = `there are ${list.slice(0, maxNamed).join(', ')}${list.length > maxNamed ? ` and ${list.length - maxNamed} more` : ''}`;
  const remedy =
    near !== undefined ? `did you mean ${near}? (van network status shows all)` : list.length === 0 ? `there is no ${kind}` : some;
  return new InputError('unknown-target', `'${name}'`, `is no ${kind} of the network that can be reached`, { remedy });
}

/**
 * The routers on the way to a site, itself last, as the costs of links suggest: of equal ways any. Answers tell the way that they took; this
 * is for what is not answered.
 */
export function likelyWay({ sites }: NetworkView, target: NetworkSite): readonly string[] {
  const byId = new Map(sites.map((site) => [site.routerId, site]));
  const way: string[] = [];
  let here: NetworkSite | undefined = target;
  while (here !== undefined && here.relation !== 'self' && way.length < sites.length) {
    way.unshift(here.routerId);
    const { cost, peers }: NetworkSite = here;
    const before: { routerId: string } | undefined = peers.find((peer) => {
      const other = byId.get(peer.routerId);
      return other !== undefined && other.cost + peer.cost === cost;
    });
    here = before === undefined ? undefined : byId.get(before.routerId);
  }
  return way;
}
