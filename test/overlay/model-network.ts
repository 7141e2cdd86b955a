import { endpointFlag, endpointKind, type Endpoint } from '../../src/overlay/layout/endpoint.ts';
import type { Fragment } from '../../src/overlay/layout/fragment.ts';
import { hostFlag, type Host } from '../../src/overlay/layout/host.ts';
import { ownerSlots } from '../../src/overlay/layout/owners.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import { portFlag, type Port } from '../../src/overlay/layout/port.ts';
import { subnetKind } from '../../src/overlay/layout/subnet.ts';
import { agent } from '../../src/overlay/model/agent.ts';
import { noPolicies, type PolicyTables } from '../../src/overlay/model/policy.ts';
import type { Outcome } from '../../src/overlay/model/run.ts';
import { endpointName, type SubnetEntry, type Tables } from '../../src/overlay/model/tables.ts';
import { transit } from '../../src/overlay/model/transit.ts';
import { formatAddress, mappedIpv4, parseAddress, parseMac } from '../../src/overlay/packet/address.ts';
import { decodeEthernet, encodeEthernet, etherType } from '../../src/overlay/packet/ethernet.ts';
import { encodeIpv4, ipProtocol } from '../../src/overlay/packet/ipv4.ts';
import { encodeIpv6 } from '../../src/overlay/packet/ipv6.ts';
import { encodeUdp } from '../../src/overlay/packet/udp.ts';

export const address = (text: string): Uint8Array => parseAddress(text)!;
export const mac = (text: string): Uint8Array => parseMac(text)!;

export const gatewayMac: Uint8Array = mac('02:ff:00:00:00:01');
export const mtu = 1418;
const uplinkIfindex = 1000;
/** More hosts than a packet may ever cross. */
const longestWalk = 10;

export interface Pod {
  readonly vni: number;
  readonly hostId: number;
  readonly ifindex: number;
  readonly mac: Uint8Array;
  readonly ipv4: Uint8Array;
  readonly ipv6: Uint8Array;
}

/** The tables of one host, open to changes. */
export interface HostTables extends Tables {
  readonly ports: Map<number, Port>;
  readonly endpoints: Map<string, Endpoint>;
  readonly hosts: Map<number, Host>;
  readonly hostIds: Map<string, number>;
  readonly paths: Map<string, Path>;
  readonly subnets: SubnetEntry[];
  readonly devices: Set<number>;
  readonly fragments: Map<string, Fragment>;
  policy: PolicyTables;
}

/** What became of a frame: what each host counted on its way, and where it ended. */
export interface Walk {
  /** `host reason`, in order. */
  readonly steps: readonly string[];
  readonly delivered: { readonly hostId: number; readonly ifindex: number; readonly frame: Uint8Array } | undefined;
  /** The packets between hosts. */
  readonly outer: readonly Uint8Array[];
}

/**
 * Hosts that run the model, on an underlay that loses nothing. Every VNI has 10.0.0.0/24 and 10.0.1.0/24, fd00::/64 and fd00:0:0:1::/64;
 * one pair of hosts owns all addresses.
 */
export class ModelNetwork {
  nowNs = 1_000_000_000n;
  readonly #hosts = new Map<number, HostTables>();
  readonly #owners: readonly number[];
  #pods = 0;

  constructor(hostCount: number, owners: readonly [number, number], vnis: readonly number[]) {
    this.#owners = owners;
    const ids = Array.from({ length: hostCount }, (_, at) => at + 1);
    for (const id of ids) this.#hosts.set(id, hostTables(id, ids, owners, vnis));
  }

  host(hostId: number): HostTables {
    return this.#hosts.get(hostId)!;
  }

