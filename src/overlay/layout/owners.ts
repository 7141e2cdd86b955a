import type { EndpointKey } from './endpoint.ts';
import { recordCodec, type RecordCodec } from './record.ts';

/** Slots of an owner table: a prime, so that Maglev's permutations reach every slot, and 2 KiB a table. */
export const ownerSlots = 251;

/** The hosts that keep the directory entries of one slot, in an array of `owner_tables`; 0 is nobody. */
export interface Owners {
  readonly first: number;
  readonly second: number;
}

export const ownersCodec: RecordCodec<Owners> = recordCodec('owners', [
  ['first', 'u32'],
  ['second', 'u32'],
]);

/** The slot of a key: FNV-1a with 32 bits over the VNI (4 octets, little endian) and the address, modulo `ownerSlots`. */
export function ownerSlot(key: EndpointKey): number {
  let hash = 0x811c9dc5;
  for (let shift = 0; shift < 32; shift += 8) hash = Math.imul(hash ^ ((key.vni >>> shift) & 0xff), 0x01000193);
  for (const octet of key.address) hash = Math.imul(hash ^ octet, 0x01000193);
  return (hash >>> 0) % ownerSlots;
}
