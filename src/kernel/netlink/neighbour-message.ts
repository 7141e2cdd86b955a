import { Attributes, BodyWriter, viewOf } from './attributes.ts';
import { type IpAddress, addressFamilies, addressFamily, addressText, kernelAddress } from './ip-address.ts';
import { type NetlinkMessage, type NetlinkRequest, messageFlags } from './message.ts';
import { replyError } from './netlink-error.ts';

/*
 * struct ndmsg, 12 octets: u8 family | u8 0 | u16 0 | i32 link index | u16 state | u8 flags | u8 type
 * then attributes NDA_*: the address (1) and the hardware address (2).
 */

export const neighbourTypes = { new: 28, delete: 29, get: 30 } as const;

export const neighbourStates = {
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noArp: 0x40,
  permanent: 0x80,
} as const;

const attribute = { destination: 1, mac: 2, link: 8 } as const;
/** NTF_USE: behave as if a packet were sent there, which starts the resolution. */
const useFlag = 0x01;
const infoBytes = 12;

export interface Neighbour {
  readonly linkIndex: number;
  readonly address: IpAddress;
  /** Copy; undefined while it is not resolved. */
  readonly mac: Uint8Array | undefined;
  readonly state: number;
}

function neighbourBody(linkIndex: number, address: IpAddress, state: number, flags: number, mac?: Uint8Array): Uint8Array {
  const writer = new BodyWriter()
    .u8(addressFamily(address))
    .u8(0)
    .u16(0)
    .u32(linkIndex)
    .u16(state)
    .u8(flags)
    .u8(0)
    .attribute(attribute.destination, kernelAddress(address));
  if (mac !== undefined) writer.attribute(attribute.mac, mac);
  return writer.finish();
}

/** A permanent entry, in place of what is there. */
export function putNeighbour(linkIndex: number, address: IpAddress, mac: Uint8Array): NetlinkRequest {
  return {
    type: neighbourTypes.new,
    flags: messageFlags.create | messageFlags.replace,
    body: neighbourBody(linkIndex, address, neighbourStates.permanent, 0, mac),
    what: `setting neighbour ${addressText(address)} of link ${linkIndex}`,
  };
}

export function deleteNeighbour(linkIndex: number, address: IpAddress): NetlinkRequest {
  return {
    type: neighbourTypes.delete,
    flags: 0,
    body: neighbourBody(linkIndex, address, 0, 0),
    what: `deleting neighbour ${addressText(address)} of link ${linkIndex}`,
  };
}

/** Lets the kernel ask for the neighbour's hardware address if it does not know it, or not freshly. */
export function probeNeighbour(linkIndex: number, address: IpAddress): NetlinkRequest {
  return {
    type: neighbourTypes.new,
    flags: messageFlags.create,
    body: neighbourBody(linkIndex, address, 0, useFlag),
    what: `asking for neighbour ${addressText(address)} of link ${linkIndex}`,
  };
}

export function getNeighbour(linkIndex: number, address: IpAddress): NetlinkRequest {
  return {
    type: neighbourTypes.get,
    flags: 0,
    body: neighbourBody(linkIndex, address, 0, 0),
    what: `looking for neighbour ${addressText(address)} of link ${linkIndex}`,
  };
}

/** Neighbours of one link, or of all (0). */
export function dumpNeighbours(linkIndex = 0): NetlinkRequest {
  const writer = new BodyWriter().u8(addressFamilies.unspecified).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0);
  if (linkIndex !== 0) writer.attributeU32(attribute.link, linkIndex);
  return { type: neighbourTypes.get, flags: messageFlags.dump, body: writer.finish(), what: 'listing neighbours' };
}

/** The neighbour of an RTM_NEWNEIGH; undefined for other messages and for bridges' entries, which have no IP address. */
export function decodeNeighbour({ type, body }: NetlinkMessage): Neighbour | undefined {
  if (type !== neighbourTypes.new) return undefined;
  if (body.length < infoBytes) throw replyError('neighbour', 'the message is too short');
  const view = viewOf(body);
  const attributes = new Attributes(body.subarray(infoBytes));
  const address = attributes.octets(attribute.destination);
  if (address === undefined || (body[0] !== addressFamilies.ipv4 && body[0] !== addressFamilies.ipv6)) return undefined;
  return {
    linkIndex: view.getInt32(4, true),
    address: address.slice(),
    mac: attributes.octets(attribute.mac)?.slice(),
    state: view.getUint16(8, true),
  };
}
