import { endpointKind, type Endpoint } from '../../src/overlay/layout/endpoint.ts';
import { hostFlag, type Host } from '../../src/overlay/layout/host.ts';
import { ownerSlots, type Owners } from '../../src/overlay/layout/owners.ts';
import type { Path } from '../../src/overlay/layout/path.ts';
import { portFlag, type Port } from '../../src/overlay/layout/port.ts';
import { subnetFlag, subnetKind, type Subnet } from '../../src/overlay/layout/subnet.ts';
import { endpointName, type SubnetEntry, type Tables } from '../../src/overlay/model/tables.ts';
import { formatAddress, parseAddress, parseMac } from '../../src/overlay/packet/address.ts';
import type { SeededRandom } from '../../src/sim/seeded-random.ts';

/** Loopback: what a test run says the packet came in by. */
export const podIfindex = 1;
export const selfHostId = 1;
export const otherHostIds: readonly number[] = [2, 3, 4, 5];
export const vnis: readonly number[] = [100, 0xabcdef];

export const address = (text: string): Uint8Array => parseAddress(text)!;
export const mac = (text: string): Uint8Array => parseMac(text)!;
export const noAddress: Uint8Array = new Uint8Array(16);
export const gatewayMac: Uint8Array = mac('02:00:00:00:00:fe');

/** Addresses of every VNI: the tenants overlap. */
export const ipv4Pool: readonly Uint8Array[] = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.1.1', '10.0.1.2']
  // One of the first VPC and one of the second, which are peers, and one outside of both.
  .concat(['10.0.2.1', '10.0.3.1', '198.51.100.1'])
  .map(address);
export const ipv6Pool: readonly Uint8Array[] = ['fd00::1', 'fd00::2', 'fd00::3', 'fd00::4', 'fd00:0:0:1::1', 'fd00:0:0:1::2']
  .concat(['fd00:0:0:2::1', 'fd00:0:0:3::1', '2001:db8::1'])
  .map(address);

export const hostAddress = (hostId: number): Uint8Array => address(`192.0.2.${hostId}`);
/** Of the endpoint that has this address: its last octet is the address's. */
export const endpointMac = (of: Uint8Array): Uint8Array => Uint8Array.of(2, 1, 0, of[7]!, of[14]!, of[15]!);

/** Small tables where most keys hit something. `devices`: interfaces that exist; the first is the uplink. */
export function randomTables(random: SeededRandom, devices: readonly number[], nowNs: bigint): Tables {
  const hosts = new Map([selfHostId, ...otherHostIds].map((hostId) => [hostId, randomHost(random, hostId)]));
  const endpoints = new Map<string, Endpoint>();
  const paths = new Map<string, Path>();
  const subnets: SubnetEntry[] = [];
  for (const vni of vnis) {
    for (const owned of [...ipv4Pool, ...ipv6Pool]) {
      const name = endpointName({ vni, address: owned });
      if (random.chance(0.6)) endpoints.set(name, randomEndpoint(random, owned, devices));
      if (random.chance(0.5)) paths.set(name, randomPath(random, owned, hosts, nowNs));
    }
    const flags = random.chance(0.5) ? subnetFlag.hasRoutes : 0;
    for (const { key, subnet } of [...subnetsOf(vni), ...routesOf(random, vni, devices)])
      if (random.chance(0.85)) subnets.push({ key, subnet: { ...subnet, flags, mtu: random.pick([250, 1250, 1300, 1418]) } });
  }
  const port = randomPort(random);
  // A pod is an endpoint of its host.
  for (const owned of [port.ipv4, port.ipv6]) {
    const local = { kind: endpointKind.local, hostId: selfHostId, generation: 3, ifindex: podIfindex, identity: 0, flags: 0 };
    if (owned !== noAddress && random.chance(0.9))
      endpoints.set(endpointName({ vni: port.vni, address: owned }), { ...local, mac: port.mac });
  }
  const self = hosts.get(selfHostId)!;
  return {
    settings: {
      hostId: selfHostId,
      hostGeneration: self.generation,
      uplinkIfindex: devices[0]!,
      underlayMtu: 1500,
      address: self.address,
      mac: self.mac,
    },
    ports: new Map(random.chance(0.97) ? [[podIfindex, port]] : []),
    endpoints,
    hosts,
    hostIds: new Map([...hosts].map(([hostId, host]) => [formatAddress(host.address), hostId])),
    paths,
    subnets,
    ownerTables: new Map([1, 2, 3].map((tableId) => [tableId, randomOwners(random)])),
    devices: new Set(devices.filter(() => random.chance(0.95))),
  };
}

function randomHost(random: SeededRandom, hostId: number): Host {
  const self = hostId === selfHostId;
  const flags = (self || random.chance(0.93) ? hostFlag.known : 0) | (self || random.chance(0.9) ? hostFlag.alive : 0);
  const hostMac = Uint8Array.of(2, 2, 0, 0, 0, hostId);
  return { address: hostAddress(hostId), mac: hostMac, flags, generation: 1 + random.below(3), mtu: 1500 };
}

