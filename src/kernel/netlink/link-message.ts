import { Attributes, BodyWriter, viewOf } from './attributes.ts';
import { type NetlinkMessage, type NetlinkRequest, messageFlags } from './message.ts';
import { replyError } from './netlink-error.ts';

/*
 * struct ifinfomsg, 16 octets: u8 family | u8 0 | u16 type | i32 index | u32 flags | u32 change (mask of flags that are set)
 * then attributes IFLA_*. A veth pair:
 *
 *   IFLA_MTU, ..., IFLA_IFNAME of the near end
 *   IFLA_LINKINFO { IFLA_INFO_KIND "veth", IFLA_INFO_DATA { VETH_INFO_PEER { struct ifinfomsg, IFLA_* of the far end } } }
 *
 * IFLA_NET_NS_FD in the far end's part: it is born in that namespace, with that name.
 */

export const linkTypes = { new: 16, delete: 17, get: 18, set: 19 } as const;
export const linkFlags = { up: 0x1, running: 0x40 } as const;

const attribute = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  linkInfo: 18,
  alias: 20,
  perFamily: 26,
  group: 27,
  namespaceDescriptor: 28,
  extendedMask: 29,
  transmitQueues: 31,
  receiveQueues: 32,
} as const;
const linkInfo = { kind: 1, data: 2 } as const;
const vethPeer = 1;
const ipv6Family = 10;
const addressGenerationMode = 8;
/** `none`: no link-local address, so no router solicitation and no duplicate address detection either. */
const noGeneratedAddress = 1;
/** RTEXT_FILTER_SKIP_STATS: 300 octets less of each link. */
const skipStatistics = 1 << 3;
const infoBytes = 16;

export interface VethEnd {
  readonly name: string;
  /** 6 octets; random when absent. */
  readonly mac?: Uint8Array | undefined;
  readonly mtu: number;
  readonly group?: number | undefined;
}

export interface LinkChange {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: Uint8Array | undefined;
  readonly group?: number | undefined;
  /** Index of the bridge that it joins; 0 leaves. */
  readonly master?: number | undefined;
  /** Text of up to 255 octets that dumps give back. */
  readonly alias?: string | undefined;
  /** No link-local address of IPv6 by itself. Must come in a request before the one with `up`. */
  readonly noGeneratedAddress?: true | undefined;
}

/** A link by its index or by its name. */
export type LinkReference = number | string;

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Copy; empty for links without a hardware address. */
  readonly mac: Uint8Array;
  readonly group: number;
  /** Index of the other end of a veth pair, in that end's namespace. */
  readonly peerIndex: number | undefined;
  /** `veth`, `bridge`, ...; undefined for hardware. */
  readonly kind: string | undefined;
  readonly master: number | undefined;
  readonly alias: string | undefined;
  readonly receiveQueues: number | undefined;
  readonly transmitQueues: number | undefined;
}

