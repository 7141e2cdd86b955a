import { constants } from 'node:os';
import { assert, WeatherError } from '../../base/errors.ts';
import type { BpfMap } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import { mapTypes, updateFlags } from './kernel-constants.ts';
import type { Native } from './libbpf.ts';
import { type MapShape, recordBytes } from './map-shape.ts';

const { ENOENT, E2BIG, EEXIST, ENOSPC, ENODEV, EINVAL } = constants.errno;

/** Entries asked for in one call. The kernel gives whole buckets, so it must not be less than the fullest bucket. */
const batchEntries = 4096;

/** Hash maps, which the kernel can list bucket by bucket whatever changes meanwhile. */
const listedInBatches: readonly number[] = [mapTypes.hash, mapTypes.perCpuHash, mapTypes.lruHash, mapTypes.lruPerCpuHash];

const devices: readonly number[] = [mapTypes.devmap, mapTypes.devmapHash];

/** A map of an object that is loaded. Its descriptor belongs to the object; `fd` throws when that was closed. */
export class LinuxMap implements BpfMap {
  readonly name: string;
  readonly keyBytes: number;
  /** In a per-CPU map, of every possible CPU's records together. */
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly #native: Native;
  readonly #type: number;
  readonly #fd: () => number;

  constructor(native: Native, shape: MapShape, fd: () => number) {
    this.name = shape.name;
    this.keyBytes = shape.keyBytes;
    this.valueBytes = recordBytes(shape, native.libbpf.libbpf_num_possible_cpus());
    this.maxEntries = shape.maxEntries;
    this.#native = native;
    this.#type = shape.type;
    this.#fd = fd;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkKey(key);
    const value = new Uint8Array(this.valueBytes);
    const result = this.#native.libbpf.bpf_map_lookup_elem(this.#fd(), key, value);
    if (result === -ENOENT) return undefined;
    if (result < 0) throw kernelError('bpf-map', `Map ${this.name} cannot be read`, result);
    return value;
  }

  put(key: Uint8Array, value: Uint8Array, how: 'any' | 'add' | 'replace' = 'any'): void {
    this.#checkKey(key);
    assert(value.length === this.valueBytes, `map ${this.name} has values of ${this.valueBytes} octets, not ${value.length}`);
    const result = this.#native.libbpf.bpf_map_update_elem(this.#fd(), key, value, updateFlags[how]);
    if (result === 0) return;
    if (result === -E2BIG || result === -ENOSPC) {
      throw new WeatherError('bpf-map-full', `Map ${this.name} is full: it has room for ${this.maxEntries} entries`);
    }
    if (result === -EEXIST) throw new WeatherError('bpf-map', `Map ${this.name} has an entry for this key already`);
    if (result === -ENOENT) throw new WeatherError('bpf-map', `Map ${this.name} has no entry for this key that could be replaced`);
    if (result === -EINVAL && devices.includes(this.#type)) {
      throw kernelError(
        'bpf-map',
        `Map ${this.name} cannot hold this interface`,
        ENODEV,
        'Write it from inside the interface’s network namespace.',
      );
    }
    throw kernelError('bpf-map', `Map ${this.name} cannot be changed`, result);
  }

  delete(key: Uint8Array): boolean {
    this.#checkKey(key);
    const result = this.#native.libbpf.bpf_map_delete_elem(this.#fd(), key);
    if (result === -ENOENT) return false;
    if (result < 0) throw kernelError('bpf-map', `An entry of map ${this.name} cannot be deleted`, result);
    return true;
  }

  entries(): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    return listedInBatches.includes(this.#type) ? this.#batches() : this.#oneByOne();
  }

  close(): void {
    // The descriptor is the object's.
  }

  *#batches(): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    const keys = new Uint8Array(batchEntries * this.keyBytes);
    const values = new Uint8Array(batchEntries * this.valueBytes);
    // Where to go on: the number of a bucket, in the key's room.
    const positionBytes = Math.max(this.keyBytes, 8);
    let from: Uint8Array | null = null;
    for (;;) {
      const count = new Uint32Array([batchEntries]);
      const next = new Uint8Array(positionBytes);
      const result = this.#native.libbpf.bpf_map_lookup_batch(this.#fd(), from, next, keys, values, count, null);
      if (result < 0 && result !== -ENOENT) throw kernelError('bpf-map', `Map ${this.name} cannot be listed`, result);
      // Copies, before anybody runs in between: an iterator that is left alone must not see its buffer change.
      const found = Array.from(
        { length: count[0] ?? 0 },
        (_, index) => [slot(keys, this.keyBytes, index), slot(values, this.valueBytes, index)] as const,
      );
      yield* found;
      if (result === -ENOENT) return;
      from = next;
    }
  }

  *#oneByOne(): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    // All keys first: the kernel goes on from the key before, and starts again at the first when that one was deleted meanwhile.
    const keys: Uint8Array[] = [];
    let previous: Uint8Array | null = null;
    while (keys.length < this.maxEntries) {
      const key: Uint8Array = new Uint8Array(this.keyBytes);
      const result = this.#native.libbpf.bpf_map_get_next_key(this.#fd(), previous, key);
      if (result === -ENOENT) break;
      if (result < 0) throw kernelError('bpf-map', `Map ${this.name} cannot be listed`, result);
      keys.push(key);
      previous = key;
    }
    for (const key of keys) {
      const value = this.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  #checkKey(key: Uint8Array): void {
    assert(key.length === this.keyBytes, `map ${this.name} has keys of ${this.keyBytes} octets, not ${key.length}`);
  }
}

function slot(octets: Uint8Array, bytes: number, index: number): Uint8Array {
  return octets.slice(index * bytes, (index + 1) * bytes);
}
