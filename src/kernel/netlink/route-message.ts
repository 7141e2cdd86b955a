import { Attributes, BodyWriter, viewOf } from './attributes.ts';
import { type IpAddress, addressFamily, addressText, kernelAddress, prefixText } from './ip-address.ts';
import { type NetlinkMessage, type NetlinkRequest, messageFlags } from './message.ts';
import { replyError } from './netlink-error.ts';

/*
 * struct rtmsg, 12 octets:
 *   u8 family | u8 destination's prefix length | u8 source's | u8 tos | u8 table | u8 protocol | u8 scope | u8 type | u32 flags
 * then attributes RTA_*; RTA_METRICS holds RTAX_* of u32; RTA_MULTIPATH a list of
 *   struct rtnexthop, 8 octets: u16 length | u8 flags | u8 hops | i32 link index, then attributes RTA_* up to its length
 */

export const routeTypes = { new: 24, delete: 25, get: 26 } as const;

const attribute = {
  destination: 1,
  link: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
  via: 18,
} as const;
const metricMtu = 2;
export const mainTable = 254;
/** RTPROT_STATIC: put there by an administrator, so routing daemons leave it. */
const staticProtocol = 4;
const scopes = { universe: 0, link: 253 } as const;
export const unicastRoute = 1;
/** RTNH_F_ONLINK: the gateway is on the link although no route to it says so. */
const onLinkFlag = 4;
const infoBytes = 12;
const nextHopBytes = 8;

export interface Route {
  /** `address` all zeros and `prefixLength` 0: the default route of that family. */
  readonly destination: { readonly address: IpAddress; readonly prefixLength: number };
  readonly linkIndex: number;
  readonly gateway?: IpAddress | undefined;
  /** The gateway is on the link whatever the addresses say. */
  readonly onLink?: boolean | undefined;
  /** Largest packet on this route, in octets. */
  readonly mtu?: number | undefined;
  /** The address that packets to there come from. */
  readonly source?: IpAddress | undefined;
  /** Of several routes to the same prefix the one with the smallest counts. */
  readonly priority?: number | undefined;
}

/** A route that the kernel told. */
export interface KnownRoute extends Route {
  readonly table: number;
  /** 1 is unicast; others are local, broadcast, blackhole... */
  readonly type: number;
}

export function addRoute(route: Route): NetlinkRequest {
  return {
    type: routeTypes.new,
    flags: messageFlags.create | messageFlags.exclusive,
    body: routeBody(route),
    what: `adding a route to ${prefixText(route.destination)} through link ${route.linkIndex}`,
  };
}

export function deleteRoute(route: Route): NetlinkRequest {
  return {
    type: routeTypes.delete,
    flags: 0,
    body: routeBody(route),
    what: `deleting the route to ${prefixText(route.destination)} through link ${route.linkIndex}`,
  };
}

function routeBody({ destination, linkIndex, gateway, onLink, mtu, source, priority }: Route): Uint8Array {
  const octets = kernelAddress(destination.address);
  // Without a gateway the destination is a neighbour; IPv6 knows no scopes of routes.
  const scope = gateway === undefined && octets.length === 4 ? scopes.link : scopes.universe;
  const writer = new BodyWriter()
    .u8(addressFamily(octets))
    .u8(destination.prefixLength)
    .u8(0)
    .u8(0)
    .u8(mainTable)
    .u8(staticProtocol)
    .u8(scope)
    .u8(unicastRoute)
    .u32(onLink === true ? onLinkFlag : 0);
  if (destination.prefixLength > 0) writer.attribute(attribute.destination, octets);
  if (gateway !== undefined) writer.attribute(attribute.gateway, kernelAddress(gateway));
  writer.attributeU32(attribute.link, linkIndex);
  if (source !== undefined) writer.attribute(attribute.preferredSource, kernelAddress(source));
  if (priority !== undefined) writer.attributeU32(attribute.priority, priority);
  if (mtu !== undefined) writer.nest(attribute.metrics, () => writer.attributeU32(metricMtu, mtu));
  return writer.finish();
}

/** The route that a packet to `destination` takes. The answer's destination is `destination`. */
export function lookUpRoute(destination: IpAddress): NetlinkRequest {
  const octets = kernelAddress(destination);
  const body = new BodyWriter()
    .u8(addressFamily(octets))
    .u8(octets.length * 8)
    .u8(0)
    .u8(0)
    .u32(0)
    .u32(0)
    .attribute(attribute.destination, octets)
    .finish();
  return { type: routeTypes.get, flags: 0, body, what: `looking for a route to ${addressText(destination)}` };
}

/** Routes of the main table. */
export function dumpRoutes(family: number): NetlinkRequest {
  const body = new BodyWriter()
    .u8(family)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0)
    .attributeU32(attribute.table, mainTable)
    .finish();
  return { type: routeTypes.get, flags: messageFlags.dump, body, what: 'listing routes' };
}

/** The route of an RTM_NEWROUTE; undefined for other messages. Of several next hops the first counts. */
export function decodeRoute({ type, body }: NetlinkMessage): KnownRoute | undefined {
  if (type !== routeTypes.new) return undefined;
  if (body.length < infoBytes) throw replyError('route', 'the message is too short');
  const attributes = new Attributes(body.subarray(infoBytes));
  const addressBytes = body[0] === 2 ? 4 : 16;
  const hop = firstNextHop(attributes.octets(attribute.multipath));
  return {
    destination: {
      address: attributes.octets(attribute.destination)?.slice() ?? new Uint8Array(addressBytes),
      prefixLength: body[1] ?? 0,
    },
    linkIndex: hop?.linkIndex ?? attributes.u32(attribute.link) ?? 0,
    gateway: decodeGateway(hop?.attributes ?? attributes),
    onLink: ((hop?.flags ?? viewOf(body).getUint32(8, true)) & onLinkFlag) !== 0,
    mtu: attributes.nested(attribute.metrics)?.u32(metricMtu),
    source: attributes.octets(attribute.preferredSource)?.slice(),
    priority: attributes.u32(attribute.priority),
    table: attributes.u32(attribute.table) ?? body[4] ?? 0,
    type: body[7] ?? 0,
  };
}

/** RTA_VIA, a gateway of the other family, is u16 family and then the address. */
function decodeGateway(attributes: Attributes): IpAddress | undefined {
  return attributes.octets(attribute.gateway)?.slice() ?? attributes.octets(attribute.via)?.slice(2);
}

function firstNextHop(list: Uint8Array | undefined): { linkIndex: number; flags: number; attributes: Attributes } | undefined {
  if (list === undefined) return undefined;
  const view = viewOf(list);
  const length = list.length < nextHopBytes ? 0 : view.getUint16(0, true);
  if (length < nextHopBytes || length > list.length) throw replyError('route', 'a next hop does not fit');
  return {
    linkIndex: view.getInt32(4, true),
    flags: list[2] ?? 0,
    attributes: new Attributes(list.subarray(nextHopBytes, length)),
  };
}
