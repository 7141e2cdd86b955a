import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { assert } from '../../base/errors.ts';
import type { BpfMapOfMaps } from '../../overlay/kernel.ts';
import { kernelError } from './kernel-errors.ts';
import type { Native } from './libbpf.ts';
import type { MapShape } from './map-shape.ts';

const { ENOENT, EINVAL } = constants.errno;

/** An array of arrays of an object that is loaded. Its descriptor belongs to the object; `fd` throws when that was closed. */
export class LinuxMapOfMaps implements BpfMapOfMaps {
  readonly name: string;
  readonly maxEntries: number;
  readonly #native: Native;
  readonly #inner: MapShape;
  readonly #fd: () => number;

  constructor(native: Native, shape: MapShape, inner: MapShape, fd: () => number) {
    this.name = shape.name;
    this.maxEntries = shape.maxEntries;
    this.#native = native;
    this.#inner = inner;
    this.#fd = fd;
  }

  /** Comes back when no program looks at the array before any more: that takes the kernel some milliseconds. */
  swap(index: number, values: readonly Uint8Array[]): void {
    const { libbpf } = this.#native;
    const key = this.#key(index);
    const inner = this.#makeInner(values);
    try {
      const result = libbpf.bpf_map_update_elem(this.#fd(), key, unsigned32(inner), 0);
      if (result < 0) {
        const remedy = 'Its inner arrays have another layout: open the object under a new folder of pins.';
        throw kernelError('bpf-map', `Slot ${index} of ${this.name} cannot be replaced`, result, result === -EINVAL ? remedy : undefined);
      }
    } finally {
      closeSync(inner);
    }
  }

  clear(index: number): boolean {
    const result = this.#native.libbpf.bpf_map_delete_elem(this.#fd(), this.#key(index));
    if (result === -ENOENT) return false;
    if (result < 0) throw kernelError('bpf-map', `Slot ${index} of ${this.name} cannot be cleared`, result);
    return true;
  }

  close(): void {
    // The descriptor is the object's.
  }

  /** The descriptor of a new array with these values; the caller closes it. */
  #makeInner(values: readonly Uint8Array[]): number {
    const { libbpf } = this.#native;
    const { name, type, keyBytes, valueBytes, maxEntries } = this.#inner;
    assert(values.length === maxEntries, `an inner array of ${this.name} has ${maxEntries} values, not ${values.length}`);
    const octets = new Uint8Array(maxEntries * valueBytes);
    for (const [at, value] of values.entries()) {
      assert(value.length === valueBytes, `values in ${this.name} have ${valueBytes} octets, not ${value.length}`);
      octets.set(value, at * valueBytes);
    }
    const keys = new Uint8Array(Uint32Array.from(values, (_, at) => at).buffer);
    const inner = libbpf.bpf_map_create(type, name, keyBytes, valueBytes, maxEntries, null);
    if (inner < 0) throw kernelError('bpf-map', `A new inner array for ${this.name} cannot be made`, inner);
    const filled = libbpf.bpf_map_update_batch(inner, keys, octets, new Uint32Array([maxEntries]), null);
    if (filled === 0) return inner;
    closeSync(inner);
    throw kernelError('bpf-map', `A new inner array for ${this.name} cannot be filled`, filled);
  }

  #key(index: number): Uint8Array {
    assert(
      Number.isInteger(index) && index >= 0 && index < this.maxEntries,
      `${this.name} has slots 0 to ${this.maxEntries - 1}, not ${index}`,
    );
    return unsigned32(index);
  }
}

function unsigned32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
