import { joinOctets, readU16, readU32, writeU16, writeU32 } from './octets.ts';

export const tcpHeaderBytes = 20;

export const tcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32 } as const;

/**
 * RFC 9293:
 *
 * ```text
 * source port 2 | destination port 2 | sequence number 4 | acknowledgment number 4
 * | data offset 4 bits, in words | 4 bits 0 | flags 1 | window 2 | checksum 2 | urgent pointer 2 | options | payload
 * ```
 */
export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgentPointer: number;
  /** Whole words, at most 40 octets. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

/** Undefined when the header is cut off or shorter than 20 octets. `options` and `payload` are views. */
export function decodeTcp(octets: Uint8Array): TcpSegment | undefined {
  if (octets.length < tcpHeaderBytes) return undefined;
  const headerBytes = (octets[12]! >>> 4) * 4;
  if (headerBytes < tcpHeaderBytes || headerBytes > octets.length) return undefined;
  return {
    sourcePort: readU16(octets, 0),
    destinationPort: readU16(octets, 2),
    sequence: readU32(octets, 4),
    acknowledgment: readU32(octets, 8),
    flags: octets[13]!,
    window: readU16(octets, 14),
    checksum: readU16(octets, 16),
    urgentPointer: readU16(octets, 18),
    options: octets.subarray(tcpHeaderBytes, headerBytes),
    payload: octets.subarray(headerBytes),
  };
}

/** With the checksum as given. */
export function encodeTcp(segment: TcpSegment): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(tcpHeaderBytes);
  writeU16(header, 0, segment.sourcePort);
  writeU16(header, 2, segment.destinationPort);
  writeU32(header, 4, segment.sequence);
  writeU32(header, 8, segment.acknowledgment);
  header[12] = ((tcpHeaderBytes + segment.options.length) / 4) << 4;
  header[13] = segment.flags;
  writeU16(header, 14, segment.window);
  writeU16(header, 16, segment.checksum);
  writeU16(header, 18, segment.urgentPointer);
  return joinOctets(header, segment.options, segment.payload);
}
