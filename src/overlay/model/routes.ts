import type { EndpointKey } from '../layout/endpoint.ts';
import type { Owners } from '../layout/owners.ts';
import { subnetKind, type Subnet } from '../layout/subnet.ts';
import { aliveHost, ownersIn, subnetOf, type Tables } from './tables.ts';

/** What an address means to a VPC: an endpoint of its own or of a peer, something outside behind its gateways, or nothing. */
export type Meaning =
  | { readonly kind: 'endpoint'; readonly key: EndpointKey; readonly subnet: Subnet }
  | { readonly kind: 'outside'; readonly egress: Subnet }
  | undefined;

export function meaningOf(tables: Tables, key: EndpointKey): Meaning {
  const subnet = subnetOf(tables, key);
  if (subnet === undefined) return undefined;
  if (subnet.kind === subnetKind.egress) return { kind: 'outside', egress: subnet };
  return { kind: 'endpoint', key: { vni: subnet.vni, address: key.address }, subnet };
}

/** The hosts by which packets between two addresses, one of them outside, leave and enter the VPC: the same for both directions. */
export function gatewaysOf(tables: Tables, egress: Subnet, vni: number, one: Uint8Array, other: Uint8Array): Owners {
  const address = one.map((octet, at) => octet ^ other[at]!);
  return ownersIn(tables, egress, { vni, address });
}

/** The one that a packet to the outside takes: the first that lives. This host itself is one if it has a link to its gateway. */
export function gatewayFor(tables: Tables, egress: Subnet, vni: number, source: Uint8Array, destination: Uint8Array): number | undefined {
  const { first, second } = gatewaysOf(tables, egress, vni, source, destination);
  const ownId = tables.settings.hostId;
  return [first, second].find((hostId) => (hostId === ownId ? egress.ifindex !== 0 : aliveHost(tables, hostId) !== undefined));
}
