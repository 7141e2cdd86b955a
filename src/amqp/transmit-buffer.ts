import { assert } from '../base/errors.ts';

/** Size of one slab: what a busy turn gathers for one peer. More than one slab in a write costs a copy to join them. */
const slabSize = 262_144;
/** Slabs kept for reuse; beyond that they are left to the collector. 32 × 256 KiB = 8 MiB for the whole process. */
const maxPooledSlabs = 32;

/** Slabs for reuse, shared by all connections of a router. */
export class SlabPool {
  readonly #slabs: Uint8Array[] = [];

  take(): Uint8Array {
    return this.#slabs.pop() ?? new Uint8Array(slabSize);
  }

  give(slab: Uint8Array): void {
    if (slab.length === slabSize && this.#slabs.length < maxPooledSlabs) this.#slabs.push(slab);
  }
}

/**
 * Bytes on their way out of one connection: frames are written into slabs, which go to the socket whole. Everything that is
 * written during one turn of the event loop thus leaves in one write.
 *
 * Ownership: `next()` lends a view of a slab; the slab returns to the pool when the host calls `transmitted()`, which it does once
 * for each view, in order, when the socket no longer needs the bytes.
 */
export class TransmitBuffer {
  readonly #pool: SlabPool;
  #slab: Uint8Array | undefined;
  #length = 0;
  /** Full slabs waiting, oldest first. */
  readonly #full: Uint8Array[] = [];
  readonly #lent: Uint8Array[] = [];
  /** Bytes written and not yet lent to the host. */
  pendingBytes = 0;

  constructor(pool: SlabPool) {
    this.#pool = pool;
  }

  /** The slab to write `count` contiguous bytes into, from `position`; followed by `advance(count)`. */
  reserve(count: number): Uint8Array {
    let slab = this.#slab;
    if (slab === undefined || slab.length - this.#length < count) {
      if (slab !== undefined) this.#seal(slab);
      slab = count > slabSize ? new Uint8Array(count) : this.#pool.take();
      this.#slab = slab;
      this.#length = 0;
    }
    return slab;
  }

  /** Where in the reserved slab to write. */
  get position(): number {
    return this.#length;
  }

  advance(count: number): void {
    this.#length += count;
    this.pendingBytes += count;
  }

  append(bytes: Readonly<Uint8Array>): void {
    const slab = this.reserve(bytes.length);
    slab.set(bytes, this.#length);
    this.advance(bytes.length);
  }

  #seal(slab: Uint8Array): void {
    if (this.#length > 0) this.#full.push(slab.subarray(0, this.#length));
    else this.#pool.give(slab);
  }

  /** The next bytes for the socket, or undefined. */
  next(): Uint8Array | undefined {
    let view = this.#full.shift();
    if (view === undefined) {
      const slab = this.#slab;
      if (slab === undefined || this.#length === 0) return undefined;
      view = slab.subarray(0, this.#length);
      this.#slab = undefined;
      this.#length = 0;
    }
    this.pendingBytes -= view.length;
    this.#lent.push(view);
    return view;
  }

  /** The oldest lent view is no longer needed. */
  transmitted(): void {
    const view = this.#lent.shift();
    assert(view !== undefined, 'more bytes transmitted than lent');
    this.#pool.give(new Uint8Array(view.buffer as ArrayBuffer));
  }

  /** Drops what has not been lent. */
  clear(): void {
    for (const view of this.#full) this.#pool.give(new Uint8Array(view.buffer as ArrayBuffer));
    this.#full.length = 0;
    if (this.#slab !== undefined) this.#pool.give(this.#slab);
    this.#slab = undefined;
    this.#length = 0;
    this.pendingBytes = 0;
  }
}
