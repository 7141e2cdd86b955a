import { endpointKind, type Endpoint, type EndpointKey } from '../layout/endpoint.ts';
import { hostFlag, type Host } from '../layout/host.ts';
import { ownerSlot, type Owners } from '../layout/owners.ts';
import type { Path } from '../layout/path.ts';
import type { Fragments } from './flow.ts';
import type { PolicyTables } from './policy.ts';
import type { ServiceTables } from './service.ts';
import type { Port } from '../layout/port.ts';
import type { Settings } from '../layout/settings.ts';
import type { Subnet, SubnetKey } from '../layout/subnet.ts';
import { formatAddress } from '../packet/address.ts';

/** What the data path's maps hold, as plain records. Keys that hold an address are texts: `endpointName`, `formatAddress`. */
export interface Tables {
  readonly settings: Settings;
  /** By ifindex. */
  readonly ports: ReadonlyMap<number, Port>;
  /** By `endpointName`. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** By host id. */
  readonly hosts: ReadonlyMap<number, Host>;
  /** Host ids by the text of the host's address on the underlay. */
  readonly hostIds: ReadonlyMap<string, number>;
  /** By `endpointName`. */
  readonly paths: ReadonlyMap<string, Path>;
  readonly subnets: readonly SubnetEntry[];
  /** By table id; each has `ownerSlots` entries. */
  readonly ownerTables: ReadonlyMap<number, readonly Owners[]>;
  /** Interfaces that transit may redirect to. */
  readonly devices: ReadonlySet<number>;
  /** By `fragmentName`; none when it is left out. */
  readonly fragments?: Fragments;
  /** None when it is left out. */
  readonly services?: ServiceTables;
  /** None when it is left out. */
  readonly policy?: PolicyTables;
}

export interface SubnetEntry {
  readonly key: SubnetKey;
  readonly subnet: Subnet;
}

const nobody: Owners = { first: 0, second: 0 };

export function endpointName(key: EndpointKey): string {
  return `${key.vni} ${formatAddress(key.address)}`;
}

export function endpointOf(tables: Tables, key: EndpointKey): Endpoint | undefined {
  return tables.endpoints.get(endpointName(key));
}

/** The endpoint if it is here. */
export function localEndpoint(tables: Tables, key: EndpointKey): Endpoint | undefined {
  const endpoint = endpointOf(tables, key);
  return endpoint?.kind === endpointKind.local ? endpoint : undefined;
}

/** A host that packets may be sent to: known and alive. */
export function aliveHost(tables: Tables, hostId: number): Host | undefined {
  const host = knownHost(tables, hostId);
  return host !== undefined && (host.flags & hostFlag.alive) !== 0 ? host : undefined;
}

export function knownHost(tables: Tables, hostId: number): Host | undefined {
  const host = hostId === 0 ? undefined : tables.hosts.get(hostId);
  return host !== undefined && (host.flags & hostFlag.known) !== 0 ? host : undefined;
}

/** The longest prefix of the VNI that has the address. */
export function subnetOf(tables: Tables, key: EndpointKey): Subnet | undefined {
  let best: SubnetEntry | undefined;
  for (const entry of tables.subnets) {
    if (entry.key.vni !== key.vni || !hasPrefix(key.address, entry.key)) continue;
    if (best === undefined || entry.key.prefixLength > best.key.prefixLength) best = entry;
  }
  return best?.subnet;
}

function hasPrefix(address: Uint8Array, prefix: SubnetKey): boolean {
  // The VNI's 32 bits are the first ones of the prefix.
  for (let bit = 0; bit < prefix.prefixLength - 32; bit++) {
    const octet = bit >>> 3;
    if (((address[octet]! ^ prefix.address[octet]!) & (0x80 >>> (bit & 7))) !== 0) return false;
  }
  return true;
}

/** Both owners of an address, alive or not; nobody when it is in no subnet. */
export function ownersOf(tables: Tables, key: EndpointKey): Owners {
  const subnet = subnetOf(tables, key);
  return subnet === undefined ? nobody : ownersIn(tables, subnet, key);
}

/** The same of an address whose subnet is known. */
export function ownersIn(tables: Tables, subnet: Subnet, key: EndpointKey): Owners {
  return tables.ownerTables.get(subnet.tableId)?.[ownerSlot(key)] ?? nobody;
}

export function isOwner(tables: Tables, key: EndpointKey, hostId: number): boolean {
  const owners = ownersOf(tables, key);
  return hostId !== 0 && (owners.first === hostId || owners.second === hostId);
}

/** Whether packets may take the path now. */
export function isValid(tables: Tables, path: Path, nowNs: bigint): boolean {
  const host = aliveHost(tables, path.hostId);
  return host !== undefined && host.generation === path.hostGeneration && path.expiresNs > nowNs;
}

export function validPath(tables: Tables, key: EndpointKey, nowNs: bigint): Path | undefined {
  const path = tables.paths.get(endpointName(key));
  return path !== undefined && isValid(tables, path, nowNs) ? path : undefined;
}
