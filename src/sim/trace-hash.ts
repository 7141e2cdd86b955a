/** Octets of a chunk that are mixed in: its beginning tells chunks apart, and long ones are told apart by what follows from them. */
const sampledBytes = 96;

/** A fingerprint of all that happened in a run, in order: equal for two runs that went alike. */
export class TraceHash {
  #high = 0x243f6a88;
  #low = 0x85a308d3;
  readonly #float = new Float64Array(1);
  readonly #words: Uint32Array = new Uint32Array(this.#float.buffer);

  word(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x9e3779b1);
    this.#high = Math.imul(this.#high ^ (this.#low >>> 15) ^ value, 0x85ebca77);
    this.#low ^= this.#high >>> 13;
  }

  /** A time, whole or broken. */
  time(valueMs: number): void {
    this.#float[0] = valueMs;
    this.word(this.#words[0]);
    this.word(this.#words[1]);
  }

  bytes(bytes: Uint8Array): void {
    this.word(bytes.length);
    const end = Math.min(bytes.length, sampledBytes);
    for (let at = 0; at < end; at += 4) {
      this.word(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    }
  }

  get hex(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }
}
