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

/** A subnet, in the trie `subnets`. */
export interface Subnet {
  readonly subnetId: number;
  /** Index of its owners in `owner_tables`. */
  readonly tableId: number;
  readonly mtu: number;
  readonly flags: number;
  /** All zero when the subnet has no IPv4. */
  readonly gatewayIpv4: Uint8Array;
  readonly gatewayIpv6: Uint8Array;
  readonly gatewayMac: Uint8Array;
}

export const subnetCodec: RecordCodec<Subnet> = recordCodec('subnet', [
  ['subnetId', 'u32'],
  ['tableId', 'u32'],
  ['mtu', 'u32'],
  ['flags', 'u32'],
  ['gatewayIpv4', 'address'],
  ['gatewayIpv6', 'address'],
  ['gatewayMac', 'mac'],
  2,
]);
