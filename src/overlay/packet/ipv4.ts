import { ipv4Octets, mappedIpv4 } from './address.ts';
import { internetChecksum } from './checksum.ts';
import { joinOctets, readU16, writeU16 } from './octets.ts';

export const ipv4HeaderBytes = 20;

export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

const dontFragmentFlag = 0x4000;
const moreFragmentsFlag = 0x2000;
const fragmentOffsetMask = 0x1fff;

/**
 * RFC 791:
 *
 * ```text
 * version 4 bits = 4 | header length 4 bits, in words | type of service 1 | total length 2 | identification 2
 * | flags 3 bits: 0, don't fragment, more fragments | fragment offset 13 bits, in 8 octets
 * | time to live 1 | protocol 1 | header checksum 2 | source 4 | destination 4 | options, filled up to whole words | payload
 * ```
 */
export interface Ipv4Packet {
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In octets, a multiple of 8. */
  readonly fragmentOffsetBytes: number;
  readonly timeToLive: number;
  readonly protocol: number;
  /** 16 octets, like every address. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Whole words, at most 40 octets. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * Undefined when the version is another, the header is shorter than 20 octets, or a length says more than there is.
 * The header checksum is not looked at. What lies beyond the total length is padding and left out. `options` and
 * `payload` are views of `octets`.
 */
export function decodeIpv4(octets: Uint8Array): Ipv4Packet | undefined {
  if (octets.length < ipv4HeaderBytes || octets[0]! >>> 4 !== 4) return undefined;
  const headerBytes = (octets[0]! & 15) * 4;
  const totalBytes = readU16(octets, 2);
  if (headerBytes < ipv4HeaderBytes || totalBytes < headerBytes || totalBytes > octets.length) return undefined;
  const fragment = readU16(octets, 6);
  return {
    typeOfService: octets[1]!,
    identification: readU16(octets, 4),
    dontFragment: (fragment & dontFragmentFlag) !== 0,
    moreFragments: (fragment & moreFragmentsFlag) !== 0,
    fragmentOffsetBytes: (fragment & fragmentOffsetMask) * 8,
    timeToLive: octets[8]!,
    protocol: octets[9]!,
    source: mappedIpv4(octets, 12),
    destination: mappedIpv4(octets, 16),
    options: octets.subarray(ipv4HeaderBytes, headerBytes),
    payload: octets.subarray(headerBytes, totalBytes),
  };
}

/** With its header checksum. */
export function encodeIpv4(packet: Ipv4Packet): Uint8Array<ArrayBuffer> {
  const headerBytes = ipv4HeaderBytes + packet.options.length;
  const header = new Uint8Array(headerBytes);
  header[0] = 0x40 | (headerBytes / 4);
  header[1] = packet.typeOfService;
  writeU16(header, 2, headerBytes + packet.payload.length);
  writeU16(header, 4, packet.identification);
  const flags = (packet.dontFragment ? dontFragmentFlag : 0) | (packet.moreFragments ? moreFragmentsFlag : 0);
  writeU16(header, 6, flags | (packet.fragmentOffsetBytes / 8));
  header[8] = packet.timeToLive;
  header[9] = packet.protocol;
  header.set(ipv4Octets(packet.source), 12);
  header.set(ipv4Octets(packet.destination), 16);
  header.set(packet.options, ipv4HeaderBytes);
  writeU16(header, 10, internetChecksum(header));
  return joinOctets(header, packet.payload);
}

/** What a packet in one piece and without options is made of. */
export type WholeIpv4Packet = Pick<Ipv4Packet, 'timeToLive' | 'protocol' | 'source' | 'destination' | 'payload'> &
  Partial<Pick<Ipv4Packet, 'identification' | 'dontFragment'>>;

/** As `encodeIpv4`. Without `dontFragment` it must not be cut; without `identification` that is 0. */
export function encodeWholeIpv4(packet: WholeIpv4Packet): Uint8Array<ArrayBuffer> {
  const whole = { typeOfService: 0, moreFragments: false, fragmentOffsetBytes: 0, options: new Uint8Array() };
  return encodeIpv4({ identification: 0, dontFragment: true, ...packet, ...whole });
}
