import { joinOctets, readU16, readU32, writeU16, writeU32 } from './octets.ts';

export const ipv6HeaderBytes = 40;

/** Extension headers that `upperLayer` walks over: more than any sensible packet has, and a bound for the data path's loop. */
export const maxExtensionHeaders = 6;

export const extensionHeader = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, none: 59, destinationOptions: 60 } as const;

/**
 * RFC 8200:
 *
 * ```text
 * version 4 bits = 6 | traffic class 8 bits | flow label 20 bits | payload length 2 | next header 1 | hop limit 1
 * | source 16 | destination 16 | payload, extension headers first
 * ```
 */
export interface Ipv6Packet {
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly payload: Uint8Array;
}

/** Undefined when the version is another or a length says more than there is. Padding is left out. Fields are views of `octets`. */
export function decodeIpv6(octets: Uint8Array): Ipv6Packet | undefined {
  if (octets.length < ipv6HeaderBytes || octets[0]! >>> 4 !== 6) return undefined;
  const end = ipv6HeaderBytes + readU16(octets, 4);
  if (end > octets.length) return undefined;
  const first = readU32(octets, 0);
  return {
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    nextHeader: octets[6]!,
    hopLimit: octets[7]!,
    source: octets.subarray(8, 24),
    destination: octets.subarray(24, 40),
    payload: octets.subarray(ipv6HeaderBytes, end),
  };
}

export function encodeIpv6(packet: Ipv6Packet): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(ipv6HeaderBytes);
  writeU32(header, 0, 0x60000000 | (packet.trafficClass << 20) | packet.flowLabel);
  writeU16(header, 4, packet.payload.length);
  header[6] = packet.nextHeader;
  header[7] = packet.hopLimit;
  header.set(packet.source, 8);
  header.set(packet.destination, 24);
  return joinOctets(header, packet.payload);
}

/** What lies behind the extension headers. */
export interface UpperLayer {
  readonly protocol: number;
  /** A view of the packet's payload. */
  readonly payload: Uint8Array;
  /** The fragment header, if there is one. Behind that of a later fragment no header can be read. */
  readonly fragment: Ipv6Fragment | undefined;
}

/**
 * ```text
 * next header 1 | 0 | fragment offset 13 bits, in 8 octets | 2 bits 0 | more fragments 1 bit | identification 4
 * ```
 */
export interface Ipv6Fragment {
  readonly offsetBytes: number;
  readonly more: boolean;
  readonly identification: number;
}

/** Undefined when an extension header is cut off, or there are more of them than `maxExtensionHeaders`. */
export function upperLayer(packet: Ipv6Packet): UpperLayer | undefined {
  let protocol = packet.nextHeader;
  let payload = packet.payload;
  let fragment: Ipv6Fragment | undefined;
  for (let headers = 0; isExtension(protocol); headers++) {
    // A later fragment continues what the first one began: its octets are no header.
    if (fragment !== undefined && fragment.offsetBytes > 0) break;
    if (headers === maxExtensionHeaders || payload.length < 8) return undefined;
    const headerBytes = extensionBytes(protocol, payload);
    if (headerBytes > payload.length) return undefined;
    if (protocol === extensionHeader.fragment) fragment = decodeFragment(payload);
    protocol = payload[0]!;
    payload = payload.subarray(headerBytes);
  }
  return { protocol, payload, fragment };
}

export function isExtension(protocol: number): boolean {
  switch (protocol) {
    case extensionHeader.hopByHop:
    case extensionHeader.routing:
    case extensionHeader.fragment:
    case extensionHeader.authentication:
    case extensionHeader.destinationOptions:
      return true;
    default:
      return false;
  }
}

/** Of the extension header of this kind that `octets` begin with. */
export function extensionBytes(protocol: number, octets: Uint8Array): number {
  if (protocol === extensionHeader.fragment) return 8;
  // The authentication header alone counts in words, less two.
  return protocol === extensionHeader.authentication ? (octets[1]! + 2) * 4 : (octets[1]! + 1) * 8;
}

function decodeFragment(octets: Uint8Array): Ipv6Fragment {
  const field = readU16(octets, 2);
  return { offsetBytes: field & 0xfff8, more: (field & 1) !== 0, identification: readU32(octets, 4) };
}

/** An extension header that holds `body`, filled up with zeros to a multiple of 8 octets. */
export function encodeExtension(nextHeader: number, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(Math.ceil((body.length + 2) / 8) * 8);
  octets[0] = nextHeader;
  octets[1] = octets.length / 8 - 1;
  octets.set(body, 2);
  return octets;
}

export function encodeFragment(nextHeader: number, fragment: Ipv6Fragment): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(8);
  octets[0] = nextHeader;
  writeU16(octets, 2, fragment.offsetBytes | (fragment.more ? 1 : 0));
  writeU32(octets, 4, fragment.identification);
  return octets;
}