  /** A pod with the addresses `10.0.<subnet>.<number>` and `fd00:0:0:<subnet>::<number>`; the owners know it. */
  place(vni: number, hostId: number, subnet: number, number: number, generation = 1): Pod {
    const ifindex = ++this.#pods;
    const ipv4 = address(`10.0.${subnet}.${number}`);
    const ipv6 = address(`fd00:0:0:${subnet}::${number}`);
    const pod: Pod = { vni, hostId, ifindex, mac: Uint8Array.of(2, 0, vni, subnet, number, generation), ipv4, ipv6 };
    const endpoint = { hostId, generation, ifindex, identity: number, flags: 0, mac: pod.mac };
    const tables = this.host(hostId);
    for (const owned of [ipv4, ipv6]) {
      const name = endpointName({ vni, address: owned });
      for (const owner of this.#owners) this.host(owner).endpoints.set(name, { ...endpoint, kind: endpointKind.directory });
      tables.endpoints.set(name, { ...endpoint, kind: endpointKind.local });
    }
    tables.devices.add(ifindex);
    const flags = portFlag.hasIpv4 | portFlag.hasIpv6;
    const links = { mtu, leastMtu: mtu, mac: pod.mac, gatewayMac };
    tables.ports.set(ifindex, { ...links, vni, subnetId: subnet, identity: number, generation, flags, ipv4, ipv6 });
    return pod;
  }

  /** Takes a pod away from its host, which knows where it went if `tombstone` says so. The owners keep what they know. */
  remove(pod: Pod, tombstone?: { readonly hostId: number; readonly generation: number; readonly mac: Uint8Array }): void {
    const tables = this.host(pod.hostId);
    tables.ports.delete(pod.ifindex);
    for (const owned of [pod.ipv4, pod.ipv6]) {
      const name = endpointName({ vni: pod.vni, address: owned });
      if (tombstone === undefined) tables.endpoints.delete(name);
      else tables.endpoints.set(name, { kind: endpointKind.tombstone, ...tombstone, ifindex: 0, identity: 0, flags: 0 });
    }
  }

  /** Changes what every host knows about one. */
  changeHost(hostId: number, change: Partial<Host>): void {
    for (const { hosts } of this.#hosts.values()) hosts.set(hostId, { ...hosts.get(hostId)!, ...change });
  }

  /** From now on a VPC has policies: those of a host are in its tables. */
  usePolicies(vni: number): void {
    for (const { ports, endpoints } of this.#hosts.values()) {
      for (const [ifindex, port] of ports) if (port.vni === vni) ports.set(ifindex, { ...port, flags: port.flags | portFlag.hasPolicies });
      for (const [name, endpoint] of endpoints) {
        if (name.startsWith(`${vni} `) && endpoint.kind === endpointKind.local)
          endpoints.set(name, { ...endpoint, flags: endpoint.flags | endpointFlag.hasPolicies });
      }
    }
  }

  send(pod: Pod, frame: Uint8Array, segmentBytes?: number): Walk {
    const tables = this.host(pod.hostId);
    return this.#walk(
      pod.hostId,
      agent(tables, { ifindex: pod.ifindex, frame, ...(segmentBytes === undefined ? {} : { segmentBytes }) }, this.nowNs),
    );
  }

  /** A packet that comes to a host from the underlay. */
  arrive(hostId: number, frame: Uint8Array): Walk {
    return this.#walk(hostId, transit(this.host(hostId), frame, this.nowNs));
  }

  /** What the run has written. */
  #keep(tables: HostTables, { paths, fragments, flows }: Outcome): void {
    for (const [name, path] of paths) tables.paths.set(name, path);
    for (const [name, fragment] of fragments) tables.fragments.set(name, fragment);
    tables.policy = { ...tables.policy, flows: new Map([...tables.policy.flows, ...flows]) };
  }

  #walk(start: number, first: Outcome): Walk {
    const steps: string[] = [];
    const outer: Uint8Array[] = [];
    let hostId = start;
    let outcome = first;
    for (;;) {
      steps.push(...outcome.counts.map(({ reason }) => `${hostId} ${reason}`));
      this.#keep(this.host(hostId), outcome);
      const { verdict, frame } = outcome;
      if (verdict.kind === 'redirect' && verdict.ifindex !== uplinkIfindex) {
        return { steps, outer, delivered: { hostId, ifindex: verdict.ifindex, frame } };
      }
      if (verdict.kind === 'drop' || verdict.kind === 'pass') return { steps, outer, delivered: undefined };
      outer.push(frame);
      if (outer.length > longestWalk) throw new Error(`a loop: ${steps.join(', ')}`);
      const next = this.host(hostId).hostIds.get(formatAddress(mappedIpv4(decodeEthernet(frame)!.payload, 16)));
      if (next === undefined) return { steps, outer, delivered: undefined };
      hostId = next;
      outcome = transit(this.host(hostId), frame, this.nowNs);
    }
  }
}

