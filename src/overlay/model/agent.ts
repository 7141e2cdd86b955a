/**
 * The agent: what a pod sends.
 *
 * ```text
 *   pod ──frame──> agent ──> drop, and why
 *                    ├─────> pod            answers: ARP, ND, too big
 *                    ├─────> another pod    on this host
 *                    └─────> uplink         in a tunnel, straight to the host or to an owner of the address
 * ```
 */
import { endpointFlag, type Endpoint, type EndpointKey } from '../layout/endpoint.ts';
import type { Reason } from '../layout/counter.ts';
import type { Path } from '../layout/path.ts';
import { portFlag, type Port } from '../layout/port.ts';
import type { Subnet } from '../layout/subnet.ts';
import { arpOperation } from '../packet/arp.ts';
import { updatedChecksum } from '../packet/checksum.ts';
import { decodeEthernet, ethernetHeaderBytes, etherType, type EthernetFrame } from '../packet/ethernet.ts';
import type { GeneveOption } from '../packet/geneve.ts';
import { icmpv6Type } from '../packet/icmp.ts';
import { ipProtocol, ipv4HeaderBytes } from '../packet/ipv4.ts';
import { ipv6HeaderBytes, upperLayer, type Ipv6Packet } from '../packet/ipv6.ts';
import { neighborHopLimit } from '../packet/neighbor-discovery.ts';
import { readU16, sameOctets, writeU16 } from '../packet/octets.ts';
import { tcpHeaderBytes } from '../packet/tcp.ts';
import { udpHeaderBytes } from '../packet/udp.ts';
import { encodeLocation, locationFlag } from '../packet/overlay-option.ts';
import { readFlow, type Flow } from './flow.ts';
import { flowPort, flowPortOfIp } from './flow-port.ts';
import { ipOf, isForNoEndpoint, withFrameLength, isLinkLocalIpv6, isUnspecified, type IpPacket } from './ip.ts';
import {
  arpOf,
  arpQuestion,
  discoveryOf,
  isDiscovery,
  isShortIcmpv6,
  neighborFrame,
  solicitationQuestion,
  unspecifiedIpv4,
  type NeighborQuestion,
} from './neighbor.ts';
import { findOwner } from './owner.ts';
import { gatewayFor, meaningOf } from './routes.ts';
import { policyArrives, policyDeparts } from './policy.ts';
import { refusal } from './refusal.ts';
import { Run, type Outcome } from './run.ts';
import { isServiceAddress, serviceArrives, serviceDeparts } from './service.ts';
import { localEndpoint, subnetOf, validPath, type Tables } from './tables.ts';
import { tooBigAnswer } from './too-big.ts';
import { addressesTo, encapsulate, firstOuterTtl, withMacs } from './tunnel.ts';

/** How often a host is told, by packets on a direct path, where our end is: one may be lost, and the next ones are under way by then. */
const maxTold = 3;

const shortestSolicitationBytes = 24;

/** No subnet has less: a shorter packet is not looked at. */
const leastSubnetMtu = 128;

export interface PodFrame {
  /** Of the root side of the pod's veth. */
  readonly ifindex: number;
  readonly frame: Uint8Array;
  /** Where the program is attached. XDP can redirect to `devices` only. */
  readonly hook?: 'tc' | 'xdp';
  /** Of a packet that will be cut into segments later: the payload of each. */
  readonly segmentBytes?: number;
}

interface PodPort extends Port {
  readonly ifindex: number;
}

/** What the agent makes of a pod's frame; `nowNs` on the kernel's monotonic clock. */
export function agent(tables: Tables, { ifindex, frame, hook = 'tc', segmentBytes }: PodFrame, nowNs: bigint): Outcome {
  const run = new Run(tables, frame, nowNs, hook === 'xdp');
  const record = tables.ports.get(ifindex);
  if (record === undefined) return run.drop('noPort');
  const port: PodPort = { ...record, ifindex };
  run.vni = port.vni;
  const ethernet = decodeEthernet(frame);
  if (ethernet === undefined) return run.drop('malformed');
  if (!sameOctets(ethernet.source, port.mac)) return run.drop('spoofedMac');
  if (ethernet.type === etherType.arp) return arp(run, port, ethernet);
  if (ethernet.type !== etherType.ipv4 && ethernet.type !== etherType.ipv6) return run.drop('etherType');
  const ip = ipOf(segmentBytes === undefined ? ethernet : withFrameLength(ethernet));
  if (ip === undefined) return run.drop('malformed');
  if (ip.family === 6 && isShortIcmpv6(ip.packet)) return run.drop('malformed');
  const hidden = ip.family === 6 ? hiddenDiscovery(ip.packet) : undefined;
  if (hidden !== undefined) return run.drop(hidden);
  const discovery = ip.family === 6 ? neighborDiscovery(run, port, ethernet, ip.packet) : undefined;
  return discovery ?? new Sending(run, port, ethernet, ip, segmentBytes).send();
}

