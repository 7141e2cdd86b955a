import { internetChecksum } from './checksum.ts';
import { joinOctets, readU16, readU32, writeU16, writeU32 } from './octets.ts';

export const icmpHeaderBytes = 8;

export const icmpType = { echoReply: 0, destinationUnreachable: 3, echoRequest: 8 } as const;
/** The code of `destinationUnreachable` that says which MTU fits. */
export const icmpFragmentationNeeded = 4;
export const icmpPortUnreachable = 3;

export const icmpv6PortUnreachable = 4;

export const icmpv6Type = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  echoRequest: 128,
  echoReply: 129,
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighborSolicitation: 135,
  neighborAdvertisement: 136,
  redirect: 137,
} as const;

/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443) have one layout:
 *
 * ```text
 * type 1 | code 1 | checksum 2 | rest 4, its meaning by type | body
 * ```
 */
export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /** Echo: identifier and sequence number. Fragmentation needed: 0 and the MTU in two octets. Packet too big: the MTU. */
  readonly rest: number;
  readonly body: Uint8Array;
}

/** Undefined when it is too short. The checksum is not checked. `body` is a view. */
export function decodeIcmp(octets: Uint8Array): IcmpMessage | undefined {
  if (octets.length < icmpHeaderBytes) return undefined;
  return { type: octets[0]!, code: octets[1]!, rest: readU32(octets, 4), body: octets.subarray(icmpHeaderBytes) };
}

/** With its checksum. `pseudoHeader`: 0 for ICMP, `pseudoHeaderSum` for ICMPv6. */
export function encodeIcmp(message: IcmpMessage, pseudoHeader: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(icmpHeaderBytes);
  header[0] = message.type;
  header[1] = message.code;
  writeU32(header, 4, message.rest);
  const octets = joinOctets(header, message.body);
  writeU16(octets, 2, internetChecksum(octets, pseudoHeader));
  return octets;
}

/** Whether the checksum of an ICMP message holds. */
export function icmpChecksumHolds(octets: Uint8Array, pseudoHeader: number): boolean {
  const without = octets.slice();
  writeU16(without, 2, 0);
  return readU16(octets, 2) === internetChecksum(without, pseudoHeader);
}
