import { recordCodec, type RecordCodec } from './record.ts';

export const hostFlag = { known: 1, alive: 2 } as const;

/** A host, in the array `hosts` under its host id. Host id 0 is nobody. */
export interface Host {
  /** Its address on the underlay; IPv4 as ::ffff:a.b.c.d. */
  readonly address: Uint8Array;
  /** The next hop towards it on the underlay. */
  readonly mac: Uint8Array;
  /** Of `hostFlag`. */
  readonly flags: number;
  /** Raised each time the host starts anew; paths of another generation are void. */
  readonly generation: number;
  /** The longest underlay packet towards it, in octets. */
  readonly mtu: number;
}

export const hostCodec: RecordCodec<Host> = recordCodec('host', [
  ['address', 'address'],
  ['mac', 'mac'],
  ['flags', 'u16'],
  ['generation', 'u32'],
  ['mtu', 'u32'],
]);

/** The key of `host_ids`: a host's address on the underlay. Its value is an `Index`. */
export interface HostAddress {
  readonly address: Uint8Array;
}

export const hostAddressCodec: RecordCodec<HostAddress> = recordCodec('host_address', [['address', 'address']]);
