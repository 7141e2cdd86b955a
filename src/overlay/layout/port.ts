import { recordCodec, type RecordCodec } from './record.ts';

export const portFlag = { hasIpv4: 1, hasIpv6: 2, hasServices: 4, hasPolicies: 8, isGateway: 16 } as const;

/** A pod's link to this host, in the map `ports` under the ifindex of its root side: what the pod may send. */
export interface Port {
  readonly vni: number;
  readonly subnetId: number;
  readonly identity: number;
  /** The endpoint's generation, told to other hosts with its first packets. */
  readonly generation: number;
  /** The longest IP packet, in octets. */
  readonly mtu: number;
  /** Of `portFlag`. */
  readonly flags: number;
  readonly mac: Uint8Array;
  /** ::ffff:a.b.c.d; all zero without `hasIpv4`. */
  readonly ipv4: Uint8Array;
  readonly ipv6: Uint8Array;
  readonly gatewayMac: Uint8Array;
  /** Of all subnets that it reaches, in octets: a packet that is no longer fits everywhere. */
  readonly leastMtu: number;
}

export const portCodec: RecordCodec<Port> = recordCodec('port', [
  ['vni', 'u32'],
  ['subnetId', 'u32'],
  ['identity', 'u32'],
  ['generation', 'u32'],
  ['mtu', 'u32'],
  ['flags', 'u16'],
  ['mac', 'mac'],
  ['ipv4', 'address'],
  ['ipv6', 'address'],
  ['gatewayMac', 'mac'],
  ['leastMtu', 'u16'],
]);
