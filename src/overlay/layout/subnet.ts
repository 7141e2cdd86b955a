import { recordCodec, type RecordCodec } from './record.ts';

/** The key of the prefix trie `subnets`. */
export interface SubnetKey {
  /** In bits: 32 for the VNI, then those of the 16-octet address, so 32 + 96 + 24 for an IPv4 /24. */
  readonly prefixLength: number;
  readonly vni: number;
  readonly address: Uint8Array;
}

export const subnetKeyCodec: RecordCodec<SubnetKey> = recordCodec('subnet_key', [
  ['prefixLength', 'u32'],
  ['vni', 'u32'],
  ['address', 'address'],
]);

/** `hasRoutes`: the VPC has peers or a way out, so where a packet comes from is looked at. */
export const subnetFlag = { hasServices: 1, hasPolicies: 2, hasRoutes: 4 } as const;

/** `egress`: the way out of the VPC, through a gateway at one of the hosts that `tableId` names. */
export const subnetKind = { endpoints: 0, egress: 1 } as const;

/** What a prefix of a VPC is, in the trie `subnets`: a subnet of its own, one of a peer, or the way out. */
export interface Subnet {
  readonly subnetId: number;
  /** Index of its owners in `owner_tables`. */
  readonly tableId: number;
  readonly mtu: number;
  /** Of `subnetFlag`. */
  readonly flags: number;
  /** The VPC that the addresses belong to: the key's own or a peer's. */
  readonly vni: number;
  /** Egress: the root side of the gateway's link at this host, 0 if there is none. */
  readonly ifindex: number;
  /** All zero when the subnet has no IPv4. */
  readonly gatewayIpv4: Uint8Array;
  readonly gatewayIpv6: Uint8Array;
  /** Egress: of the gateway's own end. */
  readonly gatewayMac: Uint8Array;
  /** Of `subnetKind`. */
  readonly kind: number;
}

export const subnetCodec: RecordCodec<Subnet> = recordCodec('subnet', [
  ['subnetId', 'u32'],
  ['tableId', 'u32'],
  ['mtu', 'u32'],
  ['flags', 'u32'],
  ['vni', 'u32'],
  ['ifindex', 'u32'],
  ['gatewayIpv4', 'address'],
  ['gatewayIpv6', 'address'],
  ['gatewayMac', 'mac'],
  ['kind', 'u16'],
]);
