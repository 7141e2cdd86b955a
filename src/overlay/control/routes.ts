import { endpointKind, identityOfGateway } from '../layout/endpoint.ts';
import { maps } from '../layout/maps.ts';
import { portFlag } from '../layout/port.ts';
import { subnetFlag, subnetKind, type Subnet, type SubnetKey } from '../layout/subnet.ts';
import { isInPrefix, isIpv4Prefix, octetsOf, type AddressHex, type MacHex, type Prefix } from './address.ts';
import { setRecord, type MapBuilder } from './map-builder.ts';
import { ownerTable, type OwnerTable } from './owner-table.ts';
import type { OverlaySpec, SubnetSpec, VpcRoutes } from './spec.ts';

/** The gateway of a VPC at this host: what it has in common with a pod. */
export interface LocalGateway {
  readonly vni: number;
  /** The root side of its link into the VPC. */
  readonly ifindex: number;
  readonly mac: MacHex;
  /** In octets. */
  readonly mtu: number;
  /** Of the VPC's own that are here, such as those of DNS: each host has them, and no other knows. */
  readonly addresses: readonly AddressHex[];
  /** It has NAT, and a link to the host. */
  readonly isWayOut: boolean;
}

/** Bits of a VPC's routes for `Subnet.flags`, and what a port's flags have beside its own. */
export interface RouteOptions {
  readonly hostId: number;
  readonly gateways: readonly LocalGateway[];
  /** Whether a VPC has services and policies: bits of `subnetFlag`. */
  readonly flagsOf: (vni: number) => number;
}

/** Gateways' MACs: one that no vendor gave, then the VNI. The same at all hosts. */
const gatewayMacPrefix = '0a4757';
/** What a gateway has as its own gateway: nobody asks for it. */
export const routerMac: MacHex = '0a4752000001';
const vniBits = 32;
/** Of IP: no MTU is more. */
const longestPacketBytes = 0xffff;
const noAddress = new Uint8Array(16);
const everyIpv4: Prefix = { address: `${'0'.repeat(20)}ffff${'0'.repeat(8)}`, length: 96 };
const everyIpv6: Prefix = { address: '0'.repeat(32), length: 0 };

export function gatewayMacOf(vni: number): MacHex {
  return gatewayMacPrefix + vni.toString(16).padStart(6, '0');
}

/** VNIs of VPCs with peers or a way out. */
export function vpcsWithRoutes(spec: OverlaySpec): ReadonlySet<number> {
  return new Set((spec.vpcs ?? []).filter((vpc) => vpc.egress !== undefined || peersOf(spec, vpc).length > 0).map(({ vni }) => vni));
}

/** Those that name the VPC, too, and share no address with it. */
function peersOf(spec: OverlaySpec, { vni, peers }: VpcRoutes): readonly number[] {
  const own = prefixesOf(spec, vni);
  return peers.filter((peer) => {
    const isMutual = spec.vpcs?.find((other) => other.vni === peer)?.peers.includes(vni) === true;
    return isMutual && peer !== vni && !prefixesOf(spec, peer).some((one) => own.some((other) => doOverlap(one, other)));
  });
}

/** By VNI, the MTU that every subnet has that its endpoints reach, in octets. */
export function leastMtus(spec: OverlaySpec): ReadonlyMap<number, number> {
  const own = new Map<number, number>();
  for (const { vni, mtu } of spec.subnets) own.set(vni, Math.min(own.get(vni) ?? longestPacketBytes, mtu));
  const least = new Map(own);
  for (const vpc of spec.vpcs ?? []) {
    const mtus = [vpc.vni, ...peersOf(spec, vpc)].map((vni) => own.get(vni) ?? longestPacketBytes);
    least.set(vpc.vni, Math.min(...mtus));
  }
  return least;
}

