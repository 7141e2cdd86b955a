import { onesComplementSum, updatedChecksumBy } from '../packet/checksum.ts';
import { ipv4Octets } from '../packet/address.ts';
import { ipProtocol } from '../packet/ipv4.ts';
import { joinOctets, readU16, writeU16 } from '../packet/octets.ts';
import { isIcmp, type Flow } from './flow.ts';
import { hasPorts } from './flow-port.ts';

export interface End {
  readonly address: Uint8Array;
  readonly port: number;
}

export type WhichEnd = 'source' | 'destination';

/** Where the transport's checksum over the addresses lies in its header; undefined when it has none. */
function checksumOffset(protocol: number): number | undefined {
  if (protocol === ipProtocol.tcp) return 16;
  if (protocol === ipProtocol.udp) return 6;
  return protocol === ipProtocol.icmpv6 ? 2 : undefined;
}

function isIpv6(frame: Uint8Array, flow: Flow): boolean {
  return frame[flow.l3Offset]! >>> 4 === 6;
}

/** The sum of what was taken out and what came in its place: what a checksum over it changes by. */
function differenceOf(before: Uint8Array, after: Uint8Array): number {
  const whole = before.length % 2 === 0 ? before : joinOctets(before, Uint8Array.of(0));
  return onesComplementSum(after, onesComplementSum(whole.map((octet) => ~octet)));
}

function wordOf(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

/** UDP: 0 says that there is no checksum, and stays; a checksum that comes to 0 is written as 0xffff. */
function adjust(frame: Uint8Array, at: number, difference: number, isUdp: boolean): void {
  const before = readU16(frame, at);
  if (isUdp && before === 0) return;
  const after = updatedChecksumBy(before, difference);
  writeU16(frame, at, isUdp && after === 0 ? 0xffff : after);
}

/** Writes an address into an IP header, and the header's own checksum; what it changes other sums by. */
function rewriteAddress(frame: Uint8Array, flow: Flow, which: WhichEnd, address: Uint8Array): number {
  const difference = differenceOf(which === 'source' ? flow.source : flow.destination, address);
  const at = flow.l3Offset;
  if (isIpv6(frame, flow)) {
    frame.set(address, at + (which === 'source' ? 8 : 24));
    return difference;
  }
  adjust(frame, at + 10, difference, false);
  frame.set(ipv4Octets(address), at + (which === 'source' ? 12 : 16));
  return difference;
}

/** Gives the packet of `flow` another address and port at one end, in place; of ICMP the address alone. */
export function rewrite(frame: Uint8Array, flow: Flow, which: WhichEnd, { address, port }: End): void {
  const difference = rewriteAddress(frame, flow, which, address);
  const offset = checksumOffset(flow.protocol);
  if (flow.kind === 'later' || offset === undefined) return;
  const at = flow.l4Offset;
  const isUdp = flow.protocol === ipProtocol.udp;
  adjust(frame, at + offset, difference, isUdp);
  const before = which === 'source' ? flow.sourcePort : flow.destinationPort;
  if (isIcmp(flow) || before === port) return;
  adjust(frame, at + offset, differenceOf(wordOf(before), wordOf(port)), isUdp);
  writeU16(frame, at + (which === 'source' ? 0 : 2), port);
}

/** The same in the packet that an ICMP error quotes, as far as it does, and in the error's checksum. */
export function rewriteQuoted(frame: Uint8Array, error: Flow, quoted: Flow, which: WhichEnd, end: End): void {
  const before = frame.slice(quoted.l3Offset);
  const difference = rewriteAddress(frame, quoted, which, end.address);
  const at = quoted.l4Offset;
  const oldPort = which === 'source' ? quoted.sourcePort : quoted.destinationPort;
  const port = isIcmp(quoted) || !hasPorts(quoted.protocol) ? oldPort : end.port;
  if (hasPorts(quoted.protocol)) writeU16(frame, at + (which === 'source' ? 0 : 2), port);
  const offset = checksumOffset(quoted.protocol);
  if (offset !== undefined && at + offset + 2 <= frame.length) {
    const isUdp = quoted.protocol === ipProtocol.udp;
    if (!isUdp || readU16(frame, at + offset) !== 0) {
      const both = onesComplementSum(wordOf(difference), differenceOf(wordOf(oldPort), wordOf(port)));
      adjust(frame, at + offset, both, isUdp);
    }
  }
  const checksumAt = error.l4Offset + 2;
  writeU16(frame, checksumAt, updatedChecksumBy(readU16(frame, checksumAt), differenceOf(before, frame.slice(quoted.l3Offset))));
}
