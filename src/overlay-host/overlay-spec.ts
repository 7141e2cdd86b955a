import type { Networks, NumberedSubnet, NumberedVpc } from '../overlay/catalog/networks.ts';
import { addressHex, type MacHex, type Prefix } from '../overlay/control/address.ts';
import { specLimits, type HostSpec, type OverlaySpec, type SubnetSpec, type TableEpoch, type VpcRoutes } from '../overlay/control/spec.ts';
import type { OverlayConfiguration } from './configuration/configuration.ts';

/** What changes while a daemon runs. */
export interface KnownHost {
  /** Undefined while it has never been heard of. */
  readonly generation: number | undefined;
  /** Of the next hop towards it; undefined while that is not known. */
  readonly mac: MacHex | undefined;
  /** Octets of the largest packet to it, outer headers included; as the underlay's when absent. */
  readonly mtu?: number;
}

export interface SpecOptions {
  readonly configuration: OverlayConfiguration;
  readonly epochs: readonly TableEpoch[];
  readonly networks: Networks;
  /** Slot of an owner table; undefined when there is none left. */
  readonly tableSlot: (user: string) => number | undefined;
  /** Of the underlay, in octets. */
  readonly underlayMtu: number;
  readonly known: (hostId: number) => KnownHost;
}

/** Geneve over IPv4 takes 50 octets, and the longest option 32 more. */
const tunnelBytes = 82;
/** Gateways' MACs: one that no vendor gave, then the subnet's id. */
const gatewayMacPrefix = '0a564e';
const noMac = '000000000000';

/** What IPv6 asks of every link: pods get no less, whatever a router says. */
const leastPodMtu = 1280;

export function podMtu(underlayMtu: number): number {
  return underlayMtu - tunnelBytes;
}

/** All that a host is told from outside, from its configuration and from what it has heard of the others. */
export function overlaySpec({ configuration, epochs, networks, tableSlot, underlayMtu, known }: SpecOptions): OverlaySpec {
  const hosts = configuration.hosts.map(({ hostId, address }): HostSpec => {
    const { generation, mac, mtu = underlayMtu } = known(hostId);
    const alive = generation !== undefined && mac !== undefined;
    return { hostId, address: addressHex(address), mac: mac ?? noMac, generation: generation ?? 0, mtu, alive };
  });
  // A packet's way is not known where its length is looked at: the narrowest counts for all.
  const narrowest = Math.max(Math.min(underlayMtu, ...hosts.map(({ mtu }) => mtu)), Math.min(underlayMtu, leastPodMtu + tunnelBytes));
  const subnets = networks.subnets.flatMap((subnet): SubnetSpec[] => {
    const tableId = tableSlot(subnetTableUser(subnet.subnetId));
    return tableId === undefined ? [] : [subnetSpec(subnet, tableId, narrowest)];
  });
  const vpcs = networks.vpcs.flatMap((vpc) => vpcRoutes(vpc, networks, configuration, tableSlot));
  return { hosts, subnets, vpcs, epochs };
}

/** The hosts by which a VPC reaches what is outside; undefined when it has no way out. */
export function egressHosts({ egress }: NumberedVpc, { hosts }: OverlayConfiguration): readonly number[] | undefined {
  if (egress === undefined) return undefined;
  return hosts.filter(({ name }) => egress.hosts.length === 0 || egress.hosts.includes(name)).map(({ hostId }) => hostId);
}

/** What is in a VPC, with the MTU of each prefix. */
export function prefixesWithMtu(networks: Networks, vni: number, mostMtu: number): readonly (Prefix & { readonly mtu: number })[] {
  const subnets = networks.subnets.filter((subnet) => subnet.vni === vni);
  return subnets.flatMap(({ prefixes, mtu }) =>
    prefixes.map(({ address, length }) => ({ address, length, mtu: Math.min(mtu ?? Infinity, mostMtu) })),
  );
}

function vpcRoutes(
  vpc: NumberedVpc,
  networks: Networks,
  configuration: OverlayConfiguration,
  tableSlot: SpecOptions['tableSlot'],
): VpcRoutes[] {
  const { vni } = vpc;
  const peers = networks.vpcs.filter(({ name }) => vpc.peers.includes(name)).map((peer) => peer.vni);
  const hosts = egressHosts(vpc, configuration);
  const tableId = hosts === undefined ? undefined : tableSlot(egressTableUser(vni));
  const egress = hosts === undefined || tableId === undefined ? undefined : { tableId, hosts };
  return egress === undefined && peers.length === 0 ? [] : [{ vni, peers, egress }];
}

export const egressTableUsers = 'egress/';

/** The user of the table of a VPC's gateways. */
export function egressTableUser(vni: number): string {
  return egressTableUsers + String(vni);
}

export const subnetTableUsers = 'subnet/';

/** The user of a subnet's owner table. */
export function subnetTableUser(subnetId: number): string {
  return subnetTableUsers + String(subnetId);
}

function subnetSpec({ subnetId, vni, prefixes, mtu, createdEpoch }: NumberedSubnet, tableId: number, underlayMtu: number): SubnetSpec {
  return {
    subnetId,
    vni,
    tableId,
    mtu: Math.min(mtu ?? Infinity, podMtu(underlayMtu)),
    prefixes,
    gatewayMac: gatewayMacPrefix + subnetId.toString(16).padStart(6, '0'),
    createdEpoch,
  };
}

/** The epochs that this host has known, and the one of its configuration, without gaps. */
export function withEpoch(stored: unknown, { epoch, hosts }: OverlayConfiguration): readonly TableEpoch[] {
  const now = { epoch, members: hosts.map(({ hostId }) => hostId).toSorted((one, other) => one - other) };
  const before = (Array.isArray(stored) ? stored : []).filter(isEpoch).filter((known) => known.epoch < epoch);
  const kept: TableEpoch[] = [now];
  for (const known of before.toReversed()) if (known.epoch === kept[0]!.epoch - 1 && kept.length < specLimits.epochs) kept.unshift(known);
  return kept;
}

function isEpoch(value: unknown): value is TableEpoch {
  const { epoch, members } = (value ?? {}) as Partial<TableEpoch>;
  return typeof epoch === 'number' && Array.isArray(members) && members.every((member) => typeof member === 'number');
}
