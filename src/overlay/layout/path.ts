import { recordCodec, type RecordCodec } from './record.ts';

/** Where an endpoint was last heard of, in the map `paths` under its `EndpointKey`: learnt by the data path alone. */
export interface Path {
  readonly hostId: number;
  /** Valid only while the host has this generation. */
  readonly hostGeneration: number;
  readonly endpointGeneration: number;
  /** How often the other host was told where our end is. */
  readonly told: number;
  /** On the kernel's monotonic clock. */
  readonly expiresNs: bigint;
  readonly mac: Uint8Array;
  /** Where the endpoint was before, 0 if nowhere: that host may still send back packets that were under way. Host ids are below 4096. */
  readonly previousHostId: number;
  /** Of the endpoint's labels; 0 without any. */
  readonly identity: number;
}

export const pathCodec: RecordCodec<Path> = recordCodec('path', [
  ['hostId', 'u32'],
  ['hostGeneration', 'u32'],
  ['endpointGeneration', 'u32'],
  ['told', 'u32'],
  ['expiresNs', 'u64'],
  ['mac', 'mac'],
  ['previousHostId', 'u16'],
  ['identity', 'u32'],
  4,
]);