function randomEndpoint(random: SeededRandom, of: Uint8Array, devices: readonly number[]): Endpoint {
  const kind = random.pick(Object.values(endpointKind));
  const local = kind === endpointKind.local;
  return {
    kind,
    hostId: local ? selfHostId : random.chance(0.05) ? random.pick([0, 1, 4095, 4096]) : random.pick(otherHostIds),
    generation: random.below(5),
    ifindex: local ? (random.chance(0.04) ? 999_999 : random.pick(devices)) : 0,
    identity: random.below(4),
    flags: 0,
    mac: endpointMac(of),
  };
}

function randomPath(random: SeededRandom, of: Uint8Array, hosts: ReadonlyMap<number, Host>, nowNs: bigint): Path {
  const hostId = random.chance(0.05) ? random.pick([0, 1, 4095, 4096]) : random.pick(otherHostIds);
  return {
    hostId,
    hostGeneration: random.chance(0.85) ? (hosts.get(hostId)?.generation ?? 0) : random.below(4),
    endpointGeneration: random.below(5),
    told: random.below(5),
    expiresNs: random.chance(0.75) ? nowNs + 3_600_000_000_000n : random.pick([0n, nowNs - 1_000_000_000n]),
    mac: endpointMac(of),
    previousHostId: random.chance(0.5) ? random.pick(otherHostIds) : 0,
    identity: random.below(4),
  };
}

function randomPort(random: SeededRandom): Port {
  const hasIpv4 = random.chance(0.95);
  const hasIpv6 = random.chance(0.9);
  const ipv4 = hasIpv4 ? random.pick(ipv4Pool) : noAddress;
  return {
    vni: random.pick(vnis),
    subnetId: 1,
    identity: 9,
    generation: 1 + random.below(4),
    mtu: random.pick([1280, 1300, 1418]),
    flags: (hasIpv4 ? portFlag.hasIpv4 : 0) | (hasIpv6 ? portFlag.hasIpv6 : 0) | (random.chance(0.3) ? portFlag.isGateway : 0),
    mac: mac('02:01:00:00:00:aa'),
    ipv4,
    ipv6: hasIpv6 ? random.pick(ipv6Pool) : noAddress,
    gatewayMac,
    leastMtu: random.pick([200, 1280, 1418]),
  };
}

function subnetsOf(vni: number): SubnetEntry[] {
  const subnet = (prefix: string, bits: number, tableId: number, gatewayIpv4: string, gatewayIpv6: string): SubnetEntry => ({
    key: { prefixLength: 32 + bits, vni, address: address(prefix) },
    subnet: {
      subnetId: tableId,
      tableId,
      mtu: 1418,
      flags: 0,
      vni,
      ifindex: 0,
      kind: subnetKind.endpoints,
      gatewayIpv4: gatewayIpv4 === '' ? noAddress : address(gatewayIpv4),
      gatewayIpv6: gatewayIpv6 === '' ? noAddress : address(gatewayIpv6),
      gatewayMac,
    },
  });
  return [
    subnet('10.0.0.0', 120, 1, '10.0.0.254', ''),
    subnet('10.0.1.0', 120, 2, '169.254.1.1', ''),
    subnet('10.0.0.0', 112, 3, '', ''),
    subnet('fd00::', 64, 1, '', 'fd00::fe'),
    subnet('fd00:0:0:1::', 64, 2, '', 'fe80::1'),
    // Its table is missing.
    subnet('fd00::4', 128, 7, '', ''),
  ];
}

/** Subnets of the VPC itself and of its peer, which differ, and the way out. */
function routesOf(random: SeededRandom, vni: number, devices: readonly number[]): SubnetEntry[] {
  const of = (prefix: string, bits: number, changes: Partial<Subnet>): SubnetEntry => ({
    key: { prefixLength: 32 + bits, vni, address: address(prefix) },
    subnet: {
      subnetId: 8,
      tableId: 2,
      mtu: 1418,
      flags: 0,
      vni,
      ifindex: 0,
      kind: subnetKind.endpoints,
      gatewayIpv4: noAddress,
      gatewayIpv6: noAddress,
      gatewayMac,
      ...changes,
    },
  });
  const [first = 0, second = 0] = vnis;
  const egress = { kind: subnetKind.egress, tableId: 3, ifindex: random.chance(0.5) ? 0 : random.pick(devices) };
  return [
    of('10.0.2.0', 120, { vni: first }),
    of('10.0.3.0', 120, { vni: second }),
    of('fd00:0:0:2::', 64, { vni: first }),
    of('fd00:0:0:3::', 64, { vni: second }),
    of('0.0.0.0', 96, egress),
    of('::', 0, egress),
  ];
}

function randomOwners(random: SeededRandom): Owners[] {
  const owner = (): number => (random.chance(0.05) ? random.pick([0, 4096]) : random.pick([selfHostId, ...otherHostIds]));
  return Array.from({ length: ownerSlots }, () => ({ first: owner(), second: owner() }));
}
