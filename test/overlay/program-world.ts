/** A small world for tests of the programs: one host with two pods, its peers, and frames between them. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { BpfObject } from '../../src/overlay/kernel.ts';
import { endpointKind, type Endpoint } from '../../src/overlay/layout/endpoint.ts';
import type { RelayedEvent } from '../../src/overlay/layout/event.ts';
import { hostFlag, type Host } from '../../src/overlay/layout/host.ts';
import type { Fragment } from '../../src/overlay/layout/fragment.ts';
import type { Translation } from '../../src/overlay/layout/translation.ts';
import { ownerSlots, type Owners } from '../../src/overlay/layout/owners.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import type { FlowState } from '../../src/overlay/layout/policy.ts';
import { portFlag, type Port } from '../../src/overlay/layout/port.ts';
import { subnetKind } from '../../src/overlay/layout/subnet.ts';
import { endpointName, type SubnetEntry, type Tables } from '../../src/overlay/model/tables.ts';
import { ipv4Octets, isIpv4, parseAddress, parseMac } from '../../src/overlay/packet/address.ts';
import { arpOperation, encodeArp } from '../../src/overlay/packet/arp.ts';
import { pseudoHeaderSum } from '../../src/overlay/packet/checksum.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { decodeGeneve, encodeGeneve, genevePort, type GeneveOption } from '../../src/overlay/packet/geneve.ts';
import { encodeIcmp, type IcmpMessage } from '../../src/overlay/packet/icmp.ts';
import { decodeIpv4, encodeWholeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { encodeIpv6 } from '../../src/overlay/packet/ipv6.ts';
import { encodeNeighbor, neighborHopLimit, solicitedNodeGroup } from '../../src/overlay/packet/neighbor-discovery.ts';
import { decodeOverlayOption, type OverlayOption } from '../../src/overlay/packet/overlay-option.ts';
import { decodeUdp, encodeUdp, udpChecksum } from '../../src/overlay/packet/udp.ts';
import { TestKernel } from '../../src/kernel/bpf/test-kernel.ts';
import { KernelTables } from './kernel-tables.ts';

export const address = (text: string): Uint8Array => parseAddress(text)!;
export const mac = (text: string): Uint8Array => parseMac(text)!;

export const vni = 7;
export const me = 1;
export const hostMac = (hostId: number): Uint8Array => mac(`02:00:00:00:00:0${hostId}`);
export const hostAddress = (hostId: number): Uint8Array => address(`192.0.2.${hostId}`);
export const hostGeneration = (hostId: number): number => 100 + hostId;
export const podGeneration = 5;
export const gatewayMac = mac('0a:ff:00:00:00:01');
/** Of the endpoint with this last octet, IPv4 and IPv6, which is its identity, too. */
export const podMac = (last: number): Uint8Array => Uint8Array.of(0x0a, 0, 0, 0, 0, last);
export const mtu = 600;

/** The pod whose frames the agent gets: test runs come in by the loopback interface. */
export const pod = { ifindex: 1, mac: podMac(11), ipv4: address('10.0.0.11'), ipv6: address('fd00::11') };
/** Another one of this host. */
export const neighbour = { mac: podMac(12), ipv4: address('10.0.0.12'), ipv6: address('fd00::12') };
/** One of host 2, whose owners are hosts 2 and 3. */
export const remote = { mac: podMac(21), ipv4: address('10.0.0.21'), ipv6: address('fd00::21') };
/** One of host 3, whose owners are this host and host 2; and nobody, with the same owners. */
export const owned = { mac: podMac(31), ipv4: address('10.0.1.31'), nobody: address('10.0.1.99') };
/** Was here, is now at host 3. */
export const moved = { mac: podMac(41), ipv4: address('10.0.0.41') };
/** In a subnet whose only owner is dead. */
export const orphan = address('10.0.2.9');

/** The hosts, but one of them is dead. */
export function withDead(tables: Tables, hostId: number): Partial<Tables> {
  return { hosts: new Map(tables.hosts).set(hostId, { ...tables.hosts.get(hostId)!, flags: hostFlag.known }) };
}

