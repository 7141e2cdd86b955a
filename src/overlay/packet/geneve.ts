import { etherType } from './ethernet.ts';
import { joinOctets, readU16, readU32, writeU16, writeU32 } from './octets.ts';

export const genevePort = 6081;
export const geneveHeaderBytes = 8;
/** Options that a packet may carry: twice what the overlay ever sends, and a bound for the data path's loop. */
export const maxOptions = 4;
/** Octets of all options together: two of the largest. */
export const maxOptionsBytes = 64;

const optionHeaderBytes = 4;
const controlFlag = 0x80;
const criticalFlag = 0x40;
const criticalType = 0x80;

/**
 * RFC 8926:
 *
 * ```text
 * version 2 bits = 0 | length of the options 6 bits, in words | control 1 bit | critical 1 bit | 6 bits 0 | protocol 2
 * | VNI 3 | 0 | options | payload
 * ```
 */
export interface GenevePacket {
  readonly control: boolean;
  /** Some option is critical. `encodeGeneve` sets it from the options. */
  readonly critical: boolean;
  readonly protocol: number;
  readonly vni: number;
  readonly options: readonly GeneveOption[];
  readonly payload: Uint8Array;
}

/**
 * ```text
 * class 2 | type 1, its highest bit = critical | 3 bits 0 | length of the body 5 bits, in words | body
 * ```
 */
export interface GeneveOption {
  readonly class: number;
  readonly type: number;
  /** Whole words, at most 124 octets. */
  readonly body: Uint8Array;
}

export function isCritical(option: GeneveOption): boolean {
  return (option.type & criticalType) !== 0;
}

/**
 * Undefined when the version is not 0, the protocol is not Ethernet, something is cut off, an option passes the end of
 * the options, or there are more than `maxOptions` or `maxOptionsBytes`. Bodies and payload are views of `octets`.
 */
export function decodeGeneve(octets: Uint8Array): GenevePacket | undefined {
  if (octets.length < geneveHeaderBytes || octets[0]! >>> 6 !== 0) return undefined;
  const optionsBytes = (octets[0]! & 0x3f) * 4;
  const protocol = readU16(octets, 2);
  if (protocol !== etherType.transparentEthernet) return undefined;
  if (optionsBytes > maxOptionsBytes || geneveHeaderBytes + optionsBytes > octets.length) return undefined;
  const options = decodeOptions(octets.subarray(geneveHeaderBytes, geneveHeaderBytes + optionsBytes));
  if (options === undefined) return undefined;
  return {
    control: (octets[1]! & controlFlag) !== 0,
    critical: (octets[1]! & criticalFlag) !== 0,
    protocol,
    vni: readU32(octets, 4) >>> 8,
    options,
    payload: octets.subarray(geneveHeaderBytes + optionsBytes),
  };
}

function decodeOptions(octets: Uint8Array): GeneveOption[] | undefined {
  const options: GeneveOption[] = [];
  let rest = octets;
  while (rest.length > 0) {
    // The length is a number of words, so at least one word is left: the header of an option.
    const end = optionHeaderBytes + (rest[3]! & 0x1f) * 4;
    if (options.length === maxOptions || end > rest.length) return undefined;
    options.push({ class: readU16(rest, 0), type: rest[2]!, body: rest.subarray(optionHeaderBytes, end) });
    rest = rest.subarray(end);
  }
  return options;
}

export function encodeGeneve(packet: Omit<GenevePacket, 'critical'>): Uint8Array<ArrayBuffer> {
  const options = joinOctets(...packet.options.map(encodeOption));
  const header = new Uint8Array(geneveHeaderBytes);
  header[0] = options.length / 4;
  header[1] = (packet.control ? controlFlag : 0) | (packet.options.some(isCritical) ? criticalFlag : 0);
  writeU16(header, 2, packet.protocol);
  writeU32(header, 4, (packet.vni << 8) >>> 0);
  return joinOctets(header, options, packet.payload);
}

function encodeOption(option: GeneveOption): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(optionHeaderBytes);
  writeU16(header, 0, option.class);
  header[2] = option.type;
  header[3] = option.body.length / 4;
  return joinOctets(header, option.body);
}
