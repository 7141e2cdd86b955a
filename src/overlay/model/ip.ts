import { etherType, type EthernetFrame } from '../packet/ethernet.ts';
import { decodeIpv4, ipv4HeaderBytes, type Ipv4Packet } from '../packet/ipv4.ts';
import { decodeIpv6, ipv6HeaderBytes, type Ipv6Packet } from '../packet/ipv6.ts';
import { writeU16 } from '../packet/octets.ts';

/** An IP packet of either family. */
export type IpPacket =
  | {
      readonly family: 4;
      readonly source: Uint8Array;
      readonly destination: Uint8Array;
      readonly timeToLive: number;
      readonly packet: Ipv4Packet;
    }
  | {
      readonly family: 6;
      readonly source: Uint8Array;
      readonly destination: Uint8Array;
      readonly timeToLive: number;
      readonly packet: Ipv6Packet;
    };

/** Undefined when it is malformed; for the EtherTypes of IP only. */
export function ipOf(frame: EthernetFrame): IpPacket | undefined {
  if (frame.type === etherType.ipv4) {
    const packet = decodeIpv4(frame.payload);
    if (packet === undefined) return undefined;
    return { family: 4, source: packet.source, destination: packet.destination, timeToLive: packet.timeToLive, packet };
  }
  const packet = decodeIpv6(frame.payload);
  if (packet === undefined) return undefined;
  return { family: 6, source: packet.source, destination: packet.destination, timeToLive: packet.hopLimit, packet };
}

/**
 * A packet that will be cut into segments, with the length that it has: the one in its header may not be right yet, and cannot be when it
 * is beyond 16 bits.
 */
export function withFrameLength(frame: EthernetFrame): EthernetFrame {
  const payload = frame.payload.slice();
  if (frame.type === etherType.ipv4 && payload.length >= ipv4HeaderBytes) writeU16(payload, 2, Math.min(payload.length, 0xffff));
  if (frame.type === etherType.ipv6 && payload.length >= ipv6HeaderBytes)
    writeU16(payload, 4, Math.min(payload.length - ipv6HeaderBytes, 0xffff));
  return { ...frame, payload };
}

/** Destinations that no endpoint has: multicast, broadcast, link-local and unspecified. */
export function isForNoEndpoint(ip: IpPacket): boolean {
  const address = ip.destination;
  if (ip.family === 6) return address[0] === 0xff || isLinkLocalIpv6(address) || isUnspecified(address);
  const octets = address.subarray(12);
  const multicast = octets[0]! >>> 4 === 14;
  const linkLocal = octets[0] === 169 && octets[1] === 254;
  return multicast || linkLocal || isUnspecified(octets) || octets.every((octet) => octet === 255);
}

export function isLinkLocalIpv6(address: Uint8Array): boolean {
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

/** All zero: no address, or a field that holds none. */
export function isUnspecified(address: Uint8Array): boolean {
  return address.every((octet) => octet === 0);
}
