import { etherType } from './ethernet.ts';
import { joinOctets, readU16, readU32, writeU16, writeU32 } from './octets.ts';

export const genevePort = 6081;
export const geneveHeaderBytes = 8;
/** Options that a packet may carry: twice what the overlay ever sends, and a bound for the data path's loop. */
export const maxOptions = 4;
/** Octets of all options together: two of the largest. */
export const maxOptionsBytes = 64;

export const optionHeaderBytes = 4;
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

/** A packet whose options are not looked into yet. */
export interface GeneveHeader extends Omit<GenevePacket, 'options'> {
  readonly options: Uint8Array;
}

/**
 * Undefined when the version is not 0, the protocol is not Ethernet, something is cut off, or the options have more than
 * `maxOptionsBytes`. Options and payload are views of `octets`.
 */
export function decodeGeneveHeader(octets: Uint8Array): GeneveHeader | undefined {
  if (octets.length < geneveHeaderBytes || octets[0]! >>> 6 !== 0) return undefined;
  const protocol = readU16(octets, 2);
  const payloadAt = geneveHeaderBytes + (octets[0]! & 0x3f) * 4;
  if (protocol !== etherType.transparentEthernet) return undefined;
  if (payloadAt > geneveHeaderBytes + maxOptionsBytes || payloadAt > octets.length) return undefined;
  return {
    control: (octets[1]! & controlFlag) !== 0,
    critical: (octets[1]! & criticalFlag) !== 0,
    protocol,
    vni: readU32(octets, 4) >>> 8,
    options: octets.subarray(geneveHeaderBytes, payloadAt),
    payload: octets.subarray(payloadAt),
  };
}

/** As `decodeGeneveHeader`; also undefined when an option passes the end of the options, or there are more than `maxOptions`. */
export function decodeGeneve(octets: Uint8Array): GenevePacket | undefined {
  const header = decodeGeneveHeader(octets);
  if (header === undefined) return undefined;
  const options: GeneveOption[] = [];
  for (let rest = header.options; rest.length > 0;) {
    const option = options.length === maxOptions ? undefined : decodeOption(rest);
    if (option === undefined) return undefined;
    options.push(option);
    rest = rest.subarray(optionHeaderBytes + option.body.length);
  }
  return { ...header, options };
}

/** The first of `options`, which are not empty and whole words; undefined when it passes their end. */
export function decodeOption(options: Uint8Array): GeneveOption | undefined {
  const end = optionHeaderBytes + (options[3]! & 0x1f) * 4;
  if (end > options.length) return undefined;
  return { class: readU16(options, 0), type: options[2]!, body: options.subarray(optionHeaderBytes, end) };
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
