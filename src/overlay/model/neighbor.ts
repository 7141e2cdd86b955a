import { mappedIpv4 } from '../packet/address.ts';
import { arpBytes, arpOperation, decodeArp, encodeArp, type Arp } from '../packet/arp.ts';
import { pseudoHeaderSum } from '../packet/checksum.ts';
import { encodeEthernet, ethernetHeaderBytes, etherType, type EthernetFrame } from '../packet/ethernet.ts';
import { decodeIcmp, encodeIcmp, icmpHeaderBytes, icmpv6Type, type IcmpMessage } from '../packet/icmp.ts';
import { ipProtocol } from '../packet/ipv4.ts';
import { encodeIpv6, type Ipv6Packet } from '../packet/ipv6.ts';
import { decodeNeighbor, encodeNeighbor, neighborFlag, neighborHopLimit, type NeighborMessage } from '../packet/neighbor-discovery.ts';
import { joinOctets } from '../packet/octets.ts';

/** Who asks, or is told, where an address is, by ARP or neighbour discovery. */
export interface NeighborQuestion {
  readonly target: Uint8Array;
  /** The frame that answers it to the one who asked. */
  answer(mac: Uint8Array): Uint8Array;
}

/** The octets of the solicitation or advertisement that hosts send each other: header, flags, target and one option with a MAC. */
const canonicalNeighborBytes = icmpHeaderBytes + 16 + 8;

export function arpQuestion(frame: Uint8Array, request: Arp): NeighborQuestion {
  return {
    target: request.targetAddress,
    answer: (mac) => {
      const reply = encodeArp({
        operation: arpOperation.reply,
        senderMac: mac,
        senderAddress: request.targetAddress,
        targetMac: request.senderMac,
        targetAddress: request.senderAddress,
      });
      // What lies behind is padding, and stays.
      const padding = frame.subarray(ethernetHeaderBytes + arpBytes);
      return encodeEthernet({
        destination: request.senderMac,
        source: mac,
        type: etherType.arp,
        payload: joinOctets(reply, padding),
      });
    },
  };
}

/** ARP in a frame; `short` when it is cut off, undefined when it is not for IPv4 over Ethernet. */
export function arpOf(frame: EthernetFrame): Arp | 'short' | undefined {
  return frame.payload.length < arpBytes ? 'short' : decodeArp(frame.payload);
}

export const unspecifiedIpv4: Uint8Array = mappedIpv4(new Uint8Array(4));

/** An ICMPv6 message that is cut off. Only a message directly behind the IPv6 header is looked at. */
export function isShortIcmpv6(packet: Ipv6Packet): boolean {
  return packet.nextHeader === ipProtocol.icmpv6 && packet.payload.length < icmpHeaderBytes;
}

export function isDiscovery(type: number): boolean {
  return type >= icmpv6Type.routerSolicitation && type <= icmpv6Type.redirect;
}

/** The ICMPv6 message of a packet, if it is of neighbour discovery: types 133 to 137 directly behind the IPv6 header. */
export function discoveryOf(packet: Ipv6Packet): { readonly type: number; readonly message: IcmpMessage } | undefined {
  const message = packet.nextHeader === ipProtocol.icmpv6 ? decodeIcmp(packet.payload) : undefined;
  if (message === undefined || !isDiscovery(message.type)) return undefined;
  return { type: message.type, message };
}

/** A solicitation or advertisement in the one form that hosts send each other. */
export function canonicalNeighbor(packet: Ipv6Packet): NeighborMessage | undefined {
  const message = discoveryOf(packet)?.message;
  if (message === undefined || packet.payload.length !== canonicalNeighborBytes || packet.hopLimit !== neighborHopLimit) return undefined;
  const neighbor = decodeNeighbor(message);
  return neighbor?.linkLayerAddress === undefined ? undefined : neighbor;
}

export function solicitationQuestion(
  asker: { mac: Uint8Array; address: Uint8Array },
  target: Uint8Array,
  padding?: Uint8Array,
): NeighborQuestion {
  return {
    target,
    answer: (mac) =>
      neighborFrame(
        { destination: asker.mac, source: mac },
        { source: target, destination: asker.address },
        { kind: 'advertisement', flags: neighborFlag.solicited + neighborFlag.override, target, linkLayerAddress: mac },
        padding,
      ),
  };
}

/** A frame of 86 octets, and padding. */
export function neighborFrame(
  macs: { destination: Uint8Array; source: Uint8Array },
  addresses: { source: Uint8Array; destination: Uint8Array },
  message: NeighborMessage,
  padding: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const { source, destination } = addresses;
  const pseudoHeader = pseudoHeaderSum(source, destination, ipProtocol.icmpv6, canonicalNeighborBytes);
  const packet = encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: ipProtocol.icmpv6,
    hopLimit: neighborHopLimit,
    source,
    destination,
    payload: encodeIcmp(encodeNeighbor(message), pseudoHeader),
  });
  return encodeEthernet({ ...macs, type: etherType.ipv6, payload: joinOctets(packet, padding) });
}
