import { internetChecksum } from './checksum.ts';
import { joinOctets, readU16, writeU16 } from './octets.ts';

export const udpHeaderBytes = 8;

/**
 * RFC 768:
 *
 * ```text
 * source port 2 | destination port 2 | length 2, header included | checksum 2, 0 = none | payload
 * ```
 */
export interface UdpDatagram {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly checksum: number;
  readonly payload: Uint8Array;
}

/** Undefined when it is too short or its length says more than there is. The checksum is not checked. `payload` is a view. */
export function decodeUdp(octets: Uint8Array): UdpDatagram | undefined {
  if (octets.length < udpHeaderBytes) return undefined;
  const length = readU16(octets, 4);
  if (length < udpHeaderBytes || length > octets.length) return undefined;
  return {
    sourcePort: readU16(octets, 0),
    destinationPort: readU16(octets, 2),
    checksum: readU16(octets, 6),
    payload: octets.subarray(udpHeaderBytes, length),
  };
}

/** With the checksum as given. */
export function encodeUdp(datagram: UdpDatagram): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(udpHeaderBytes);
  writeU16(header, 0, datagram.sourcePort);
  writeU16(header, 2, datagram.destinationPort);
  writeU16(header, 4, udpHeaderBytes + datagram.payload.length);
  writeU16(header, 6, datagram.checksum);
  return joinOctets(header, datagram.payload);
}

/** The checksum of a datagram; `pseudoHeader` is `pseudoHeaderSum` of its addresses. 0 is sent as 0xffff. */
export function udpChecksum(datagram: Omit<UdpDatagram, 'checksum'>, pseudoHeader: number): number {
  return internetChecksum(encodeUdp({ ...datagram, checksum: 0 }), pseudoHeader) || 0xffff;
}
