import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { assert } from '../../base/errors.ts';
import type { BpfMapOfMaps } from '../../overlay/kernel.ts';
import { kernelError, notSupportedInside } from './kernel-errors.ts';
import type { Native } from './libbpf.ts';
import type { MapShape } from './map-shape.ts';

const { ENOENT, EINVAL } = constants.errno;

/** Each new array is a descriptor until it is in its slot; a process has room for 1024 without asking for more. */
const slotsAtOnce = 256;

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

  swap(index: number, values: readonly Uint8Array[]): void {
    this.swapAll([[index, values]]);
  }

  /**
   * Replaces several inner arrays, each in one step. After each call the kernel waits until no program looks at the arrays before any
   * more, some ten milliseconds: many slots are replaced in one call, and cost one wait for each 256.
   */
  swapAll(slots: readonly (readonly [index: number, values: readonly Uint8Array[]])[]): void {
    for (let from = 0; from < slots.length; from += slotsAtOnce) this.#swapSlots(slots.slice(from, from + slotsAtOnce));
  }

  clear(index: number): boolean {
    const result = this.#native.libbpf.bpf_map_delete_elem(this.#fd(), new Uint8Array(Uint32Array.of(this.#checked(index)).buffer));
    if (result === -ENOENT) return false;
    if (result < 0) throw kernelError('bpf-map', `Slot ${index} of ${this.name} cannot be cleared`, result);
    return true;
  }

  close(): void {
    // The descriptor is the object's.
  }

  #swapSlots(slots: readonly (readonly [index: number, values: readonly Uint8Array[]])[]): void {
    const inner: number[] = [];
    try {
      const indexes = Uint32Array.from(slots, ([index]) => this.#checked(index));
      for (const [, values] of slots) inner.push(this.#makeInner(values));
      const result = this.#updateSlots(indexes, Uint32Array.from(inner));
      if (result === 0) return;
      const remedy = 'Its inner arrays have another layout: open the object under a new folder of pins.';
      throw kernelError('bpf-map', `Inner arrays of ${this.name} cannot be replaced`, result, result === -EINVAL ? remedy : undefined);
    } finally {
      for (const fd of inner) closeSync(fd);
    }
  }

  #updateSlots(indexes: Uint32Array<ArrayBuffer>, inner: Uint32Array<ArrayBuffer>): number {
    const { libbpf } = this.#native;
    const keys = new Uint8Array(indexes.buffer);
    const values = new Uint8Array(inner.buffer);
    const result = libbpf.bpf_map_update_batch(this.#fd(), keys, values, Uint32Array.of(indexes.length), null);
    if (result !== -notSupportedInside) return result;
    // Before Linux 5.17: one by one, each with its own wait.
    for (let at = 0; at < indexes.length; at++) {
      const single = libbpf.bpf_map_update_elem(this.#fd(), keys.subarray(4 * at, 4 * at + 4), values.subarray(4 * at, 4 * at + 4), 0);
      if (single < 0) return single;
    }
    return 0;
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

  #checked(index: number): number {
    assert(
      Number.isInteger(index) && index >= 0 && index < this.maxEntries,
      `${this.name} has slots 0 to ${this.maxEntries - 1}, not ${index}`,
    );
    return index;
  }
}