function arp(run: Run, port: PodPort, ethernet: EthernetFrame): Outcome {
  const request = arpOf(ethernet);
  if (request === 'short') return run.drop('malformed');
  if (request?.operation !== arpOperation.request) return run.drop('arp');
  if (!sameOctets(request.senderMac, port.mac)) return run.drop('spoofedAddress');
  if (sameOctets(request.senderAddress, unspecifiedIpv4)) return run.drop('duplicateProbe');
  if (!isOfPort(port, 4, request.senderAddress)) return run.drop('spoofedAddress');
  const { tables } = run;
  const gateway = subnetOf(tables, run.key(port.ipv4))?.gatewayIpv4;
  const sourcePort = flowPort(request.senderAddress, request.targetAddress, 0);
  return resolve(run, port, arpQuestion(run.frame, request), gateway, run.frame, sourcePort);
}

/**
 * Why a packet with extension headers is dropped: the kernel of its receiver walks over them, too, so a message of neighbour discovery
 * must not hide behind them.
 */
function hiddenDiscovery(packet: Ipv6Packet): Reason | undefined {
  const upper = upperLayer(packet);
  if (upper === undefined) return 'malformed';
  const type = upper.payload[0];
  if (upper.payload === packet.payload || upper.protocol !== ipProtocol.icmpv6 || type === undefined) return undefined;
  if (upper.fragment !== undefined && upper.fragment.offsetBytes > 0) return undefined;
  return isDiscovery(type) ? 'arp' : undefined;
}

/** Undefined when the packet is not of neighbour discovery. */
function neighborDiscovery(run: Run, port: PodPort, ethernet: EthernetFrame, packet: Ipv6Packet): Outcome | undefined {
  const discovery = discoveryOf(packet);
  if (discovery === undefined) return undefined;
  if (discovery.type === icmpv6Type.routerSolicitation) return run.drop('multicast');
  if (discovery.type !== icmpv6Type.neighborSolicitation) return run.drop('arp');
  const { message } = discovery;
  if (packet.payload.length < shortestSolicitationBytes) return run.drop('malformed');
  if (message.code !== 0 || packet.hopLimit !== neighborHopLimit) return run.drop('malformed');
  if (isUnspecified(packet.source)) return run.drop('duplicateProbe');
  const ownLinkLocal = isLinkLocalIpv6(packet.source) && (port.flags & portFlag.hasIpv6) !== 0;
  if (!isOfPort(port, 6, packet.source) && !ownLinkLocal) return run.drop('spoofedAddress');
  const { tables } = run;
  const target = message.body.subarray(0, 16);
  const gateway = subnetOf(tables, run.key(port.ipv6))?.gatewayIpv6;
  const question = solicitationQuestion({ mac: port.mac, address: packet.source }, target);
  const canonical = neighborFrame(
    { destination: ethernet.destination, source: port.mac },
    { source: port.ipv6, destination: packet.destination },
    { kind: 'solicitation', flags: 0, target, linkLayerAddress: port.mac },
  );
  return resolve(run, port, question, gateway, canonical, flowPort(port.ipv6, target, packet.nextHeader));
}

function isOfPort(port: Port, family: 4 | 6, address: Uint8Array): boolean {
  if (family === 4) return (port.flags & portFlag.hasIpv4) !== 0 && sameOctets(address, port.ipv4);
  return (port.flags & portFlag.hasIpv6) !== 0 && sameOctets(address, port.ipv6);
}

/** An endpoint sends, or what is outside of the VPC and enters it by its gateway. */
type Sender = 'endpoint' | 'outside';

/** Behind a gateway's link are endpoints of the VPC, and all that no prefix of it has; undefined: the source is another's. */
function senderBehindGateway(run: Run, port: PodPort, source: Uint8Array): Sender | undefined {
  const { tables } = run;
  const endpoint = localEndpoint(tables, run.key(source));
  if (endpoint !== undefined) return endpoint.ifindex === port.ifindex ? 'endpoint' : undefined;
  return meaningOf(tables, run.key(source))?.kind === 'outside' ? 'outside' : undefined;
}

