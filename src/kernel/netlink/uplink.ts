import { WeatherError } from '../../base/errors.ts';
import { type LinkAddress, decodeAddress, dumpAddresses } from './address-message.ts';
import { findLink } from './find-link.ts';
import { findRoutes } from './find-routes.ts';
import type { IpAddress } from './ip-address.ts';
import type { Link } from './link-message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { type KnownRoute, unicastRoute } from './route-message.ts';

const globalScope = 0;

/** The link that leads to other hosts. */
export interface Uplink {
  readonly link: Link;
  /** Global ones; the default route's preferred source, if it names one, comes first. */
  readonly addresses: readonly LinkAddress[];
  /** Of the default route through it; undefined when there is none, or it has no gateway. */
  readonly gateway: IpAddress | undefined;
}

/**
 * The link with that name; without a name that of the default route, IPv4 before IPv6, with the smallest priority.
 * Throws WeatherError `uplink-missing`, `uplink-down` or `uplink-address`, or NetlinkError.
 */
export function findUplink(socket: NetlinkSocket, name?: string): Uplink {
  const route = defaultRoute(socket, name === undefined ? undefined : findLink(socket, name)?.index);
  const reference = name ?? route?.linkIndex;
  if (reference === undefined) {
    throw new WeatherError('uplink-missing', 'there is no default route', { remedy: 'say which link leads to the other hosts' });
  }
  const link = findLink(socket, reference);
  if (link === undefined) {
    throw new WeatherError('uplink-missing', `there is no link ${reference}`, { remedy: 'ip link lists those that there are' });
  }
  if (!link.up) throw new WeatherError('uplink-down', `link ${link.name} is down`, { remedy: `ip link set ${link.name} up` });
  const preferred = route?.source;
  const addresses = socket
    .dump(dumpAddresses(link.index), decodeAddress)
    .filter(({ linkIndex, scope }) => linkIndex === link.index && scope === globalScope)
    .toSorted((one, other) => Number(isSame(other.address, preferred)) - Number(isSame(one.address, preferred)));
  if (addresses.length === 0) {
    throw new WeatherError('uplink-address', `link ${link.name} has no global address`, {
      remedy: `ip address add ADDRESS/LENGTH dev ${link.name}`,
    });
  }
  return { link, addresses, gateway: route?.gateway };
}

/** Through `linkIndex`, or through any link. */
function defaultRoute(socket: NetlinkSocket, linkIndex: number | undefined): KnownRoute | undefined {
  const routes = findRoutes(
    socket,
    (route) => route.destination.prefixLength === 0 && route.type === unicastRoute && (linkIndex ?? route.linkIndex) === route.linkIndex,
  );
  const isIpv4 = ({ destination }: KnownRoute): boolean => destination.address.length === 4;
  const [best] = routes.toSorted(
    (one, other) => Number(isIpv4(other)) - Number(isIpv4(one)) || (one.priority ?? 0) - (other.priority ?? 0),
  );
  return best;
}

function isSame(one: IpAddress, other: IpAddress | undefined): boolean {
  return other !== undefined && one.length === other.length && one.every((octet, index) => octet === other[index]);
}