/** 30 s, as the programs have it. */
export const pathLifetimeNs = 30_000_000_000n;

export function pathTo(hostId: number, lastOctet: number, changes: Partial<Path> = {}): Path {
  return {
    hostId,
    hostGeneration: hostGeneration(hostId),
    endpointGeneration: podGeneration,
    told: 3,
    expiresNs: process.hrtime.bigint() + pathLifetimeNs,
    mac: podMac(lastOctet),
    previousHostId: 0,
    identity: lastOctet,
    ...changes,
  };
}

export function directory(hostId: number, lastOctet: number, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    kind: endpointKind.directory,
    hostId,
    generation: podGeneration,
    ifindex: 0,
    identity: lastOctet,
    flags: 0,
    mac: podMac(lastOctet),
    ...changes,
  };
}

export const keyName = (of: Uint8Array): string => endpointName({ vni, address: of });

export interface Devices {
  readonly uplink: number;
  readonly neighbour: number;
}

/** What this host knows before a case changes it. */
export function worldTables(devices: Devices): Tables {
  const host = (hostId: number, flags: number): [number, Host] => [
    hostId,
    { address: hostAddress(hostId), mac: hostMac(hostId), flags, generation: hostGeneration(hostId), mtu: 1500 },
  ];
  const alive = hostFlag.known | hostFlag.alive;
  const port: Port = {
    vni,
    subnetId: 1,
    identity: 11,
    generation: podGeneration,
    mtu,
    flags: portFlag.hasIpv4 | portFlag.hasIpv6,
    mac: pod.mac,
    ipv4: pod.ipv4,
    ipv6: pod.ipv6,
    gatewayMac,
    leastMtu: mtu,
  };
  const local = (at: { mac: Uint8Array }, ifindex: number): Endpoint => ({
    ...directory(me, at.mac[5]!),
    kind: endpointKind.local,
    ifindex,
  });
  const subnet = (prefix: string, bits: number, tableId: number): SubnetEntry => ({
    key: { prefixLength: 32 + bits, vni, address: address(prefix) },
    subnet: {
      subnetId: tableId,
      tableId,
      mtu,
      flags: 0,
      vni,
      ifindex: 0,
      kind: subnetKind.endpoints,
      gatewayIpv4: address(`10.0.${tableId - 1}.1`),
      gatewayIpv6: address('fd00::1'),
      gatewayMac,
    },
  });
  const table = (owners: Owners): Owners[] => Array.from({ length: ownerSlots }, () => owners);
  return {
    settings: {
      hostId: me,
      hostGeneration: hostGeneration(me),
      uplinkIfindex: devices.uplink,
      underlayMtu: 1500,
      address: hostAddress(me),
      mac: hostMac(me),
    },
    ports: new Map([[pod.ifindex, port]]),
    endpoints: new Map([
      [keyName(pod.ipv4), local(pod, pod.ifindex)],
      [keyName(pod.ipv6), local(pod, pod.ifindex)],
      [keyName(neighbour.ipv4), local(neighbour, devices.neighbour)],
      [keyName(neighbour.ipv6), local(neighbour, devices.neighbour)],
      [keyName(owned.ipv4), directory(3, 31)],
      [keyName(moved.ipv4), directory(3, 41, { kind: endpointKind.tombstone, generation: 6 })],
    ]),
    hosts: new Map([host(1, alive), host(2, alive), host(3, alive), host(4, hostFlag.known)]),
    hostIds: new Map([1, 2, 3, 4].map((hostId) => [`192.0.2.${hostId}`, hostId])),
    paths: new Map(),
    subnets: [subnet('10.0.0.0', 120, 1), subnet('10.0.1.0', 120, 2), subnet('10.0.2.0', 120, 3), subnet('fd00::', 64, 1)],
    ownerTables: new Map([
      [1, table({ first: 2, second: 3 })],
      [2, table({ first: 1, second: 2 })],
      [3, table({ first: 4, second: 0 })],
    ]),
    devices: new Set([pod.ifindex, devices.uplink, devices.neighbour]),
  };
}

