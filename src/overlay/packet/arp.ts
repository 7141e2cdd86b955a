import { ipv4Octets, mappedIpv4 } from './address.ts';
import { etherType } from './ethernet.ts';
import { readU16, writeU16 } from './octets.ts';

export const arpBytes = 28;
export const arpOperation = { request: 1, reply: 2 } as const;

const hardwareEthernet = 1;

/**
 * ARP for IPv4 over Ethernet (RFC 826):
 *
 * ```text
 * hardware 2 = 1 | protocol 2 = 0x0800 | 6 | 4 | operation 2 | sender MAC 6 | sender IPv4 4 | target MAC 6 | target IPv4 4
 * ```
 */
export interface Arp {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  /** 16 octets, like every address. */
  readonly senderAddress: Uint8Array;
  readonly targetMac: Uint8Array;
  readonly targetAddress: Uint8Array;
}

/** Undefined when it is too short or not for IPv4 over Ethernet. MACs are views of `octets`. What follows is padding. */
export function decodeArp(octets: Uint8Array): Arp | undefined {
  if (octets.length < arpBytes) return undefined;
  if (readU16(octets, 0) !== hardwareEthernet || readU16(octets, 2) !== etherType.ipv4) return undefined;
  if (octets[4] !== 6 || octets[5] !== 4) return undefined;
  return {
    operation: readU16(octets, 6),
    senderMac: octets.subarray(8, 14),
    senderAddress: mappedIpv4(octets, 14),
    targetMac: octets.subarray(18, 24),
    targetAddress: mappedIpv4(octets, 24),
  };
}

export function encodeArp(arp: Arp): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(arpBytes);
  writeU16(octets, 0, hardwareEthernet);
  writeU16(octets, 2, etherType.ipv4);
  octets[4] = 6;
  octets[5] = 4;
  writeU16(octets, 6, arp.operation);
  octets.set(arp.senderMac, 8);
  octets.set(ipv4Octets(arp.senderAddress), 14);
  octets.set(arp.targetMac, 18);
  octets.set(ipv4Octets(arp.targetAddress), 24);
  return octets;
}
