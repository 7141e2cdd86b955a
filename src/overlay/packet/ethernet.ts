import { joinOctets, readU16 } from './octets.ts';

export const ethernetHeaderBytes = 14;

export const etherType = { ipv4: 0x0800, arp: 0x0806, transparentEthernet: 0x6558, vlan: 0x8100, ipv6: 0x86dd } as const;

/**
 * ```text
 * destination MAC 6 | source MAC 6 | EtherType 2 | payload
 * ```
 */
export interface EthernetFrame {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Fields are views of `octets`. Undefined when it is too short. */
export function decodeEthernet(octets: Uint8Array): EthernetFrame | undefined {
  if (octets.length < ethernetHeaderBytes) return undefined;
  return {
    destination: octets.subarray(0, 6),
    source: octets.subarray(6, 12),
    type: readU16(octets, 12),
    payload: octets.subarray(ethernetHeaderBytes),
  };
}

export function encodeEthernet(frame: EthernetFrame): Uint8Array<ArrayBuffer> {
  return joinOctets(frame.destination, frame.source, Uint8Array.of(frame.type >>> 8, frame.type), frame.payload);
}
