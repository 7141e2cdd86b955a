import { formatAddress, isIpv4 } from '../packet/address.ts';
import { arpOperation, decodeArp } from '../packet/arp.ts';
import { decodeEthernet, etherType } from '../packet/ethernet.ts';
import { decodeGeneve, genevePort } from '../packet/geneve.ts';
import { decodeIcmp, icmpFragmentationNeeded, icmpType, icmpv6Type } from '../packet/icmp.ts';
import { decodeIpv4, ipProtocol } from '../packet/ipv4.ts';
import { decodeIpv6, upperLayer } from '../packet/ipv6.ts';
import { decodeNeighbor } from '../packet/neighbor-discovery.ts';
import { decodeOverlayOption, locationFlag, type Location } from '../packet/overlay-option.ts';
import { decodeTcp, tcpFlag } from '../packet/tcp.ts';
import { decodeUdp } from '../packet/udp.ts';

/** The outer headers of a frame between hosts. */
export interface OuterHeaders {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly timeToLive: number;
  readonly sourcePort: number;
  readonly vni: number;
  /** In words. */
  readonly options: readonly string[];
  /** The frame inside. */
  readonly inner: Uint8Array;
}

/** The two ends that a frame of a tenant speaks of, in words what it is, and the MAC that it tells, if it is an answer. */
export interface InnerFrame {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly words: string;
  readonly answeredMac: Uint8Array | undefined;
}

/** Undefined when it is none. */
export function outerHeaders(frame: Uint8Array): OuterHeaders | undefined {
  const ethernet = decodeEthernet(frame);
  const ip = ethernet?.type === etherType.ipv4 ? decodeIpv4(ethernet.payload) : undefined;
  const udp = ip?.protocol === ipProtocol.udp ? decodeUdp(ip.payload) : undefined;
  const geneve = udp?.destinationPort === genevePort ? decodeGeneve(udp.payload) : undefined;
  if (ip === undefined || udp === undefined || geneve === undefined) return undefined;
  const options = geneve.options.map((option) => {
    const known = decodeOverlayOption(option);
    if (known?.kind === 'location') return locationWords(known);
    if (known?.kind === 'moved') return `MOVED: the destination is not here (generation ${known.endpointGeneration})`;
    return `option ${option.class.toString(16)}/${option.type.toString(16)}`;
  });
  const { source, destination, timeToLive } = ip;
  return { source, destination, timeToLive, sourcePort: udp.sourcePort, vni: geneve.vni, options, inner: geneve.payload };
}

/** Undefined when it is none that a tenant may send. */
export function innerFrame(frame: Uint8Array): InnerFrame | undefined {
  const ethernet = decodeEthernet(frame);
  if (ethernet?.type === etherType.arp) {
    const arp = decodeArp(ethernet.payload);
    if (arp === undefined) return undefined;
    const isQuestion = arp.operation === arpOperation.request;
    const [asked, asking] = isQuestion ? [arp.targetAddress, arp.senderAddress] : [arp.senderAddress, arp.targetAddress];
    const words = isQuestion
      ? `who has ${formatAddress(asked)}? asks ${formatAddress(asking)}`
      : `${formatAddress(asked)} is at ${macText(arp.senderMac)}`;
    return { source: arp.senderAddress, destination: arp.targetAddress, words, answeredMac: isQuestion ? undefined : arp.senderMac };
  }
  if (ethernet?.type === etherType.ipv4) {
    const ip = decodeIpv4(ethernet.payload);
    if (ip === undefined) return undefined;
    const words = ipWords(ip.source, ip.destination, transportWords(ip.protocol, ip.payload));
    return { source: ip.source, destination: ip.destination, words, answeredMac: undefined };
  }
  const ip = ethernet?.type === etherType.ipv6 ? decodeIpv6(ethernet.payload) : undefined;
  const upper = ip === undefined ? undefined : upperLayer(ip);
  if (ip === undefined || upper === undefined) return undefined;
  const icmp = upper.protocol === ipProtocol.icmpv6 ? decodeIcmp(upper.payload) : undefined;
  const neighbor = icmp === undefined ? undefined : decodeNeighbor(icmp);
  if (neighbor === undefined) {
    const words = ipWords(ip.source, ip.destination, transportWords(upper.protocol, upper.payload));
    return { source: ip.source, destination: ip.destination, words, answeredMac: undefined };
  }
  const { target, linkLayerAddress, kind } = neighbor;
  if (kind === 'solicitation') {
    const words = `who has ${formatAddress(target)}? asks ${formatAddress(ip.source)}`;
    return { source: ip.source, destination: target, words, answeredMac: undefined };
  }
  const words = `${formatAddress(target)} is at ${macText(linkLayerAddress ?? ethernet!.source)}`;
  return { source: target, destination: ip.destination, words, answeredMac: linkLayerAddress };
}

