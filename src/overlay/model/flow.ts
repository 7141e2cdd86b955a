import type { Reason } from '../layout/counter.ts';
import type { Fragment, FragmentKey } from '../layout/fragment.ts';
import { formatAddress, mappedIpv4 } from '../packet/address.ts';
import { icmpHeaderBytes, icmpType, icmpv6Type } from '../packet/icmp.ts';
import { ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { extensionBytes, extensionHeader, ipv6HeaderBytes, isExtension, maxExtensionHeaders } from '../packet/ipv6.ts';
import { readU16, readU32 } from '../packet/octets.ts';
import { tcpFlag, tcpHeaderBytes } from '../packet/tcp.ts';
import { hasPorts } from './flow-port.ts';
import type { Run } from './run.ts';

/** How long the first fragment of a packet speaks for the others: as long as a kernel waits for them. */
const fragmentLifetimeNs = 30_000_000_000n;
const lastIcmpv6Error = 4;
/** What an ICMP error quotes of a transport header at least. */
const quotedTransportBytes = 8;

/** Who speaks with whom in an IP packet. */
export interface Flow {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Of an echo request its identifier, with destination port 0; the reverse in the reply. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Behind the extension headers. */
  readonly protocol: number;
  /** 0 in a later fragment. */
  readonly tcpFlags: number;
  /** A later fragment has ports, protocol and ICMP type of the first. */
  readonly kind: 'whole' | 'first' | 'later';
  readonly icmpType: number;
  /** ICMP that quotes a packet. */
  readonly isError: boolean;
  /** Of the IP header and of what lies behind it, in the frame. */
  readonly l3Offset: number;
  readonly l4Offset: number;
}

type Network = Pick<Flow, 'source' | 'destination' | 'protocol' | 'kind' | 'l3Offset' | 'l4Offset'> & {
  readonly fragment: Pick<FragmentKey, 'id' | 'protocol'>;
};
type Transport = Pick<Flow, 'sourcePort' | 'destinationPort' | 'tcpFlags' | 'icmpType' | 'isError'>;

const noTransport: Transport = { sourcePort: 0, destinationPort: 0, tcpFlags: 0, icmpType: 0, isError: false };

/** The flow of the IP packet at `at` in the frame, or the reason to drop it. `run` has the first fragments, of the VPC `vni`. */
export function readFlow(run: Run, frame: Uint8Array, at: number, vni: number = run.vni): Flow | Reason {
  const network = networkOf(frame, at);
  if (network === undefined) return 'malformed';
  const { fragment, ...head } = network;
  const key = { vni, source: head.source, destination: head.destination, ...fragment };
  if (head.kind === 'later') {
    const first = run.fragment(fragmentName(key));
    if (first === undefined || run.nowNs >= first.expiresNs) return 'fragment';
    const { sourcePort, destinationPort, protocol, icmpType: type } = first;
    return { ...head, ...noTransport, sourcePort, destinationPort, protocol, icmpType: type };
  }
  const transport = transportOf(frame, head.protocol, head.l4Offset, tcpHeaderBytes);
  if (transport === undefined) return 'malformed';
  if (head.kind === 'first') {
    const { sourcePort, destinationPort, icmpType: type } = transport;
    const expiresNs = run.nowNs + fragmentLifetimeNs;
    run.writeFragment(fragmentName(key), { expiresNs, sourcePort, destinationPort, protocol: head.protocol, icmpType: type });
  }
  return { ...head, ...transport };
}

/** The flow of the packet that an ICMP error quotes; undefined when too much is cut off. */
export function quotedFlow(frame: Uint8Array, error: Flow): Flow | undefined {
  const network = networkOf(frame, error.l4Offset + icmpHeaderBytes);
  if (network === undefined) return undefined;
  const { fragment: _, ...head } = network;
  if (head.kind === 'later') return { ...head, ...noTransport };
  const transport = transportOf(frame, head.protocol, head.l4Offset, quotedTransportBytes);
  return transport === undefined ? undefined : { ...head, ...transport };
}

export function fragmentName({ vni, source, destination, id, protocol }: FragmentKey): string {
  return [vni, formatAddress(source), formatAddress(destination), id, protocol].join(' ');
}

export type Fragments = ReadonlyMap<string, Fragment>;

export function isIcmp({ protocol }: Pick<Flow, 'protocol'>): boolean {
  return protocol === ipProtocol.icmp || protocol === ipProtocol.icmpv6;
}

export function isEchoRequest({ protocol, icmpType: type }: Flow): boolean {
  return protocol === ipProtocol.icmpv6 ? type === icmpv6Type.echoRequest : protocol === ipProtocol.icmp && type === icmpType.echoRequest;
}

/** Undefined when it is cut off. */
function networkOf(frame: Uint8Array, at: number): Network | undefined {
  if (at + ipv4HeaderBytes > frame.length) return undefined;
  const version = frame[at]! >>> 4;
  if (version === 4) {
    const field = readU16(frame, at + 6) & 0x3fff;
    return {
      source: mappedIpv4(frame, at + 12),
      destination: mappedIpv4(frame, at + 16),
      protocol: frame[at + 9]!,
      kind: field === 0 ? 'whole' : (field & 0x1fff) === 0 ? 'first' : 'later',
      l3Offset: at,
      l4Offset: at + (frame[at]! & 0xf) * 4,
      fragment: { id: readU16(frame, at + 4), protocol: frame[at + 9]! },
    };
  }
  return version === 6 && at + ipv6HeaderBytes <= frame.length ? ipv6NetworkOf(frame, at) : undefined;
}

function ipv6NetworkOf(frame: Uint8Array, l3Offset: number): Network | undefined {
  let protocol = frame[l3Offset + 6]!;
  let kind: Flow['kind'] = 'whole';
  let fragment = { id: 0, protocol: 0 };
  let at = l3Offset + ipv6HeaderBytes;
  for (let walked = 0; isExtension(protocol) && kind !== 'later'; walked++) {
    if (walked === maxExtensionHeaders || at + 8 > frame.length) return undefined;
    if (protocol === extensionHeader.fragment) {
      const field = readU16(frame, at + 2);
      if ((field & 0xfff9) !== 0) kind = (field & 0xfff8) === 0 ? 'first' : 'later';
      fragment = { id: readU32(frame, at + 4), protocol: frame[at]! };
    }
    const next = frame[at]!;
    at += extensionBytes(protocol, frame.subarray(at));
    protocol = next;
  }
  const source = frame.slice(l3Offset + 8, l3Offset + 24);
  return { source, destination: frame.slice(l3Offset + 24, l3Offset + 40), protocol, kind, l3Offset, l4Offset: at, fragment };
}

/** Undefined when it is cut off. */
function transportOf(frame: Uint8Array, protocol: number, at: number, tcpBytes: number): Transport | undefined {
  if (!hasPorts(protocol) && !isIcmp({ protocol })) return noTransport;
  if (at + (protocol === ipProtocol.tcp ? tcpBytes : 8) > frame.length) return undefined;
  if (!isIcmp({ protocol })) {
    const tcpFlags = protocol === ipProtocol.tcp && tcpBytes === tcpHeaderBytes ? frame[at + 13]! : 0;
    return { ...noTransport, sourcePort: readU16(frame, at), destinationPort: readU16(frame, at + 2), tcpFlags };
  }
  const type = frame[at]!;
  const identifier = readU16(frame, at + 4);
  const isIcmpv6 = protocol === ipProtocol.icmpv6;
  const { echoRequest, echoReply } = isIcmpv6 ? icmpv6Type : icmpType;
  return {
    ...noTransport,
    icmpType: type,
    isError: isIcmpv6 ? type >= 1 && type <= lastIcmpv6Error : icmpErrors.has(type),
    sourcePort: type === echoRequest ? identifier : 0,
    destinationPort: type === echoReply ? identifier : 0,
  };
}

/** Destination unreachable, time exceeded, parameter problem. */
const icmpErrors: ReadonlySet<number> = new Set([3, 11, 12]);

/** Whether a TCP packet begins a connection. */
export function opensConnection({ tcpFlags }: Flow): boolean {
  return (tcpFlags & (tcpFlag.syn | tcpFlag.ack)) === tcpFlag.syn;
}
