/** What the daemon of a host would write into the maps of the data path. */
import type { BpfObject } from '../../src/overlay/kernel.ts';
import { endpointKind } from '../../src/overlay/layout/endpoint.ts';
import { hostFlag } from '../../src/overlay/layout/host.ts';
import { maps, ownerTables, type MapLayout } from '../../src/overlay/layout/maps.ts';
import type { Owners } from '../../src/overlay/layout/owners.ts';
import { portFlag } from '../../src/overlay/layout/port.ts';
import { subnetKind } from '../../src/overlay/layout/subnet.ts';
import { mappedIpv4 } from '../../src/overlay/packet/address.ts';
import { podMtu, underlayMtu } from './sizes.ts';

export const vni = 7;
export const generation = 1;
const subnetId = 1;
const none = new Uint8Array(16);
const subnetPrefix = mappedIpv4(Uint8Array.of(10, 0, 0, 0));
/** The VNI, ::ffff/96 and 10.0.0.0/8. */
const subnetPrefixBits = 32 + 96 + 8;
/** Nobody asks for it. */
const gatewayMac = Uint8Array.of(0x0a, 0xff, 0, 0, 0, 1);

export interface HostEntry {
  readonly id: number;
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

function put<K, V>(object: BpfObject, layout: MapLayout<K, V>, key: K, value: V): void {
  object.map(layout.name).put(layout.key.encode(key), layout.value.encode(value));
}

/** Says which host this object belongs to. */
export function setHost(object: BpfObject, { id, address, mac, uplink }: HostEntry & { readonly uplink: number }): void {
  const settings = { hostId: id, hostGeneration: generation, uplinkIfindex: uplink, underlayMtu, address, mac };
  put(object, maps.settings, { index: 0 }, settings);
}

export function addHost(object: BpfObject, { id, address, mac }: HostEntry): void {
  put(object, maps.hosts, { index: id }, { address, mac, flags: hostFlag.known | hostFlag.alive, generation, mtu: underlayMtu });
  put(object, maps.hostIds, { address }, { index: id });
}

/** 10.0.0.0/8, with these owners of each slot. */
export function addSubnet(object: BpfObject, ownersOf: (slot: number) => Owners): void {
  const { slots, value } = ownerTables;
  object.mapOfMaps(ownerTables.name).swap(
    subnetId,
    Array.from({ length: slots }, (_, slot) => value.encode(ownersOf(slot))),
  );
  const subnet = {
    subnetId,
    tableId: subnetId,
    mtu: podMtu,
    flags: 0,
    gatewayIpv4: none,
    gatewayIpv6: none,
    gatewayMac,
    vni,
    ifindex: 0,
    kind: subnetKind.endpoints,
  };
  put(object, maps.subnets, { prefixLength: subnetPrefixBits, vni, address: subnetPrefix }, subnet);
}

export function addPort(
  object: BpfObject,
  ifindex: number,
  { address, mac, mtu }: { readonly address: Uint8Array; readonly mac: Uint8Array; readonly mtu: number },
): void {
  const links = { mtu, leastMtu: mtu, mac, gatewayMac };
  const plain = { ...links, vni, subnetId, identity: 0, generation, flags: portFlag.hasIpv4, ipv4: address, ipv6: none };
  put(object, maps.ports, { index: ifindex }, plain);
}

/** With an ifindex it is here; without (0), this host is one of its owners. */
export function addEndpoint(
  object: BpfObject,
  {
    address,
    mac,
    hostId,
    ifindex,
  }: { readonly address: Uint8Array; readonly mac: Uint8Array; readonly hostId: number; readonly ifindex: number },
): void {
  const kind = ifindex === 0 ? endpointKind.directory : endpointKind.local;
  put(object, maps.endpoints, { vni, address }, { kind, hostId, generation, ifindex, identity: 0, flags: 0, mac });
}