/** Answers a question about a neighbour, or sends it as `frame` to the owner of the target. */
function resolve(
  run: Run,
  port: PodPort,
  question: NeighborQuestion,
  gateway: Uint8Array | undefined,
  frame: Uint8Array,
  sourcePort: number,
): Outcome {
  const { tables } = run;
  const key = run.key(question.target);
  const answer = (mac: Uint8Array): Outcome => run.redirect(port.ifindex, question.answer(mac), 'answered');
  if (gateway !== undefined && !isUnspecified(gateway) && sameOctets(question.target, gateway)) return answer(port.gatewayMac);
  // Services are behind the gateway.
  if ((port.flags & portFlag.hasServices) !== 0 && isServiceAddress(tables, run.vni, question.target)) return answer(port.gatewayMac);
  const local = localEndpoint(tables, key);
  if (local !== undefined) return answer(local.mac);
  const path = validPath(tables, key, run.nowNs);
  if (path !== undefined) return answer(path.mac);
  const owner = findOwner(run, key);
  if (typeof owner === 'string') return run.drop(owner);
  if (owner.path !== undefined) return answer(owner.path.mac);
  const tunnel = { vni: run.vni, sourcePort, timeToLive: firstOuterTtl, options: [] };
  const outer = encapsulate(tunnel, addressesTo(tables.settings, tables.hosts.get(owner.hostId)!), frame);
  return run.redirect(tables.settings.uplinkIfindex, outer, 'sentViaOwner');
}

/** Sends an IP packet of a pod on its way. */
class Sending {
  readonly #run: Run;
  readonly #port: PodPort;
  readonly #ethernet: EthernetFrame;
  readonly #segmentBytes: number | undefined;
  /** The pod's own, also when it meets itself as a service. */
  readonly #source: Uint8Array;
  /** As it is after services. */
  #frame: Uint8Array;
  #ip: IpPacket;
  #viaGateway: boolean;
  /** Known where services or policies look at it. */
  #flow: Flow | undefined;
  #isTranslated = false;
  /** The receiver of the flow has not answered yet: it hears who sends. */
  #isUnanswered = false;
  /** The packet may not arrive before it is known who the destination is. */
  #asksWho = false;

  constructor(run: Run, port: PodPort, ethernet: EthernetFrame, ip: IpPacket, segmentBytes: number | undefined) {
    this.#run = run;
    this.#port = port;
    this.#ethernet = ethernet;
    this.#source = ip.source;
    this.#frame = run.frame;
    this.#ip = ip;
    this.#segmentBytes = segmentBytes;
    this.#viaGateway = sameOctets(ethernet.destination, port.gatewayMac);
  }