export interface Outcome {
  readonly verdict: number;
  readonly frame: Uint8Array;
  /** `reason packets octets`, with the VNI in front where it is not `vni`. */
  readonly counts: readonly string[];
  readonly events: readonly RelayedEvent[];
  readonly paths: ReadonlyMap<string, Path>;
  readonly translations: ReadonlyMap<string, Translation>;
  readonly fragments: ReadonlyMap<string, Fragment>;
  readonly flows: ReadonlyMap<string, FlowState>;
}

/** The programs in this kernel, with tables that each run sets. */
export class ProgramWorld {
  readonly #kernel = new TestKernel();
  readonly #object: BpfObject;
  readonly #tables: KernelTables;
  readonly tables: Tables;
  #ownersAreSet = false;

  constructor() {
    try {
      execFileSync('sh', ['bpf/build.sh', this.#kernel.folder], { stdio: 'pipe' });
      this.#object = this.#kernel.bpf.open(join(this.#kernel.folder, 'overlay.o'));
      this.#tables = new KernelTables(this.#kernel.bpf, this.#object);
      const { near, far } = this.#kernel.vethPair();
      this.tables = worldTables({ uplink: near, neighbour: far });
    } catch (error) {
      this.#kernel[Symbol.dispose]();
      throw error;
    }
  }

  run(program: string, frame: Uint8Array, changes: Partial<Omit<Tables, 'ownerTables'>> = {}): Outcome {
    // Replacing owner tables takes the kernel milliseconds, and no case changes them.
    const ownerTables = this.#ownersAreSet ? new Map() : this.tables.ownerTables;
    const tables = { ...this.tables, ...changes, ownerTables };
    this.#ownersAreSet = true;
    this.#tables.write(tables);
    this.#tables.writeDevices(tables.devices);
    this.#tables.takeCounts();
    this.#tables.takeEvents();
    const { verdict, packet } = this.#object.program(program).testRun(frame);
    const counts = this.#tables.takeCounts().map((count) => count.replace(new RegExp(`^${vni} `), ''));
    return {
      verdict,
      frame: packet,
      counts,
      events: this.#tables.takeEvents(),
      paths: this.#tables.readPaths(),
      translations: this.#tables.services.readTranslations(),
      fragments: this.#tables.services.readFragments(),
      flows: this.#tables.policies.readFlows(),
    };
  }

  [Symbol.dispose](): void {
    this.#kernel[Symbol.dispose]();
  }
}

export interface IpChanges {
  readonly source?: Uint8Array;
  readonly destination?: Uint8Array;
  readonly sourceMac?: Uint8Array;
  readonly destinationMac?: Uint8Array;
  readonly timeToLive?: number;
  readonly dontFragment?: boolean;
  readonly payloadBytes?: number;
}

/** A UDP packet of the pod, in IPv4 or IPv6 as the addresses are. */
export function udpFrame(changes: IpChanges = {}): Uint8Array {
  const { source = pod.ipv4, destination = remote.ipv4, timeToLive = 64, payloadBytes = 8 } = changes;
  const { sourceMac = pod.mac, destinationMac = remote.mac, dontFragment = true } = changes;
  const ipv4 = isIpv4(source);
  const octets = (of: Uint8Array): Uint8Array => (ipv4 ? ipv4Octets(of) : of);
  const plain = { sourcePort: 1000, destinationPort: 2000, payload: new Uint8Array(payloadBytes).fill(0x61) };
  const sum = pseudoHeaderSum(octets(source), octets(destination), ipProtocol.udp, 8 + payloadBytes);
  const udp = encodeUdp({ ...plain, checksum: udpChecksum(plain, sum) });
  const payload = ipv4
    ? encodeWholeIpv4({
        identification: 1,
        dontFragment,
        timeToLive,
        protocol: ipProtocol.udp,
        source,
        destination,
        payload: udp,
      })
    : encodeIpv6({ trafficClass: 0, flowLabel: 0, nextHeader: ipProtocol.udp, hopLimit: timeToLive, source, destination, payload: udp });
  return encodeEthernet({ destination: destinationMac, source: sourceMac, type: ipv4 ? etherType.ipv4 : etherType.ipv6, payload });
}

export interface ArpChanges {
  readonly operation?: number;
  readonly senderMac?: Uint8Array;
  readonly sender?: Uint8Array;
  readonly targetMac?: Uint8Array;
  readonly destinationMac?: Uint8Array;
}

export function arpFrame(target: Uint8Array, changes: ArpChanges = {}): Uint8Array {
  const { operation = arpOperation.request, senderMac = pod.mac, sender = pod.ipv4, targetMac = new Uint8Array(6) } = changes;
  return encodeEthernet({
    destination: changes.destinationMac ?? new Uint8Array(6).fill(0xff),
    source: senderMac,
    type: etherType.arp,
    payload: encodeArp({ operation, senderMac, senderAddress: sender, targetMac, targetAddress: target }),
  });
}

/** An ICMPv6 message in a frame. */
export function icmpv6Frame(
  message: IcmpMessage,
  source: Uint8Array,
  destination: Uint8Array,
  hopLimit: number = neighborHopLimit,
): Uint8Array {
  const sum = pseudoHeaderSum(source, destination, ipProtocol.icmpv6, 8 + message.body.length);
  const payload = encodeIcmp(message, sum);
  return encodeEthernet({
    destination: Uint8Array.of(0x33, 0x33, ...destination.subarray(12)),
    source: pod.mac,
    type: etherType.ipv6,
    payload: encodeIpv6({ trafficClass: 0, flowLabel: 0, nextHeader: ipProtocol.icmpv6, hopLimit, source, destination, payload }),
  });
}

export function solicitationFrame(target: Uint8Array, source: Uint8Array = pod.ipv6): Uint8Array {
  const message = encodeNeighbor({ kind: 'solicitation', flags: 0, target, linkLayerAddress: pod.mac });
  return icmpv6Frame(message, source, solicitedNodeGroup(target));
}

export interface TunnelChanges {
  readonly from?: number;
  readonly to?: Uint8Array;
  readonly timeToLive?: number;
  readonly options?: readonly GeneveOption[];
  readonly vni?: number;
  readonly port?: number;
}

/** A frame as another host sends it to this one. */
export function tunnelFrame(inner: Uint8Array, changes: TunnelChanges = {}): Uint8Array {
  const { from = 2, to = hostAddress(me), timeToLive = 4, options = [], port = genevePort } = changes;
  const geneve = encodeGeneve({
    control: false,
    protocol: etherType.transparentEthernet,
    vni: changes.vni ?? vni,
    options,
    payload: inner,
  });
  const ip = encodeWholeIpv4({
    timeToLive,
    protocol: ipProtocol.udp,
    source: hostAddress(from),
    destination: to,
    payload: encodeUdp({ sourcePort: 50_000, destinationPort: port, checksum: 0, payload: geneve }),
  });
  return encodeEthernet({ destination: hostMac(me), source: hostMac(from), type: etherType.ipv4, payload: ip });
}

export interface Opened {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly destinationMac: Uint8Array;
  readonly timeToLive: number;
  readonly sourcePort: number;
  readonly vni: number;
  readonly options: readonly OverlayOption[];
  readonly inner: Uint8Array;
}

/** What lies in a frame that a program sends to another host. Throws when it is none. */
export function open(frame: Uint8Array): Opened {
  const ethernet = decodeEthernet(frame)!;
  const ip = decodeIpv4(ethernet.payload);
  if (ip === undefined || !ip.dontFragment || ip.protocol !== ipProtocol.udp) throw new Error('no tunnel');
  const udp = decodeUdp(ip.payload);
  if (udp?.destinationPort !== genevePort || udp.checksum !== 0) throw new Error('no tunnel');
  const geneve = decodeGeneve(udp.payload)!;
  return {
    from: ip.source,
    to: ip.destination,
    destinationMac: ethernet.destination,
    timeToLive: ip.timeToLive,
    sourcePort: udp.sourcePort,
    vni: geneve.vni,
    options: geneve.options.map((option) => decodeOverlayOption(option)!),
    inner: geneve.payload,
  };
}
