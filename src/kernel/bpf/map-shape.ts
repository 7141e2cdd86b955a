import type { Address } from '../ffi/foreign-library.ts';
import { kernelError } from './kernel-errors.ts';
import { mapTypes, readOnlyForPrograms } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';

/** What two maps must have in common to be the same map. */
export interface MapShape {
  readonly name: string;
  readonly type: number;
  readonly keyBytes: number;
  /** Of one record, as the program sees it. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
}

/** The shape of a map in an object file. */
export function declaredShape({ libbpf }: Native, map: Address): MapShape {
  return {
    name: libbpf.bpf_map__name(map),
    type: libbpf.bpf_map__type(map),
    keyBytes: libbpf.bpf_map__key_size(map),
    valueBytes: libbpf.bpf_map__value_size(map),
    maxEntries: libbpf.bpf_map__max_entries(map),
    flags: libbpf.bpf_map__map_flags(map),
  };
}

/**
 * The shape of a map in the kernel.
 *
 * struct bpf_map_info: u32 each
 *  0 type  4 id  8 key_size  12 value_size  16 max_entries  20 map_flags  24 name[16] ...
 */
export function kernelShape({ libbpf }: Native, fd: number, name: string): MapShape {
  const info = new Uint8Array(96);
  const result = libbpf.bpf_obj_get_info_by_fd(fd, info, new Uint32Array([info.length]));
  if (result < 0) throw kernelError('bpf-map', `The pinned map ${name} cannot be examined`, result);
  const view = new DataView(info.buffer);
  const field = (offset: number): number => view.getUint32(offset, true);
  return { name, type: field(0), keyBytes: field(8), valueBytes: field(12), maxEntries: field(16), flags: field(20) };
}

const properties = [
  ['type', 'type'],
  ['keyBytes', 'octets in a key'],
  ['valueBytes', 'octets in a value'],
  ['maxEntries', 'entries'],
  ['flags', 'flags'],
] as const;

/** In words, where two shapes differ; empty when they are the same. */
export function shapeDifferences(found: MapShape, wanted: MapShape): string[] {
  const flags = found.type === mapTypes.devmap || found.type === mapTypes.devmapHash ? found.flags & ~readOnlyForPrograms : found.flags;
  const comparable = { ...found, flags };
  return properties
    .filter(([property]) => comparable[property] !== wanted[property])
    .map(([property, words]) => `${words}: ${comparable[property]} instead of ${wanted[property]}`);
}

/**
 * Octets of a record as user space reads and writes it. In a per-CPU map that is what every CPU has, one after the other, each on a
 * boundary of 8 octets.
 */
export function recordBytes(shape: MapShape, possibleCpus: number): number {
  const { perCpuHash, perCpuArray, lruPerCpuHash, perCpuCgroupStorage } = mapTypes;
  const perCpu: readonly number[] = [perCpuHash, perCpuArray, lruPerCpuHash, perCpuCgroupStorage];
  return perCpu.includes(shape.type) ? Math.ceil(shape.valueBytes / 8) * 8 * possibleCpus : shape.valueBytes;
}
