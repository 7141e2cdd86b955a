import { endpointKind, type Endpoint } from '../layout/endpoint.ts';
import { hostFlag } from '../layout/host.ts';
import { maps } from '../layout/maps.ts';
import { portFlag } from '../layout/port.ts';
import { subnetFlag, subnetKind } from '../layout/subnet.ts';
import { isIpv4Prefix, octetsOf, type AddressHex, type MacHex } from './address.ts';
import { setRecord, type MapBuilder } from './map-builder.ts';
import type { MapWrite } from './plan.ts';
import { addGateways, addRoutes, vpcsWithRoutes, type LocalGateway } from './routes.ts';
import type { HostSpec, OverlaySpec, SubnetSpec } from './spec.ts';

/** This host, as its daemon finds it. */
export interface SelfSpec {
  readonly hostId: number;
  /** Raised each time the host starts anew. */
  readonly generation: number;
  readonly uplinkIfindex: number;
  readonly underlayMtu: number;
  readonly address: AddressHex;
  readonly mac: MacHex;
}

/** An endpoint at this host. */
export interface LocalEndpoint {
  /** The root side of its veth. */
  readonly ifindex: number;
  readonly subnetId: number;
  readonly vni: number;
  readonly mac: MacHex;
  readonly identity: number;
  readonly flags: number;
  /** One of each prefix of the subnet. */
  readonly addresses: readonly AddressHex[];
  readonly generation: number;
}

/** Where an endpoint went that was here. */
export interface Tombstone {
  readonly hostId: number;
  readonly generation: number;
  readonly mac: MacHex;
  readonly untilMs: number;
}

const noAddress = '0'.repeat(32);
const vniBits = 32;

/** Whether a VPC has services and policies: bits of `subnetFlag`. Endpoints' flags have the same ones, those of ports stand beside others. */
export type FlagsOf = (vni: number) => number;

const portFlagShift = 2;

export function addHost(builder: MapBuilder, host: HostSpec, isAlive: boolean): void {
  const { hostId, address, mac, generation, mtu } = host;
  const flags = hostFlag.known | (isAlive ? hostFlag.alive : 0);
  setRecord(builder, maps.hosts, { index: hostId }, { address: octetsOf(address), mac: octetsOf(mac), flags, generation, mtu });
}

/** Hosts, subnets, routes, gateways and this host itself: what follows from the spec. `isAlive`: as this host believes. */
export function specMaps(
  self: SelfSpec,
  spec: OverlaySpec,
  isAlive: (host: HostSpec) => boolean,
  flagsOf: FlagsOf,
  gateways: readonly LocalGateway[] = [],
): MapBuilder {
  const routes = { hostId: self.hostId, gateways, flagsOf };
  const withRoutes = vpcsWithRoutes(spec);
  const builder: MapBuilder = new Map();
  setRecord(
    builder,
    maps.settings,
    { index: 0 },
    {
      hostId: self.hostId,
      hostGeneration: self.generation,
      uplinkIfindex: self.uplinkIfindex,
      underlayMtu: self.underlayMtu,
      address: octetsOf(self.address),
      mac: octetsOf(self.mac),
    },
  );
  // The transit program answers out of the uplink.
  setRecord(builder, maps.devices, { index: self.uplinkIfindex }, { index: self.uplinkIfindex });
  for (const host of spec.hosts) {
    addHost(builder, host, isAlive(host));
    setRecord(builder, maps.hostIds, { address: octetsOf(host.address) }, { index: host.hostId });
  }
  for (const { vni, subnetId, tableId, mtu, prefixes, gatewayMac } of spec.subnets) {
    const gatewayOf = (isIpv4: boolean): AddressHex => prefixes.find((prefix) => isIpv4Prefix(prefix) === isIpv4)?.gateway ?? noAddress;
    for (const { address, length } of prefixes) {
      setRecord(
        builder,
        maps.subnets,
        { prefixLength: vniBits + length, vni, address: octetsOf(address) },
        {
          subnetId,
          tableId,
          mtu,
          flags: flagsOf(vni) | (withRoutes.has(vni) ? subnetFlag.hasRoutes : 0),
          vni,
          ifindex: 0,
          kind: subnetKind.endpoints,
          gatewayIpv4: octetsOf(gatewayOf(true)),
          gatewayIpv6: octetsOf(gatewayOf(false)),
          gatewayMac: octetsOf(gatewayMac),
        },
      );
    }
  }
  addRoutes(builder, spec, routes);
  addGateways(builder, spec, routes);
  return builder;
}

