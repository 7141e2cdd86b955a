import { recordCodec, type RecordCodec } from './record.ts';

/** This host, in the map `settings` under index 0. */
export interface Settings {
  readonly hostId: number;
  readonly hostGeneration: number;
  readonly uplinkIfindex: number;
  /** The longest packet on the underlay, in octets. */
  readonly underlayMtu: number;
  /** The uplink's address; IPv4 as ::ffff:a.b.c.d. */
  readonly address: Uint8Array;
  /** The uplink's MAC. */
  readonly mac: Uint8Array;
}

export const settingsCodec: RecordCodec<Settings> = recordCodec('settings', [
  ['hostId', 'u32'],
  ['hostGeneration', 'u32'],
  ['uplinkIfindex', 'u32'],
  ['underlayMtu', 'u32'],
  ['address', 'address'],
  ['mac', 'mac'],
  2,
]);
