const smallestBytes = 256;

/** Puts bytes that come in pieces together in a buffer of its own, whose room doubles: each byte is copied a few times at most. */
export class GatheredBytes {
  #buffer: Uint8Array = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `bytes[start, end)`. The caller has checked its limit. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, this.#buffer.length * 2, smallestBytes));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** A view of what has been gathered; what it shows is never written again. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
