import { recordCodec, type RecordCodec } from './record.ts';

/** The key of `fragments`: what all fragments of a packet have in common. */
export interface FragmentKey {
  readonly vni: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly id: number;
  readonly protocol: number;
}

export const fragmentKeyCodec: RecordCodec<FragmentKey> = recordCodec('fragment_key', [
  ['vni', 'u32'],
  ['source', 'address'],
  ['destination', 'address'],
  ['id', 'u32'],
  ['protocol', 'u8'],
  3,
]);

/** What only the first fragment has. */
export interface Fragment {
  /** On the kernel's monotonic clock. */
  readonly expiresNs: bigint;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Behind all extension headers. */
  readonly protocol: number;
  readonly icmpType: number;
}

export const fragmentCodec: RecordCodec<Fragment> = recordCodec('fragment', [
  ['expiresNs', 'u64'],
  ['sourcePort', 'be16'],
  ['destinationPort', 'be16'],
  ['protocol', 'u8'],
  ['icmpType', 'u8'],
  2,
]);