function locationWords({ hostId, endpointGeneration, identity, flags, mac }: Location): string {
  const ofWhom = (flags & locationFlag.destination) !== 0 ? 'the destination' : 'the source';
  const more = [
    ...(identity === 0 ? [] : [`identity ${identity}`]),
    ...((flags & locationFlag.final) === 0 ? [] : ['must not be sent back']),
    ...((flags & locationFlag.noPath) === 0 ? [] : ['the sender has no path']),
  ];
  return `LOC: ${ofWhom} is at host ${hostId}, MAC ${macText(mac)}, generation ${endpointGeneration}${more.map((word) => `, ${word}`).join('')}`;
}

function ipWords(source: Uint8Array, destination: Uint8Array, { what, from = '', to = '' }: Transport): string {
  return `${what}, ${formatAddress(source)}${from} to ${formatAddress(destination)}${to}`;
}

interface Transport {
  readonly what: string;
  readonly from?: string;
  readonly to?: string;
}

function transportWords(protocol: number, payload: Uint8Array): Transport {
  const udp = protocol === ipProtocol.udp ? decodeUdp(payload) : undefined;
  if (udp !== undefined) return { what: 'UDP', from: ` port ${udp.sourcePort}`, to: ` port ${udp.destinationPort}` };
  const tcp = protocol === ipProtocol.tcp ? decodeTcp(payload) : undefined;
  if (tcp !== undefined) {
    const flags = (['syn', 'ack', 'fin', 'rst'] as const).filter((name) => (tcp.flags & tcpFlag[name]) !== 0);
    return { what: `TCP ${flags.join(' ').toUpperCase()}`.trimEnd(), from: ` port ${tcp.sourcePort}`, to: ` port ${tcp.destinationPort}` };
  }
  const icmp = protocol === ipProtocol.icmp || protocol === ipProtocol.icmpv6 ? decodeIcmp(payload) : undefined;
  if (icmp === undefined) return { what: `IP protocol ${protocol}` };
  return { what: protocol === ipProtocol.icmp ? icmpWords(icmp) : icmpv6Words(icmp) };
}

function icmpWords({ type, code }: { readonly type: number; readonly code: number }): string {
  if (type === icmpType.echoRequest) return 'echo request';
  if (type === icmpType.echoReply) return 'echo reply';
  if (type !== icmpType.destinationUnreachable) return `ICMP ${type}`;
  return code === icmpFragmentationNeeded ? 'ICMP fragmentation needed' : `ICMP unreachable (${code})`;
}

const icmpv6Unreachable = 1;

function icmpv6Words({ type, code }: { readonly type: number; readonly code: number }): string {
  if (type === icmpv6Type.echoRequest) return 'echo request';
  if (type === icmpv6Type.echoReply) return 'echo reply';
  if (type === icmpv6Type.packetTooBig) return 'ICMPv6 packet too big';
  return type === icmpv6Unreachable ? `ICMPv6 unreachable (${code})` : `ICMPv6 ${type}`;
}

function macText(mac: Uint8Array): string {
  return mac.toHex().replaceAll(/(..)(?=.)/g, '$1:');
}

export function isSameFamily(one: Uint8Array, other: Uint8Array): boolean {
  return isIpv4(one) === isIpv4(other);
}
