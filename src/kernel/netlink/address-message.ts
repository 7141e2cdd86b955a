import { Attributes, BodyWriter, viewOf } from './attributes.ts';
import { type IpAddress, addressFamilies, addressFamily, kernelAddress, prefixText } from './ip-address.ts';
import { type NetlinkMessage, type NetlinkRequest, messageFlags } from './message.ts';
import { replyError } from './netlink-error.ts';

/*
 * struct ifaddrmsg, 8 octets: u8 family | u8 prefix length | u8 flags | u8 scope | u32 link index, then attributes IFA_*.
 * IFA_LOCAL is the address itself; IFA_ADDRESS the same, or the other end's of a point-to-point link.
 */

export const addressTypes = { new: 20, delete: 21, get: 22 } as const;

const attribute = { address: 1, local: 2, flags: 8 } as const;
/** The address may be used at once: it came from an allocator that gives none twice. */
const noDuplicateDetection = 0x02;
const infoBytes = 8;

export interface InterfaceAddress {
  readonly address: IpAddress;
  /** Bits of the address that its subnet shares: 0-32 or 0-128. */
  readonly prefixLength: number;
}

export interface LinkAddress extends InterfaceAddress {
  readonly linkIndex: number;
  /** 0 is global, 253 link, 254 host. */
  readonly scope: number;
}

export function addAddress(linkIndex: number, address: InterfaceAddress): NetlinkRequest {
  return {
    type: addressTypes.new,
    flags: messageFlags.create | messageFlags.exclusive,
    body: addressBody(linkIndex, address),
    what: `adding address ${prefixText(address)} to link ${linkIndex}`,
  };
}

export function deleteAddress(linkIndex: number, address: InterfaceAddress): NetlinkRequest {
  return {
    type: addressTypes.delete,
    flags: 0,
    body: addressBody(linkIndex, address),
    what: `deleting address ${prefixText(address)} of link ${linkIndex}`,
  };
}

function addressBody(linkIndex: number, { address, prefixLength }: InterfaceAddress): Uint8Array {
  const octets = kernelAddress(address);
  const flags = octets.length === 16 ? noDuplicateDetection : 0;
  return new BodyWriter()
    .u8(addressFamily(address))
    .u8(prefixLength)
    .u8(flags)
    .u8(0)
    .u32(linkIndex)
    .attribute(attribute.local, octets)
    .attribute(attribute.address, octets)
    .finish();
}

/** Addresses of one link, or of all (0). */
export function dumpAddresses(linkIndex = 0): NetlinkRequest {
  const body = new BodyWriter().u8(addressFamilies.unspecified).u8(0).u8(0).u8(0).u32(linkIndex).finish();
  return { type: addressTypes.get, flags: messageFlags.dump, body, what: 'listing addresses' };
}

/** The address of an RTM_NEWADDR; undefined for other messages. */
export function decodeAddress({ type, body }: NetlinkMessage): LinkAddress | undefined {
  if (type !== addressTypes.new) return undefined;
  if (body.length < infoBytes) throw replyError('address', 'the message is too short');
  const attributes = new Attributes(body.subarray(infoBytes));
  const address = attributes.octets(attribute.local) ?? attributes.octets(attribute.address);
  if (address === undefined) return undefined;
  return {
    linkIndex: viewOf(body).getUint32(4, true),
    address: address.slice(),
    prefixLength: body[1] ?? 0,
    scope: body[3] ?? 0,
  };
}
