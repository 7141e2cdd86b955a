import type { Port } from '../layout/port.ts';
import { pseudoHeaderSum, internetChecksum } from '../packet/checksum.ts';
import { encodeEthernet, ethernetHeaderBytes, etherType } from '../packet/ethernet.ts';
import { ipv4Octets } from '../packet/address.ts';
import { encodeIcmp, icmpHeaderBytes, icmpPortUnreachable, icmpType, icmpv6PortUnreachable, icmpv6Type } from '../packet/icmp.ts';
import { encodeWholeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { encodeIpv6, ipv6HeaderBytes } from '../packet/ipv6.ts';
import { readU16, readU32, writeU16 } from '../packet/octets.ts';
import { encodeTcp, tcpFlag, tcpHeaderBytes } from '../packet/tcp.ts';
import type { Flow } from './flow.ts';

/** Quoted is the packet up to the first octets of its transport header, which has its ports. */
const quotedTransportBytes = 8;
const quotedIpv6Bytes = 128;
const answerTtl = 64;

/**
 * What a pod gets for a packet to a service that nobody answers: RST, or ICMP port unreachable; undefined for what nobody may be answered
 * about: later fragments, ICMP errors, RST.
 */
export function refusal(frame: Uint8Array, flow: Flow, port: Port, segmentBytes: number | undefined): Uint8Array | undefined {
  if (flow.kind === 'later' || flow.isError || (flow.tcpFlags & tcpFlag.rst) !== 0) return undefined;
  const isIpv6 = frame[ethernetHeaderBytes]! >>> 4 === 6;
  const lengthBytes = isIpv6 ? ipv6HeaderBytes + readU16(frame, ethernetHeaderBytes + 4) : readU16(frame, ethernetHeaderBytes + 2);
  const end = segmentBytes === undefined ? Math.min(ethernetHeaderBytes + lengthBytes, frame.length) : frame.length;
  const { source: destination, destination: source } = flow;
  const octets = (address: Uint8Array): Uint8Array => (isIpv6 ? address : ipv4Octets(address));
  const isReset = flow.protocol === ipProtocol.tcp && flow.kind === 'whole';
  const sumOf = (protocol: number, bytes: number): number => pseudoHeaderSum(octets(source), octets(destination), protocol, bytes);
  const payload = isReset
    ? reset(frame, flow, end, sumOf(ipProtocol.tcp, tcpHeaderBytes))
    : unreachable(frame, flow, end, isIpv6 ? (bytes): number => sumOf(ipProtocol.icmpv6, bytes) : undefined);
  const protocol = isReset ? ipProtocol.tcp : isIpv6 ? ipProtocol.icmpv6 : ipProtocol.icmp;
  const packet = isIpv6
    ? encodeIpv6({ trafficClass: 0, flowLabel: 0, nextHeader: protocol, hopLimit: answerTtl, source, destination, payload })
    : encodeWholeIpv4({
        dontFragment: false,
        timeToLive: answerTtl,
        protocol,
        source,
        destination,
        payload,
      });
  const type = isIpv6 ? etherType.ipv6 : etherType.ipv4;
  return encodeEthernet({ destination: port.mac, source: port.gatewayMac, type, payload: packet });
}

/** RFC 9293, 3.10.7.1: to a segment with ACK what it expects, else what was sent is acknowledged. */
function reset(frame: Uint8Array, flow: Flow, end: number, pseudoHeader: number): Uint8Array {
  const at = flow.l4Offset;
  const has = (flag: number): number => ((flow.tcpFlags & flag) === 0 ? 0 : 1);
  const dataBytes = Math.max(0, end - at - (frame[at + 12]! >>> 4) * 4);
  const acknowledged = has(tcpFlag.ack) === 1;
  const segment = encodeTcp({
    sourcePort: flow.destinationPort,
    destinationPort: flow.sourcePort,
    sequence: acknowledged ? readU32(frame, at + 8) : 0,
    acknowledgment: acknowledged ? 0 : (readU32(frame, at + 4) + dataBytes + has(tcpFlag.syn) + has(tcpFlag.fin)) >>> 0,
    flags: acknowledged ? tcpFlag.rst : tcpFlag.rst | tcpFlag.ack,
    window: 0,
    checksum: 0,
    urgentPointer: 0,
    options: new Uint8Array(),
    payload: new Uint8Array(),
  });
  writeU16(segment, 16, internetChecksum(segment, pseudoHeader));
  return segment;
}

function unreachable(frame: Uint8Array, flow: Flow, end: number, sumOf: ((bytes: number) => number) | undefined): Uint8Array {
  const quotedEnd = Math.min(flow.l4Offset + quotedTransportBytes, end);
  const body = frame.slice(
    ethernetHeaderBytes,
    sumOf === undefined ? quotedEnd : Math.min(quotedEnd, ethernetHeaderBytes + quotedIpv6Bytes),
  );
  if (sumOf === undefined) return encodeIcmp({ type: icmpType.destinationUnreachable, code: icmpPortUnreachable, rest: 0, body }, 0);
  const message = { type: icmpv6Type.destinationUnreachable, code: icmpv6PortUnreachable, rest: 0, body };
  return encodeIcmp(message, sumOf(icmpHeaderBytes + body.length));
}