/** Adds the port of an endpoint. `leastMtu`: of the subnets that it reaches. */
export function addPort(builder: MapBuilder, endpoint: LocalEndpoint, subnet: SubnetSpec, leastMtu: number, flagsOf: FlagsOf): void {
  const { ifindex, vni, subnetId, identity, generation } = endpoint;
  const addressOf = (isIpv4: boolean): AddressHex =>
    endpoint.addresses.find((address) => isIpv4Prefix({ address, length: 128 }) === isIpv4) ?? noAddress;
  const [ipv4, ipv6] = [addressOf(true), addressOf(false)];
  setRecord(builder, maps.devices, { index: ifindex }, { index: ifindex });
  setRecord(
    builder,
    maps.ports,
    { index: ifindex },
    {
      vni,
      subnetId,
      identity,
      generation,
      mtu: subnet.mtu,
      flags: (ipv4 === noAddress ? 0 : portFlag.hasIpv4) | (ipv6 === noAddress ? 0 : portFlag.hasIpv6) | (flagsOf(vni) << portFlagShift),
      mac: octetsOf(endpoint.mac),
      ipv4: octetsOf(ipv4),
      ipv6: octetsOf(ipv6),
      gatewayMac: octetsOf(subnet.gatewayMac),
      leastMtu,
    },
  );
}

/** Adds what the host knows about an address. */
export function addEndpoint(builder: MapBuilder, vni: number, address: AddressHex, endpoint: Endpoint): void {
  setRecord(builder, maps.endpoints, { vni, address: octetsOf(address) }, endpoint);
}

/** The record of an endpoint that is here. */
export function localRecord(self: SelfSpec, { vni, generation, ifindex, identity, flags, mac }: LocalEndpoint, flagsOf: FlagsOf): Endpoint {
  const allFlags = flags | flagsOf(vni);
  return { kind: endpointKind.local, hostId: self.hostId, generation, ifindex, identity, flags: allFlags, mac: octetsOf(mac) };
}

/** The record of an endpoint that is elsewhere: this host is its owner, or it was here. */
export function remoteRecord(
  kind: 'directory' | 'tombstone',
  {
    hostId,
    generation,
    mac,
    identity = 0,
    flags = 0,
  }: { hostId: number; generation: number; mac: MacHex; identity?: number; flags?: number },
): Endpoint {
  return { kind: endpointKind[kind], hostId, generation, ifindex: 0, identity, flags, mac: octetsOf(mac) };
}

/** The write for one address: what is known of it now, or that nothing is. */
export function endpointWrite(vni: number, address: AddressHex, endpoint: Endpoint | undefined): MapWrite {
  const { name, key, value } = maps.endpoints;
  const keyBytes = key.encode({ vni, address: octetsOf(address) });
  return endpoint === undefined
    ? { kind: 'delete', map: name, key: keyBytes }
    : { kind: 'put', map: name, key: keyBytes, value: value.encode(endpoint) };
}

/** The writes that take a port away. */
export function portDeletes(ifindex: number): MapWrite[] {
  return [maps.ports, maps.devices].map(({ name, key }) => ({ kind: 'delete', map: name, key: key.encode({ index: ifindex }) }));
}

/** The writes by which the data path forgets where an endpoint was. */
export function pathDeletes({ vni, addresses }: LocalEndpoint): MapWrite[] {
  const { name, key } = maps.paths;
  return addresses.map((address) => ({ kind: 'delete', map: name, key: key.encode({ vni, address: octetsOf(address) }) }));
}
