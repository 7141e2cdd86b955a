import { constants } from 'node:os';
import { assert, WeatherError } from '../../base/errors.ts';
import type { BpfMap, BpfMapOfMaps } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import type { Libbpf } from './libbpf.ts';

const { ENOENT, E2BIG, EEXIST, ENOSPC, ENOMEM } = constants.errno;

const updateFlags = { any: 0, add: 1, replace: 2 } as const;

export interface MapShape {
  readonly name: string;
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** A map of an object that is loaded. Its descriptor belongs to the object. */
export class LinuxMap implements BpfMap {
  readonly name: string;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly #libbpf: Libbpf;
  readonly #fd: () => number;

  constructor(libbpf: Libbpf, shape: MapShape, fd: () => number) {
    this.name = shape.name;
    this.keyBytes = shape.keyBytes;
    this.valueBytes = shape.valueBytes;
    this.maxEntries = shape.maxEntries;
    this.#libbpf = libbpf;
    this.#fd = fd;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#checkKey(key);
    const value = new Uint8Array(this.valueBytes);
    const result = this.#libbpf.bpf_map_lookup_elem(this.#fd(), key, value);
    if (result === -ENOENT) return undefined;
    if (result < 0) throw kernelError('bpf-map', `Map ${this.name} cannot be read`, result);
    return value;
  }

  put(key: Uint8Array, value: Uint8Array, how: 'any' | 'add' | 'replace' = 'any'): void {
    this.#checkKey(key);
    assert(value.length === this.valueBytes, `map ${this.name} has values of ${this.valueBytes} octets, not ${value.length}`);
    const result = this.#libbpf.bpf_map_update_elem(this.#fd(), key, value, updateFlags[how]);
    if (result === 0) return;
    if (result === -E2BIG || result === -ENOSPC || (result === -ENOMEM && this.maxEntries > 0)) {
      throw new WeatherError('bpf-map-full', `Map ${this.name} has no room for another entry; it holds ${this.maxEntries}`);
    }
    if (result === -EEXIST) throw new WeatherError('bpf-map', `Map ${this.name} has an entry for that key already`);
    throw kernelError('bpf-map', `Map ${this.name} cannot be changed`, result);
  }

  delete(key: Uint8Array): boolean {
    this.#checkKey(key);
    const result = this.#libbpf.bpf_map_delete_elem(this.#fd(), key);
    if (result === -ENOENT) return false;
    if (result < 0) throw kernelError('bpf-map', `An entry of map ${this.name} cannot be deleted`, result);
    return true;
  }

  *entries(): Generator<readonly [key: Uint8Array, value: Uint8Array]> {
    // All keys first: the kernel goes on from the key before, and starts again when that was deleted meanwhile.
    const keys: Uint8Array[] = [];
    let previous: Uint8Array | null = null;
    while (keys.length < this.maxEntries) {
      const key: Uint8Array = new Uint8Array(this.keyBytes);
      const result = this.#libbpf.bpf_map_get_next_key(this.#fd(), previous, key);
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

  close(): void {
    // The descriptor is the object's.
  }

  #checkKey(key: Uint8Array): void {
    assert(key.length === this.keyBytes, `map ${this.name} has keys of ${this.keyBytes} octets, not ${key.length}`);
  }
}

/** An array of arrays of an object that is loaded. */
export class LinuxMapOfMaps implements BpfMapOfMaps {
  readonly name: string;
  readonly maxEntries: number;
  readonly #libbpf: Libbpf;
  readonly #inner: MapShape;
  readonly #fd: () => number;
  readonly #closeFd: (fd: number) => void;

  constructor(libbpf: Libbpf, shape: MapShape, inner: MapShape, fd: () => number, closeFd: (fd: number) => void) {
    this.name = shape.name;
    this.maxEntries = shape.maxEntries;
    this.#libbpf = libbpf;
    this.#inner = inner;
    this.#fd = fd;
    this.#closeFd = closeFd;
  }

  swap(index: number, values: readonly Uint8Array[]): void {
    const { maxEntries, valueBytes } = this.#inner;
    assert(values.length === maxEntries, `an inner array of ${this.name} has ${maxEntries} values, not ${values.length}`);
    const octets = new Uint8Array(maxEntries * valueBytes);
    const keys = new Uint32Array(maxEntries);
    for (const [at, value] of values.entries()) {
      assert(value.length === valueBytes, `values in ${this.name} have ${valueBytes} octets, not ${value.length}`);
      octets.set(value, at * valueBytes);
      keys[at] = at;
    }
    const inner = this.#libbpf.bpf_map_create(this.#inner.type, this.#inner.name, 4, valueBytes, maxEntries, null);
    if (inner < 0) throw kernelError('bpf-map', `A new inner array for ${this.name} cannot be made`, inner);
    try {
      const filled = this.#libbpf.bpf_map_update_batch(inner, new Uint8Array(keys.buffer), octets, new Uint32Array([maxEntries]), null);
      if (filled < 0) throw kernelError('bpf-map', `A new inner array for ${this.name} cannot be filled`, filled);
      const fd = new Uint8Array(new Uint32Array([inner]).buffer);
      const result = this.#libbpf.bpf_map_update_elem(this.#fd(), this.#key(index), fd, 0);
      if (result < 0) throw kernelError('bpf-map', `Slot ${index} of ${this.name} cannot be replaced`, result);
    } finally {
      this.#closeFd(inner);
    }
  }

  clear(index: number): boolean {
    const result = this.#libbpf.bpf_map_delete_elem(this.#fd(), this.#key(index));
    if (result === -ENOENT) return false;
    if (result < 0) throw kernelError('bpf-map', `Slot ${index} of ${this.name} cannot be cleared`, result);
    return true;
  }

  close(): void {
    // The descriptor is the object's.
  }

  #key(index: number): Uint8Array {
    assert(
      Number.isInteger(index) && index >= 0 && index < this.maxEntries,
      `${this.name} has slots 0 to ${this.maxEntries - 1}, not ${index}`,
    );
    return new Uint8Array(new Uint32Array([index]).buffer);
  }
}