export const hostAddress = (hostId: number): Uint8Array => address(`192.0.2.${hostId}`);
export const hostMac = (hostId: number): Uint8Array => Uint8Array.of(2, 0xee, 0, 0, 0, hostId);

function hostTables(
  hostId: number,
  ids: readonly number[],
  [first, second]: readonly [number, number],
  vnis: readonly number[],
): HostTables {
  const flags = hostFlag.known | hostFlag.alive;
  return {
    settings: { hostId, hostGeneration: 1, uplinkIfindex, underlayMtu: 1500, address: hostAddress(hostId), mac: hostMac(hostId) },
    ports: new Map(),
    endpoints: new Map(),
    hosts: new Map(ids.map((id) => [id, { address: hostAddress(id), mac: hostMac(id), flags, generation: 1, mtu: 1500 }])),
    hostIds: new Map(ids.map((id) => [formatAddress(hostAddress(id)), id])),
    paths: new Map(),
    subnets: vnis.flatMap((vni) => [0, 1].flatMap((subnet) => subnetsOf(vni, subnet))),
    ownerTables: new Map([[1, Array.from({ length: ownerSlots }, () => ({ first, second }))]]),
    devices: new Set(),
    fragments: new Map(),
    policy: noPolicies,
  };
}

function subnetsOf(vni: number, subnet: number): SubnetEntry[] {
  const gatewayIpv4 = address(`10.0.${subnet}.254`);
  const gatewayIpv6 = address(`fd00:0:0:${subnet}::fe`);
  const kind = subnetKind.endpoints;
  const common = { subnetId: subnet, tableId: 1, mtu, flags: 0, vni, ifindex: 0, gatewayMac, gatewayIpv4, gatewayIpv6, kind };
  return [
    { key: { prefixLength: 32 + 96 + 24, vni, address: address(`10.0.${subnet}.0`) }, subnet: common },
    { key: { prefixLength: 32 + 64, vni, address: address(`fd00:0:0:${subnet}::`) }, subnet: common },
  ];
}

export interface UdpOptions {
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly timeToLive?: number;
  readonly payloadBytes?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  readonly fragmentOffsetBytes?: number;
  readonly destinationMac?: Uint8Array;
}

/** A UDP datagram of a pod in a frame, from its IPv4 or its IPv6 address as the destination's family is. */
export function udpFrame(pod: Pod, destination: Uint8Array, options: UdpOptions = {}): Uint8Array {
  const { sourcePort = 1000, destinationPort = 2000, timeToLive = 64, payloadBytes = 20, destinationMac = gatewayMac } = options;
  const datagram = encodeUdp({ sourcePort, destinationPort, checksum: 0x1234, payload: new Uint8Array(payloadBytes).fill(0x61) });
  const macs = { destination: destinationMac, source: pod.mac };
  if (!formatAddress(destination).includes('.')) {
    const packet = encodeIpv6({
      trafficClass: 0,
      flowLabel: 0,
      nextHeader: ipProtocol.udp,
      hopLimit: timeToLive,
      source: pod.ipv6,
      destination,
      payload: datagram,
    });
    return encodeEthernet({ ...macs, type: etherType.ipv6, payload: packet });
  }
  const packet = encodeIpv4({
    typeOfService: 0,
    identification: 1,
    dontFragment: options.dontFragment ?? true,
    moreFragments: options.moreFragments ?? false,
    fragmentOffsetBytes: options.fragmentOffsetBytes ?? 0,
    timeToLive,
    protocol: ipProtocol.udp,
    source: pod.ipv4,
    destination,
    options: new Uint8Array(),
    payload: datagram,
  });
  return encodeEthernet({ ...macs, type: etherType.ipv4, payload: packet });
}