/** Prefixes of peers, and the ways out. The prefixes of the VPCs themselves are there already. */
export function addRoutes(builder: MapBuilder, spec: OverlaySpec, { gateways, flagsOf }: RouteOptions): void {
  for (const vpc of spec.vpcs ?? []) {
    const { vni, egress } = vpc;
    const flags = flagsOf(vni) | subnetFlag.hasRoutes;
    for (const peer of peersOf(spec, vpc)) {
      for (const { subnetId, tableId, mtu, prefixes } of subnetsOf(spec, peer)) {
        for (const prefix of prefixes) {
          const record = { subnetId, tableId, mtu, flags, vni: peer, ifindex: 0, kind: subnetKind.endpoints };
          setRecord(builder, maps.subnets, keyOf(vni, prefix), { ...record, ...noGateway });
        }
      }
    }
    if (egress === undefined) continue;
    const own = subnetsOf(spec, vni);
    const record: Subnet = {
      subnetId: 0,
      tableId: egress.tableId,
      // What a pod's own link has room for, a gateway's has.
      mtu: longestPacketBytes,
      flags,
      vni,
      ifindex: gateways.find((gateway) => gateway.vni === vni && gateway.isWayOut)?.ifindex ?? 0,
      kind: subnetKind.egress,
      gatewayIpv4: noAddress,
      gatewayIpv6: noAddress,
      gatewayMac: octetsOf(gatewayMacOf(vni)),
    };
    setRecord(builder, maps.subnets, keyOf(vni, everyIpv4), record);
    const hasIpv6 = own.some(({ prefixes }) => prefixes.some((prefix) => !isIpv4Prefix(prefix)));
    if (hasIpv6) setRecord(builder, maps.subnets, keyOf(vni, everyIpv6), record);
  }
}

const noGateway = { gatewayIpv4: noAddress, gatewayIpv6: noAddress, gatewayMac: new Uint8Array(6) };

/** The links of gateways, and the endpoints behind them. */
export function addGateways(builder: MapBuilder, spec: OverlaySpec, { hostId, gateways, flagsOf }: RouteOptions): void {
  // A narrow way between the hosts is in the MTU of every subnet.
  const least = leastMtus(spec);
  const mostMtu = spec.subnets.length === 0 ? Infinity : Math.max(...spec.subnets.map(({ mtu }) => mtu));
  for (const { vni, ifindex, mac, mtu: linkMtu, addresses } of gateways) {
    const mtu = Math.min(linkMtu, mostMtu);
    const flags = portFlag.isGateway | portFlag.hasIpv4 | portFlag.hasIpv6;
    const none = { subnetId: 0, generation: 0, identity: identityOfGateway, ipv4: noAddress, ipv6: noAddress };
    const links = { mac: octetsOf(mac), gatewayMac: octetsOf(routerMac), mtu, leastMtu: least.get(vni) ?? mtu };
    setRecord(builder, maps.devices, { index: ifindex }, { index: ifindex });
    setRecord(builder, maps.ports, { index: ifindex }, { ...none, ...links, vni, flags });
    for (const address of addresses) {
      const local = { kind: endpointKind.local, hostId, generation: 0, ifindex, identity: identityOfGateway };
      setRecord(builder, maps.endpoints, { vni, address: octetsOf(address) }, { ...local, flags: flagsOf(vni), mac: octetsOf(mac) });
    }
  }
}

/** Tables of the hosts with gateways, by slot of `owner_tables`. One is the same object as before while its hosts are. */
export class GatewayTables {
  #made = new Map<string, OwnerTable>();

  of({ vpcs = [] }: OverlaySpec): ReadonlyMap<number, OwnerTable> {
    const before = this.#made;
    this.#made = new Map();
    const tables = new Map<number, OwnerTable>();
    for (const { vni, egress } of vpcs) {
      if (egress === undefined) continue;
      const name = `${vni} ${egress.hosts.join()}`;
      const table = before.get(name) ?? ownerTable(vni, egress.hosts);
      this.#made.set(name, table);
      tables.set(egress.tableId, table);
    }
    return tables;
  }
}

function subnetsOf({ subnets }: OverlaySpec, vni: number): readonly SubnetSpec[] {
  return subnets.filter((subnet) => subnet.vni === vni);
}

function prefixesOf(spec: OverlaySpec, vni: number): readonly Prefix[] {
  return subnetsOf(spec, vni).flatMap(({ prefixes }) => prefixes);
}

function doOverlap(one: Prefix, other: Prefix): boolean {
  return isInPrefix(one.address, other) || isInPrefix(other.address, one);
}

function keyOf(vni: number, { address, length }: Prefix): SubnetKey {
  return { prefixLength: vniBits + length, vni, address: octetsOf(address) };
}