  send(): Outcome {
    const run = this.#run;
    const port = this.#port;
    const ip = this.#ip;
    if (isForNoEndpoint(ip)) return run.drop('multicast');
    const isGateway = (port.flags & portFlag.isGateway) !== 0;
    const sender = isGateway ? senderBehindGateway(run, port, ip.source) : isOfPort(port, ip.family, ip.source) ? 'endpoint' : undefined;
    if (sender === undefined) return run.drop('spoofedAddress');
    const longestBytes = this.#longestBytes();
    if (longestBytes > port.mtu) return this.#tooBig(ip, port.mtu);
    const ended = this.#departs();
    if (ended !== undefined) return ended;
    const targetMtu = subnetOf(run.tables, run.key(this.#ip.destination))?.mtu ?? Infinity;
    if (longestBytes > Math.max(port.leastMtu, leastSubnetMtu) && longestBytes > targetMtu) return this.#tooBig(ip, targetMtu);
    if (this.#viaGateway && ip.timeToLive <= 1) return run.drop('ttl');
    return this.#toDestination(run.key(this.#ip.destination), sender);
  }

  /** `ip`: as the pod sent it. */
  #tooBig(ip: IpPacket, mtu: number): Outcome {
    const run = this.#run;
    const port = this.#port;
    // A gateway's kernel knows the MTU of its link and of each subnet, and has told it already.
    const isGateway = (port.flags & portFlag.isGateway) !== 0;
    const answer = isGateway ? undefined : tooBigAnswer(run, port, ip, mtu);
    return answer === undefined ? run.drop('tooBig') : run.redirect(port.ifindex, answer, 'tooBig');
  }

  /** What services and policies make of it; undefined when it goes on. */
  #departs(): Outcome | undefined {
    const run = this.#run;
    const port = this.#port;
    if ((port.flags & (portFlag.hasServices | portFlag.hasPolicies)) === 0) return undefined;
    const flow = readFlow(run, run.frame, ethernetHeaderBytes);
    if (typeof flow === 'string') return run.drop(flow);
    this.#flow = flow;
    if ((port.flags & portFlag.hasServices) !== 0) {
      const served = serviceDeparts(run, run.frame, flow);
      if (served.kind === 'drop') return run.drop(served.reason);
      if (served.kind === 'refused') {
        const answer = refusal(run.frame, flow, port, this.#segmentBytes);
        return answer === undefined ? run.drop('noBackend') : run.redirect(port.ifindex, answer, 'noBackend');
      }
      if (served.kind !== 'none') {
        run.count(served.kind);
        this.#translatedTo(served.frame, served.flow);
      }
    }
    return this.#refusedByPolicy(this.#flow);
  }

  #refusedByPolicy(flow: Flow): Outcome | undefined {
    const { flags, identity, generation } = this.#port;
    if ((flags & portFlag.hasPolicies) === 0 || (flags & portFlag.isGateway) !== 0) return undefined;
    const run = this.#run;
    const verdict = policyDeparts(run, { vni: run.vni, identity, generation }, { frame: this.#frame, flow });
    this.#isUnanswered = verdict === 'unanswered';
    this.#asksWho = verdict === 'noIdentity';
    return verdict === 'allowed' || this.#isUnanswered || this.#asksWho ? undefined : run.drop(verdict as Reason);
  }

  #translatedTo(frame: Uint8Array, flow: Flow): void {
    const ethernet = decodeEthernet(frame)!;
    this.#frame = frame;
    this.#ip = ipOf(this.#segmentBytes === undefined ? ethernet : withFrameLength(ethernet))!;
    this.#flow = flow;
    this.#isTranslated = true;
    // It comes from the gateway, whose MAC the service has.
    this.#viaGateway = true;
  }

  /** To an endpoint of this host; `vni`: of its VPC. */
  #deliver(vni: number, local: Endpoint): Outcome {
    const run = this.#run;
    if (this.#asksWho) return run.drop('noIdentity');
    const inner = this.#inner(local.mac);
    if (local.flags === 0) return run.redirect(local.ifindex, inner, 'delivered');
    const flow = this.#flow ?? readFlow(run, this.#frame, ethernetHeaderBytes, vni);
    if (typeof flow === 'string') return run.drop(flow);
    if ((local.flags & endpointFlag.hasPolicies) !== 0) {
      const subject = { vni, identity: local.identity, generation: local.generation };
      const refused = policyArrives(run, subject, { frame: this.#frame, flow }, this.#isUnanswered);
      if (refused !== undefined) return run.drop(refused);
    }
    // What a service has sent to a backend is no answer of one.
    if ((local.flags & endpointFlag.hasServices) === 0 || this.#isTranslated) return run.redirect(local.ifindex, inner, 'delivered');
    const served = serviceArrives(run, vni, inner, flow);
    if (served.kind !== 'restored') return run.redirect(local.ifindex, inner, 'delivered');
    run.count('restored', vni);
    return run.redirect(local.ifindex, served.frame, 'delivered');
  }

  /** Of the packet, or of its segments when it will be cut. */
  #longestBytes(): number {
    const ip = this.#ip;
    if (this.#segmentBytes === undefined) return this.#ethernet.payload.length;
    const headerBytes = ip.family === 4 ? ipv4HeaderBytes + ip.packet.options.length : ipv6HeaderBytes;
    const protocol = ip.family === 4 ? ip.packet.protocol : ip.packet.nextHeader;
    if (protocol !== ipProtocol.tcp) return headerBytes + udpHeaderBytes + this.#segmentBytes;
    const { payload } = ip.packet;
    const transportBytes = payload.length < tcpHeaderBytes ? tcpHeaderBytes : (payload[12]! >> 4) * 4;
    return headerBytes + transportBytes + this.#segmentBytes;
  }

  #toDestination(key: EndpointKey, sender: Sender): Outcome {
    const run = this.#run;
    const { tables } = run;
    const known = this.#toKnown(key);
    if (known !== undefined) return known;
    const meaning = meaningOf(tables, key);
    if (meaning === undefined) return run.drop('noRoute');
    if (meaning.kind === 'outside') return sender === 'outside' ? run.drop('noRoute') : this.#leave(key, meaning.egress);
    const home = meaning.key;
    if (home.vni !== key.vni) {
      // What comes from outside is for endpoints of this VPC alone.
      if (sender === 'outside') return run.drop('noRoute');
      const knownAtPeer = this.#toKnown(home);
      if (knownAtPeer !== undefined) return knownAtPeer;
    }
    const owner = findOwner(run, home, 0, meaning.subnet);
    if (typeof owner === 'string') return run.drop(owner);
    if (owner.path !== undefined) return this.#direct(home, owner.path);
    return this.#tunnel(
      home.vni,
      owner.hostId,
      this.#inner(undefined),
      [this.#location(this.#asksWho ? locationFlag.asksWho : locationFlag.noPath)],
      'sentViaOwner',
    );
  }

  /** To an endpoint of this host, or along a path. */
  #toKnown(key: EndpointKey): Outcome | undefined {
    const run = this.#run;
    const local = localEndpoint(run.tables, key);
    if (local !== undefined) return this.#deliver(key.vni, local);
    const path = validPath(run.tables, key, run.nowNs);
    return path === undefined ? undefined : this.#direct(key, path);
  }

  /** Out of the VPC. */
  #leave(key: EndpointKey, egress: Subnet): Outcome {
    const run = this.#run;
    const hostId = gatewayFor(run.tables, egress, key.vni, this.#source, key.address);
    if (hostId === undefined) return run.drop('noOwner');
    const inner = this.#inner(egress.gatewayMac);
    if (hostId === run.tables.settings.hostId) return run.redirect(egress.ifindex, inner, 'delivered');
    return this.#tunnel(key.vni, hostId, inner, this.#isUnanswered ? [this.#location(0)] : [], 'sentDirect');
  }

  #direct(key: EndpointKey, path: Path): Outcome {
    const tell = path.told < maxTold && this.#segmentBytes === undefined;
    if (tell) this.#run.writePath(key, { ...path, told: path.told + 1 });
    if (this.#asksWho) return this.#run.drop('noIdentity');
    return this.#tunnel(key.vni, path.hostId, this.#inner(path.mac), tell || this.#isUnanswered ? [this.#location(0)] : [], 'sentDirect');
  }

  /** `vni`: of the VPC that the destination belongs to. */
  #tunnel(vni: number, hostId: number, inner: Uint8Array, options: readonly GeneveOption[], what: Reason): Outcome {
    const run = this.#run;
    const { settings, hosts } = run.tables;
    const tunnel = {
      vni,
      sourcePort: flowPortOfIp(this.#frame, { ...this.#ip, source: this.#source }),
      timeToLive: firstOuterTtl,
      options,
    };
    const outer = encapsulate(tunnel, addressesTo(settings, hosts.get(hostId)!), inner);
    return run.redirect(settings.uplinkIfindex, outer, what);
  }

  #location(flags: number): GeneveOption {
    const { hostId, hostGeneration } = this.#run.tables.settings;
    const { generation, identity, mac } = this.#port;
    const isGateway = (this.#port.flags & portFlag.isGateway) !== 0;
    const behind = isGateway ? localEndpoint(this.#run.tables, this.#run.key(this.#ip.source)) : undefined;
    const endpointGeneration = behind?.generation ?? generation;
    return encodeLocation({ hostId, hostGeneration, endpointGeneration, identity, flags, mac });
  }

  /** The frame as the destination shall get it: across the gateway it has the gateway's MAC as source, and lived one hop less. */
  #inner(destinationMac: Uint8Array | undefined): Uint8Array {
    const frame = withMacs(this.#frame, destinationMac, this.#viaGateway ? this.#port.gatewayMac : undefined);
    if (!this.#viaGateway) return frame;
    if (this.#ip.family === 6) {
      frame[ethernetHeaderBytes + 7]!--;
      return frame;
    }
    const checksumAt = ethernetHeaderBytes + 10;
    const oldWord = readU16(frame, ethernetHeaderBytes + 8);
    writeU16(frame, ethernetHeaderBytes + 8, oldWord - 0x100);
    writeU16(frame, checksumAt, updatedChecksum(readU16(frame, checksumAt), oldWord, oldWord - 0x100));
    return frame;
  }
}
