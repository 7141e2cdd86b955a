import type { AddressHex, MacHex, Prefix } from './address.ts';

/** A host of the overlay. A host that no spec names any more is known to be off for good: its leases are void. */
export interface HostSpec {
  readonly hostId: number;
  /** On the underlay. */
  readonly address: AddressHex;
  /** The next hop towards it. */
  readonly mac: MacHex;
  /** Raised each time the host starts anew. */
  readonly generation: number;
  /** In octets. */
  readonly mtu: number;
  /** What its peers believe; says nothing about who owns what. */
  readonly alive: boolean;
}

/** One range of addresses of a subnet. */
export interface SubnetPrefix extends Prefix {
  readonly gateway: AddressHex | undefined;
  /** Addresses that users choose themselves: no block in it is given to a host as a whole. */
  readonly fixed: Prefix | undefined;
}

export interface SubnetSpec {
  readonly subnetId: number;
  readonly vni: number;
  /** Slot of its owners in the data path of this host. */
  readonly tableId: number;
  readonly mtu: number;
  /** At most one of IPv4 and one of IPv6. An endpoint has an address of each. */
  readonly prefixes: readonly SubnetPrefix[];
  readonly gatewayMac: MacHex;
  /** The epoch in which the subnet came: before it nobody had a lease in it. */
  readonly createdEpoch: number;
}

/** What a VPC reaches beside its own endpoints. */
export interface VpcRoutes {
  readonly vni: number;
  /** VNIs of the VPCs that it names; those that name it too and have other addresses are its peers. */
  readonly peers: readonly number[];
  /** The hosts by which it reaches what is outside, and the slot of their table in the data path of this host. */
  readonly egress: { readonly tableId: number; readonly hosts: readonly number[] } | undefined;
}

/** Who owned slots from an epoch on. */
export interface TableEpoch {
  readonly epoch: number;
  readonly members: readonly number[];
}

/** All that a host is told from outside. The source numbers the epochs: two hosts in one epoch have the same members. */
export interface OverlaySpec {
  readonly hosts: readonly HostSpec[];
  readonly subnets: readonly SubnetSpec[];
  /** Those with peers or a way out; none when absent. */
  readonly vpcs?: readonly VpcRoutes[];
  /** Oldest first without gaps, the last one is now; at least those in which leases were given that have not run out. */
  readonly epochs: readonly TableEpoch[];
}

/** Limits of a spec: those of the maps. */
export const specLimits = { hosts: 4095, subnets: 4096, epochs: 64 } as const;
