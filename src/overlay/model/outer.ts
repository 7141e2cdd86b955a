import type { Reason } from '../layout/counter.ts';
import { mappedIpv4 } from '../packet/address.ts';
import { ethernetHeaderBytes, etherType } from '../packet/ethernet.ts';
import {
  decodeGeneveHeader,
  decodeOption,
  geneveHeaderBytes,
  genevePort,
  isCritical,
  maxOptions,
  optionHeaderBytes,
  type GeneveOption,
} from '../packet/geneve.ts';
import { ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { readU16, sameOctets } from '../packet/octets.ts';
import { decodeOverlayOption, overlayOptionType, type Location, type Moved } from '../packet/overlay-option.ts';
import { udpHeaderBytes } from '../packet/udp.ts';
import { withMacs, type OuterAddresses } from './tunnel.ts';

const udpAt = ethernetHeaderBytes + ipv4HeaderBytes;
const geneveAt = udpAt + udpHeaderBytes;
/** Version 4 and a header of five words. */
const plainIpv4 = 0x45;
/** The fragment offset and the flag that more follow. */
const fragmentBits = 0x3fff;
/** Of Geneve's second octet: a packet about the tunnel itself. */
const controlBit = 0x80;

/** The outer headers of a packet of the overlay, not looked into yet. */
export interface Outer {
  readonly frame: Uint8Array;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

/** Undefined when the packet is not of the overlay, or not to `address`. */
export function outerOf(frame: Uint8Array, address: Uint8Array): Outer | undefined {
  if (frame.length < geneveAt || readU16(frame, 12) !== etherType.ipv4) return undefined;
  const ip = frame.subarray(ethernetHeaderBytes);
  if (ip[0] !== plainIpv4 || (readU16(ip, 6) & fragmentBits) !== 0 || ip[9] !== ipProtocol.udp) return undefined;
  const destination = mappedIpv4(ip, 16);
  if (!sameOctets(destination, address) || readU16(frame, udpAt + 2) !== genevePort) return undefined;
  return { frame, source: mappedIpv4(ip, 12), destination };
}

/** A packet of the overlay that a host sent here. */
export interface Arrived {
  readonly sourceHostId: number;
  readonly addresses: OuterAddresses;
  readonly timeToLive: number;
  readonly sourcePort: number;
  readonly vni: number;
  readonly location: Location | undefined;
  readonly moved: Moved | undefined;
  readonly inner: Uint8Array;
  /** Octets behind the end of the outer packet: padding of the underlay, which stays where it is. */
  readonly trailer: Uint8Array;
}

/** Whether the IP and UDP lengths agree, fit into the frame and hold a Geneve header. */
function hasRightLengths({ frame }: Outer): boolean {
  const totalBytes = readU16(frame, ethernetHeaderBytes + 2);
  if (totalBytes > frame.length - ethernetHeaderBytes || totalBytes < ipv4HeaderBytes + udpHeaderBytes + geneveHeaderBytes) return false;
  return readU16(frame, udpAt + 4) === totalBytes - ipv4HeaderBytes;
}

/** A probe of another host: version 0 and the control bit. It goes back as it is, whatever the daemon of this host does. */
export function isProbe(outer: Outer): boolean {
  return hasRightLengths(outer) && outer.frame[geneveAt]! >>> 6 === 0 && (outer.frame[geneveAt + 1]! & controlBit) !== 0;
}

/** From the port of the overlay itself, two hosts would send each other one probe for ever. */
export function isReflectable({ frame }: Outer): boolean {
  return readU16(frame, udpAt) !== genevePort;
}

/** With MACs, addresses and ports swapped; the checksums stay right. */
export function reflected(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  const changed = withMacs(frame, frame.subarray(6, 12), frame.subarray(0, 6));
  changed.copyWithin(ethernetHeaderBytes + 12, ethernetHeaderBytes + 16, udpAt);
  changed.set(frame.subarray(ethernetHeaderBytes + 12, ethernetHeaderBytes + 16), ethernetHeaderBytes + 16);
  changed.copyWithin(udpAt, udpAt + 2, udpAt + 4);
  changed.set(frame.subarray(udpAt, udpAt + 2), udpAt + 2);
  return changed;
}

/** What is in the tunnel, or why it cannot be taken. */
export function tunnelOf(outer: Outer, sourceHostId: number): Arrived | Reason {
  const { frame, source, destination } = outer;
  if (!hasRightLengths(outer)) return 'malformed';
  const totalBytes = readU16(frame, ethernetHeaderBytes + 2);
  const geneve = decodeGeneveHeader(frame.subarray(geneveAt, ethernetHeaderBytes + totalBytes));
  if (geneve === undefined) return 'malformed';
  const options = readOptions(geneve.options);
  if (typeof options === 'string') return options;
  return {
    sourceHostId,
    addresses: { destinationMac: frame.subarray(0, 6), sourceMac: frame.subarray(6, 12), source, destination },
    timeToLive: frame[ethernetHeaderBytes + 8]!,
    sourcePort: readU16(frame, udpAt),
    vni: geneve.vni,
    ...options,
    inner: geneve.payload,
    trailer: frame.subarray(ethernetHeaderBytes + totalBytes),
  };
}

interface Options {
  readonly location: Location | undefined;
  readonly moved: Moved | undefined;
}

/** Reads one after the other, so the first that cannot be taken is the reason. Of an option that is there twice, the last counts. */
function readOptions(octets: Uint8Array): Options | Reason {
  let location: Location | undefined;
  let moved: Moved | undefined;
  let rest = octets;
  for (let count = 0; rest.length > 0; count++) {
    const option = count === maxOptions ? undefined : decodeOption(rest);
    if (option === undefined) return 'malformed';
    const known = decodeOverlayOption(option);
    if (known?.kind === 'location') location = known;
    else if (known?.kind === 'moved') moved = known;
    else if (known === undefined && isTaken(option)) return 'malformed';
    else if (isCritical(option)) return 'criticalOption';
    rest = rest.subarray(optionHeaderBytes + option.body.length);
  }
  return { location, moved };
}

/** Whether the data path takes options of this type; the other types of the overlay are not used yet. */
function isTaken(option: GeneveOption): boolean {
  return option.type === overlayOptionType.location || option.type === overlayOptionType.moved;
}
