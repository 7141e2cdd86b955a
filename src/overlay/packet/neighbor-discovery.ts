import { addressBytes } from './address.ts';
import { icmpv6Type } from './icmp.ts';
import type { IcmpMessage } from './icmp.ts';
import { joinOctets } from './octets.ts';

export const neighborFlag = { router: 0x80000000, solicited: 0x40000000, override: 0x20000000 } as const;
export const neighborOption = { sourceLinkLayerAddress: 1, targetLinkLayerAddress: 2 } as const;
/** Neighbour discovery is believed only with this hop limit: no router has passed it on (RFC 4861, 7.1). */
export const neighborHopLimit = 255;

/**
 * Neighbour solicitation and advertisement (RFC 4861), the body of an ICMPv6 message whose `rest` holds the flags:
 *
 * ```text
 * target address 16 | options: type 1 | length 1, in 8 octets | value
 * ```
 */
export interface NeighborMessage {
  readonly kind: 'solicitation' | 'advertisement';
  /** Of an advertisement; 0 in a solicitation. */
  readonly flags: number;
  readonly target: Uint8Array;
  /** The MAC in the option: of the source in a solicitation, of the target in an advertisement. */
  readonly linkLayerAddress: Uint8Array | undefined;
}

/** Undefined when it is no neighbour message, too short, or an option has length 0 or passes the end. Fields are views. */
export function decodeNeighbor(message: IcmpMessage): NeighborMessage | undefined {
  const solicitation = message.type === icmpv6Type.neighborSolicitation;
  if (!solicitation && message.type !== icmpv6Type.neighborAdvertisement) return undefined;
  if (message.code !== 0 || message.body.length < addressBytes) return undefined;
  const wanted = solicitation ? neighborOption.sourceLinkLayerAddress : neighborOption.targetLinkLayerAddress;
  let linkLayerAddress: Uint8Array | undefined;
  let options = message.body.subarray(addressBytes);
  while (options.length > 0) {
    const length = (options[1] ?? 0) * 8;
    if (length === 0 || length > options.length) return undefined;
    if (options[0] === wanted && length === 8) linkLayerAddress = options.subarray(2, 8);
    options = options.subarray(length);
  }
  return {
    kind: solicitation ? 'solicitation' : 'advertisement',
    flags: solicitation ? 0 : message.rest,
    target: message.body.subarray(0, addressBytes),
    linkLayerAddress,
  };
}

export function encodeNeighbor(message: NeighborMessage): IcmpMessage {
  const solicitation = message.kind === 'solicitation';
  const option = solicitation ? neighborOption.sourceLinkLayerAddress : neighborOption.targetLinkLayerAddress;
  const mac = message.linkLayerAddress;
  return {
    type: solicitation ? icmpv6Type.neighborSolicitation : icmpv6Type.neighborAdvertisement,
    code: 0,
    rest: solicitation ? 0 : message.flags,
    body: mac === undefined ? message.target : joinOctets(message.target, Uint8Array.of(option, 1), mac),
  };
}

/** The group that a solicitation for `target` is sent to: `ff02::1:ff` and the last three octets (RFC 4291). */
export function solicitedNodeGroup(target: Uint8Array): Uint8Array<ArrayBuffer> {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(target.subarray(13), 13);
  return group;
}