function header(writer: BodyWriter, index: number, flags = 0, change = 0): BodyWriter {
  return writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

function reference(writer: BodyWriter, link: LinkReference): BodyWriter {
  return typeof link === 'string' ? writer.attributeText(attribute.name, link) : writer;
}

function indexOf(link: LinkReference): number {
  return typeof link === 'string' ? 0 : link;
}

export function linkText(link: LinkReference): string {
  return typeof link === 'string' ? link : `link ${link}`;
}

/** One queue each way: more would need as many at the other end for XDP. */
function vethEnd(writer: BodyWriter, end: VethEnd, namespaceDescriptor?: number): void {
  if (end.mac !== undefined) writer.attribute(attribute.address, end.mac);
  writer.attributeU32(attribute.mtu, end.mtu).attributeU32(attribute.receiveQueues, 1).attributeU32(attribute.transmitQueues, 1);
  if (end.group !== undefined) writer.attributeU32(attribute.group, end.group);
  if (namespaceDescriptor !== undefined) writer.attributeU32(attribute.namespaceDescriptor, namespaceDescriptor);
  writer.attributeText(attribute.name, end.name);
}

/** A veth pair: `near` in the socket's namespace, `far` in that of `farNamespace` (a descriptor). Both are down. */
export function createVeth(near: VethEnd, far: VethEnd, farNamespace: number): NetlinkRequest {
  const writer = header(new BodyWriter(), 0);
  vethEnd(writer, near);
  writer.nest(attribute.linkInfo, () =>
    writer
      .attribute(linkInfo.kind, new TextEncoder().encode('veth'))
      .nest(linkInfo.data, () => writer.nest(vethPeer, () => vethEnd(header(writer, 0), far, farNamespace))),
  );
  return {
    type: linkTypes.new,
    flags: messageFlags.create | messageFlags.exclusive,
    body: writer.finish(),
    what: `creating veth ${near.name} with peer ${far.name}`,
  };
}

export function changeLink(link: LinkReference, change: LinkChange): NetlinkRequest {
  const writer = header(new BodyWriter(), indexOf(link), change.up === true ? linkFlags.up : 0, change.up === undefined ? 0 : linkFlags.up);
  reference(writer, link);
  if (change.mac !== undefined) writer.attribute(attribute.address, change.mac);
  if (change.mtu !== undefined) writer.attributeU32(attribute.mtu, change.mtu);
  if (change.group !== undefined) writer.attributeU32(attribute.group, change.group);
  if (change.master !== undefined) writer.attributeU32(attribute.master, change.master);
  if (change.alias !== undefined) writer.attributeText(attribute.alias, change.alias);
  if (change.noGeneratedAddress === true) {
    writer.nest(attribute.perFamily, () => writer.nest(ipv6Family, () => writer.attributeU8(addressGenerationMode, noGeneratedAddress)));
  }
  return { type: linkTypes.set, flags: 0, body: writer.finish(), what: `changing ${linkText(link)}` };
}

export function deleteLink(link: LinkReference): NetlinkRequest {
  const writer = reference(header(new BodyWriter(), indexOf(link)), link);
  return { type: linkTypes.delete, flags: 0, body: writer.finish(), what: `deleting ${linkText(link)}` };
}

/** Deletes every link of the group, of the socket's namespace. Refused for group 0, which all links are in at first. */
export function deleteLinkGroup(group: number): NetlinkRequest {
  const writer = header(new BodyWriter(), 0).attributeU32(attribute.group, group);
  return { type: linkTypes.delete, flags: 0, body: writer.finish(), what: `deleting the links of group ${group}` };
}

export function getLink(link: LinkReference): NetlinkRequest {
  const writer = header(new BodyWriter(), indexOf(link));
  writer.attributeU32(attribute.extendedMask, skipStatistics);
  return { type: linkTypes.get, flags: 0, body: reference(writer, link).finish(), what: `looking for ${linkText(link)}` };
}

export function dumpLinks(): NetlinkRequest {
  const writer = header(new BodyWriter(), 0).attributeU32(attribute.extendedMask, skipStatistics);
  return { type: linkTypes.get, flags: messageFlags.dump, body: writer.finish(), what: 'listing links' };
}

/** The link of an RTM_NEWLINK; undefined for other messages. */
export function decodeLink({ type, body }: NetlinkMessage): Link | undefined {
  if (type !== linkTypes.new) return undefined;
  if (body.length < infoBytes) throw replyError('link', 'the message is too short');
  const view = viewOf(body);
  const attributes = new Attributes(body.subarray(infoBytes));
  const kind = attributes.nested(attribute.linkInfo)?.text(linkInfo.kind);
  return {
    index: view.getInt32(4, true),
    name: attributes.text(attribute.name) ?? '',
    up: (view.getUint32(8, true) & linkFlags.up) !== 0,
    mtu: attributes.u32(attribute.mtu) ?? 0,
    mac: attributes.octets(attribute.address)?.slice() ?? new Uint8Array(0),
    group: attributes.u32(attribute.group) ?? 0,
    peerIndex: kind === 'veth' ? attributes.u32(attribute.link) : undefined,
    kind,
    master: attributes.u32(attribute.master),
    alias: attributes.text(attribute.alias),
    receiveQueues: attributes.u32(attribute.receiveQueues),
    transmitQueues: attributes.u32(attribute.transmitQueues),
  };
}
