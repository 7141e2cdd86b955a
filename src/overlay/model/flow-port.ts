import { ethernetHeaderBytes } from '../packet/ethernet.ts';
import { ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { ipv6HeaderBytes } from '../packet/ipv6.ts';
import type { IpPacket } from './ip.ts';

const firstPort = 49152;
const portBits = 0x3fff;
const sctp = 132;
const noPorts = new Uint8Array(4);

/**
 * The outer source port of a flow, so that the underlay spreads flows over its links and queues: by the hash of source, destination (4
 * words each), protocol, ports (the first 4 octets of the transport header).
 */
export function flowPort(source: Uint8Array, destination: Uint8Array, protocol: number, ports: Uint8Array = noPorts): number {
  return firstPort + (flowHash([source, destination, Uint8Array.of(protocol, 0, 0, 0), ports]) & portBits);
}

/** 32 bits over words of 32 bits, read little endian. */
export function flowHash(parts: readonly Uint8Array[]): number {
  let hash = 0x811c9dc5;
  for (const octets of parts) {
    for (let at = 0; at < octets.length; at += 4) {
      const word = octets[at]! | (octets[at + 1]! << 8) | (octets[at + 2]! << 16) | (octets[at + 3]! << 24);
      hash = Math.imul(hash ^ word, 0x01000193);
    }
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

export function flowPortOfIp(frame: Uint8Array, ip: IpPacket): number {
  if (ip.family === 4) {
    const { protocol, options, moreFragments, fragmentOffsetBytes } = ip.packet;
    const fragment = moreFragments || fragmentOffsetBytes > 0;
    const portsAt = ethernetHeaderBytes + ipv4HeaderBytes + options.length;
    return flowPort(ip.source, ip.destination, protocol, fragment ? noPorts : portsOf(protocol, frame, portsAt));
  }
  // A fragment has the fragment header's number as protocol, and so no ports.
  const protocol = ip.packet.nextHeader;
  return flowPort(ip.source, ip.destination, protocol, portsOf(protocol, frame, ethernetHeaderBytes + ipv6HeaderBytes));
}

export function hasPorts(protocol: number): boolean {
  return protocol === ipProtocol.tcp || protocol === ipProtocol.udp || protocol === sctp;
}

function portsOf(protocol: number, frame: Uint8Array, at: number): Uint8Array {
  return hasPorts(protocol) && at + 4 <= frame.length ? frame.subarray(at, at + 4) : noPorts;
}
