import { isIpv4, ipv4Octets } from '../packet/address.ts';
import { arpOperation, encodeArp } from '../packet/arp.ts';
import { internetChecksum, pseudoHeaderSum } from '../packet/checksum.ts';
import { encodeEthernet, etherType } from '../packet/ethernet.ts';
import { encodeIcmp, icmpHeaderBytes, icmpType, icmpv6Type } from '../packet/icmp.ts';
import { encodeWholeIpv4, ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { encodeIpv6, ipv6HeaderBytes } from '../packet/ipv6.ts';
import { encodeNeighbor, neighborHopLimit, solicitedNodeGroup } from '../packet/neighbor-discovery.ts';
import { writeU16 } from '../packet/octets.ts';
import { encodeTcp, tcpFlag, tcpHeaderBytes } from '../packet/tcp.ts';
import { encodeUdp, udpChecksum, udpHeaderBytes } from '../packet/udp.ts';

export type TraceProtocol = 'tcp' | 'udp' | 'icmp';

/** The packet that is sent. Both addresses are of one family. */
export interface TracePacket {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: TraceProtocol;
  readonly sourcePort: number;
  /** Of TCP and UDP. */
  readonly port: number;
  /** Of the IP packet, headers included; raised to the least that the headers take. */
  readonly bytes: number;
}

const broadcast = new Uint8Array(6).fill(0xff);
const timeToLive = 64;
const firstSequence = 1;

/** What a pod asks its link before it sends: who has `target`? */
export function neighborQuestion(target: Uint8Array, source: Uint8Array, mac: Uint8Array): Uint8Array {
  if (isIpv4(source)) {
    const arp = encodeArp({
      operation: arpOperation.request,
      senderMac: mac,
      senderAddress: source,
      targetMac: new Uint8Array(6),
      targetAddress: target,
    });
    return encodeEthernet({ destination: broadcast, source: mac, type: etherType.arp, payload: arp });
  }
  const message = encodeNeighbor({ kind: 'solicitation', flags: 0, target, linkLayerAddress: mac });
  const group = solicitedNodeGroup(target);
  const sum = pseudoHeaderSum(source, group, ipProtocol.icmpv6, icmpHeaderBytes + message.body.length);
  const payload = encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    nextHeader: ipProtocol.icmpv6,
    hopLimit: neighborHopLimit,
    source,
    destination: group,
    payload: encodeIcmp(message, sum),
  });
  return encodeEthernet({
    destination: Uint8Array.of(0x33, 0x33, ...group.subarray(12)),
    source: mac,
    type: etherType.ipv6,
    payload,
  });
}

/** The packet in a frame: an echo request, a datagram, or the SYN of a connection. IPv4 must not be fragmented. */
export function packetFrame(packet: TracePacket, mac: Uint8Array, nextHopMac: Uint8Array): Uint8Array {
  const { source, destination, bytes } = packet;
  if (isIpv4(source)) {
    const [protocol, payload] = transport(packet, bytes - ipv4HeaderBytes);
    const ip = encodeWholeIpv4({
      timeToLive,
      protocol,
      source,
      destination,
      payload,
    });
    return encodeEthernet({ destination: nextHopMac, source: mac, type: etherType.ipv4, payload: ip });
  }
  const [nextHeader, payload] = transport(packet, bytes - ipv6HeaderBytes);
  const ip = encodeIpv6({ trafficClass: 0, flowLabel: 0, nextHeader, hopLimit: timeToLive, source, destination, payload });
  return encodeEthernet({ destination: nextHopMac, source: mac, type: etherType.ipv6, payload: ip });
}

/** Protocol number, and header with payload of `wantedBytes` together. */
function transport({ source, destination, protocol, sourcePort, port }: TracePacket, wantedBytes: number): [number, Uint8Array] {
  const isOld = isIpv4(source);
  const octets = (address: Uint8Array): Uint8Array => (isOld ? ipv4Octets(address) : address);
  const filled = (headerBytes: number): Uint8Array => new Uint8Array(Math.max(0, wantedBytes - headerBytes));
  const sum = (code: number, length: number): number => pseudoHeaderSum(octets(source), octets(destination), code, length);
  if (protocol === 'icmp') {
    const body = filled(icmpHeaderBytes);
    const message = { code: 0, rest: ((sourcePort << 16) | firstSequence) >>> 0, body };
    if (isOld) return [ipProtocol.icmp, encodeIcmp({ ...message, type: icmpType.echoRequest }, 0)];
    return [
      ipProtocol.icmpv6,
      encodeIcmp({ ...message, type: icmpv6Type.echoRequest }, sum(ipProtocol.icmpv6, icmpHeaderBytes + body.length)),
    ];
  }
  if (protocol === 'udp') {
    const datagram = { sourcePort, destinationPort: port, payload: filled(udpHeaderBytes) };
    const checksum = udpChecksum(datagram, sum(ipProtocol.udp, udpHeaderBytes + datagram.payload.length));
    return [ipProtocol.udp, encodeUdp({ ...datagram, checksum })];
  }
  const segment = encodeTcp({
    sourcePort,
    destinationPort: port,
    sequence: firstSequence,
    acknowledgment: 0,
    flags: tcpFlag.syn,
    window: 0xffff,
    checksum: 0,
    urgentPointer: 0,
    options: new Uint8Array(),
    payload: filled(tcpHeaderBytes),
  });
  writeU16(segment, tcpChecksumAt, internetChecksum(segment, sum(ipProtocol.tcp, segment.length)));
  return [ipProtocol.tcp, segment];
}

const tcpChecksumAt = 16;
