import { recordCodec, type RecordCodec } from './record.ts';

/** Who is meant: an address of a tenant. The key of `endpoints` and of `paths`. */
export interface EndpointKey {
  readonly vni: number;
  /** 16 octets; IPv4 as ::ffff:a.b.c.d. */
  readonly address: Uint8Array;
}

export const endpointKeyCodec: RecordCodec<EndpointKey> = recordCodec('endpoint_key', [
  ['vni', 'u32'],
  ['address', 'address'],
]);

/** Why this host knows an endpoint. */
export const endpointKind = {
  /** It is here, behind `ifindex`. */
  local: 1,
  /** This host is one of its owners; it lives at `hostId`. */
  directory: 2,
  /** It was here and is now at `hostId`. */
  tombstone: 3,
} as const;

/** Of what comes from outside of a VPC. */
export const identityOfGateway = 0x7fffffff;

/** Of a local endpoint: its VPC has services, has policies. */
export const endpointFlag = { hasServices: 1, hasPolicies: 2 } as const;

/** An endpoint, in the map `endpoints`. */
export interface Endpoint {
  /** One of `endpointKind`. */
  readonly kind: number;
  /** Where it lives; this host itself for a local one. */
  readonly hostId: number;
  /** Raised at each placement; the newer wins. */
  readonly generation: number;
  /** The root side of its veth when local, else 0. */
  readonly ifindex: number;
  readonly identity: number;
  /** Of `endpointFlag`. */
  readonly flags: number;
  readonly mac: Uint8Array;
}

export const endpointCodec: RecordCodec<Endpoint> = recordCodec('endpoint', [
  ['kind', 'u32'],
  ['hostId', 'u32'],
  ['generation', 'u32'],
  ['ifindex', 'u32'],
  ['identity', 'u32'],
  ['flags', 'u16'],
  ['mac', 'mac'],
]);
