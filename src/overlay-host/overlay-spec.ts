import type { Networks, NumberedSubnet } from '../overlay/catalog/networks.ts';
import { addressHex, type MacHex } from '../overlay/control/address.ts';
import { specLimits, type HostSpec, type OverlaySpec, type SubnetSpec, type TableEpoch } from '../overlay/control/spec.ts';
import type { OverlayConfiguration } from './configuration.ts';

/** What changes while a daemon runs. */
export interface KnownHost {
  /** Undefined while it has never been heard of. */
  readonly generation: number | undefined;
  /** Of the next hop towards it; undefined while that is not known. */
  readonly mac: MacHex | undefined;
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

export function podMtu(underlayMtu: number): number {
  return underlayMtu - tunnelBytes;
}

/** All that a host is told from outside, from its configuration and from what it has heard of the others. */
export function overlaySpec({ configuration, epochs, networks, tableSlot, underlayMtu, known }: SpecOptions): OverlaySpec {
  const hosts = configuration.hosts.map(({ hostId, address }): HostSpec => {
    const { generation, mac } = known(hostId);
    const alive = generation !== undefined && mac !== undefined;
    return { hostId, address: addressHex(address), mac: mac ?? noMac, generation: generation ?? 0, mtu: underlayMtu, alive };
  });
  const subnets = networks.subnets.flatMap((subnet): SubnetSpec[] => {
    const tableId = tableSlot(subnetTableUser(subnet.subnetId));
    return tableId === undefined ? [] : [subnetSpec(subnet, tableId, underlayMtu)];
  });
  return { hosts, subnets, epochs };
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
