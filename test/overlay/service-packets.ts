/** Packets between pods and services in the world of the program tests, with checksums that the kernel of their receiver would accept. */
import { ipv4Octets, isIpv4 } from '../../src/overlay/packet/address.ts';
import { internetChecksum, pseudoHeaderSum } from '../../src/overlay/packet/checksum.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { decodeIcmp, encodeIcmp, icmpType, icmpv6Type, type IcmpMessage } from '../../src/overlay/packet/icmp.ts';
import { decodeIpv4, encodeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { decodeIpv6, encodeFragment, encodeIpv6, extensionHeader, upperLayer } from '../../src/overlay/packet/ipv6.ts';
import { joinOctets, readU16, writeU16 } from '../../src/overlay/packet/octets.ts';
import { decodeTcp, encodeTcp, tcpFlag } from '../../src/overlay/packet/tcp.ts';
import { encodeUdp } from '../../src/overlay/packet/udp.ts';
import { gatewayMac, pod } from './program-world.ts';

export interface Packet {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sourceMac?: Uint8Array;
  readonly destinationMac?: Uint8Array;
  readonly timeToLive?: number;
  readonly fragment?: { readonly offsetBytes: number; readonly more: boolean };
  /** With its checksum. */
  readonly payload: Uint8Array;
  readonly protocol: number;
}

const octetsOf = (address: Uint8Array): Uint8Array => (isIpv4(address) ? ipv4Octets(address) : address);
const fragmentId = 77;

/** An IP packet in a frame of the pod, to its gateway unless it says otherwise. */
export function frameOf(packet: Packet): Uint8Array {
  const { source, destination, payload, protocol, timeToLive = 64, fragment } = packet;
  const macs = { destination: packet.destinationMac ?? gatewayMac, source: packet.sourceMac ?? pod.mac };
  if (!isIpv4(source)) {
    const head = fragment === undefined ? new Uint8Array() : encodeFragment(protocol, { ...fragment, identification: fragmentId });
    const nextHeader = fragment === undefined ? protocol : extensionHeader.fragment;
    const common = { trafficClass: 0, flowLabel: 0, hopLimit: timeToLive, source, destination };
    return encodeEthernet({
      ...macs,
      type: etherType.ipv6,
      payload: encodeIpv6({ ...common, nextHeader, payload: joinOctets(head, payload) }),
    });
  }
  const ip = encodeIpv4({
    typeOfService: 0,
    identification: fragmentId,
    dontFragment: fragment === undefined,
    moreFragments: fragment?.more ?? false,
    fragmentOffsetBytes: fragment?.offsetBytes ?? 0,
    timeToLive,
    protocol,
    source,
    destination,
    options: new Uint8Array(),
    payload,
  });
  return encodeEthernet({ ...macs, type: etherType.ipv4, payload: ip });
}

export interface Between {
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly destination: Uint8Array;
  readonly destinationPort: number;
}

type Rest = Partial<Omit<Packet, 'source' | 'destination' | 'protocol' | 'payload'>>;

function sumOf({ source, destination }: Pick<Packet, 'source' | 'destination'>, protocol: number, lengthBytes: number): number {
  return pseudoHeaderSum(octetsOf(source), octetsOf(destination), protocol, lengthBytes);
}

export function tcpFrame(flow: Between, flags: number = tcpFlag.syn, changes: Rest & { readonly dataBytes?: number } = {}): Uint8Array {
  const segment = encodeTcp({
    sourcePort: flow.sourcePort,
    destinationPort: flow.destinationPort,
    sequence: 1000,
    acknowledgment: 5000,
    flags,
    window: 100,
    checksum: 0,
    urgentPointer: 0,
    options: Uint8Array.of(1, 1, 1, 1),
    payload: new Uint8Array(changes.dataBytes ?? 0).fill(0x62),
  });
  writeU16(segment, 16, internetChecksum(segment, sumOf(flow, ipProtocol.tcp, segment.length)));
  return frameOf({ ...flow, ...changes, protocol: ipProtocol.tcp, payload: segment });
}

export function udpFrame(flow: Between, changes: Rest & { readonly noChecksum?: boolean; readonly dataBytes?: number } = {}): Uint8Array {
  const { sourcePort, destinationPort } = flow;
  const datagram = encodeUdp({ sourcePort, destinationPort, checksum: 0, payload: new Uint8Array(changes.dataBytes ?? 9).fill(0x61) });
  const checksum = internetChecksum(datagram, sumOf(flow, ipProtocol.udp, datagram.length)) || 0xffff;
  if (changes.noChecksum !== true) writeU16(datagram, 6, checksum);
  return frameOf({ ...flow, ...changes, protocol: ipProtocol.udp, payload: datagram });
}

export function icmpFrame(ends: Pick<Packet, 'source' | 'destination'>, message: IcmpMessage, changes: Rest = {}): Uint8Array {
  const protocol = isIpv4(ends.source) ? ipProtocol.icmp : ipProtocol.icmpv6;
  const sum = isIpv4(ends.source) ? 0 : sumOf(ends, protocol, 8 + message.body.length);
  return frameOf({ ...ends, ...changes, protocol, payload: encodeIcmp(message, sum) });
}

export function echoFrame(
  ends: Pick<Packet, 'source' | 'destination'>,
  identifier: number,
  what: 'echoRequest' | 'echoReply' = 'echoRequest',
  changes: Rest = {},
): Uint8Array {
  const type = (isIpv4(ends.source) ? icmpType : icmpv6Type)[what];
  return icmpFrame(ends, { type, code: 0, rest: identifier * 0x10000 + 1, body: new Uint8Array(11).fill(0x63) }, changes);
}

/** An ICMP error that quotes the IP packet of a frame, as a router or the receiver sends it: the first octets of the packet. */
export function errorFrame(
  ends: Pick<Packet, 'source' | 'destination'>,
  quoted: Uint8Array,
  message: Pick<IcmpMessage, 'type' | 'code'>,
  quotedBytes = 1000,
  changes: Rest = {},
): Uint8Array {
  return icmpFrame(ends, { ...message, rest: 0, body: decodeEthernet(quoted)!.payload.slice(0, quotedBytes) }, changes);
}

/** What a frame holds, or why its receiver would not accept it. */
export interface Seen extends Between {
  readonly sourceMac: Uint8Array;
  readonly destinationMac: Uint8Array;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  readonly wrong: readonly string[];
}

/** Reads an IP packet, and checks its checksums; of a fragment the header's only. */
export function see(frame: Uint8Array): Seen {
  const { type, payload: octets, source: sourceMac, destination: destinationMac } = decodeEthernet(frame)!;
  const wrong: string[] = [];
  const isV4 = type === etherType.ipv4;
  const packet = isV4 ? decodeIpv4(octets)! : decodeIpv6(octets)!;
  const upper = 'protocol' in packet ? { protocol: packet.protocol, payload: packet.payload } : upperLayer(packet)!;
  const timeToLive = 'protocol' in packet ? packet.timeToLive : packet.hopLimit;
  const isFragment =
    'protocol' in packet ? packet.moreFragments || packet.fragmentOffsetBytes > 0 : upperLayer(packet)!.fragment !== undefined;
  if (isV4 && internetChecksum(octets.subarray(0, (octets[0]! & 15) * 4)) !== 0) wrong.push('IPv4 header');
  const { protocol, payload } = upper;
  const { source, destination } = packet;
  const hasSum = Object.values<number>(ipProtocol).includes(protocol);
  const hasNone = protocol === ipProtocol.udp && readU16(payload, 6) === 0;
  const sum = protocol === ipProtocol.icmp ? 0 : sumOf({ source, destination }, protocol, payload.length);
  if (!isFragment && hasSum && !hasNone && internetChecksum(payload, sum) !== 0) wrong.push(`protocol ${protocol}`);
  const isIcmp = protocol === ipProtocol.icmp || protocol === ipProtocol.icmpv6;
  return {
    source,
    destination,
    sourcePort: isIcmp ? 0 : readU16(payload, 0),
    destinationPort: isIcmp ? 0 : readU16(payload, 2),
    sourceMac,
    destinationMac,
    timeToLive,
    protocol,
    flags: protocol === ipProtocol.tcp ? (decodeTcp(payload)?.flags ?? 0) : 0,
    payload,
    wrong,
  };
}

/** The packet that an ICMP error quotes; the checksum of what is cut off cannot hold and is not looked at. */
export function seeQuoted(
  frame: Uint8Array,
): Pick<Seen, 'source' | 'destination' | 'sourcePort' | 'destinationPort' | 'protocol' | 'wrong'> {
  const { body } = decodeIcmp(see(frame).payload)!;
  const isV4 = body[0]! >>> 4 === 4;
  const whole = readU16(body, isV4 ? 2 : 4) + (isV4 ? 0 : 40) === body.length;
  const type = isV4 ? etherType.ipv4 : etherType.ipv6;
  if (whole) return see(encodeEthernet({ destination: gatewayMac, source: gatewayMac, type, payload: body }));
  const at = isV4 ? (body[0]! & 15) * 4 : 40;
  const address = (from: number): Uint8Array =>
    isV4 ? joinOctets(new Uint8Array(10), Uint8Array.of(255, 255), body.slice(from, from + 4)) : body.slice(from, from + 16);
  return {
    source: address(isV4 ? 12 : 8),
    destination: address(isV4 ? 16 : 24),
    sourcePort: readU16(body, at),
    destinationPort: readU16(body, at + 2),
    protocol: body[isV4 ? 9 : 6]!,
    wrong: isV4 && internetChecksum(body.subarray(0, at)) !== 0 ? ['IPv4 header'] : [],
  };
}
