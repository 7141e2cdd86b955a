import { assert } from '../base/errors.ts';
import { Code } from './constants.ts';

const encoder = new TextEncoder();

/**
 * Writes AMQP encodings (§1.6) into a buffer that grows. Compounds are written with 32-bit sizes and patched when they end.
 * `written()` is a view that is valid until the next call; `take()` gives a copy that the caller owns.
 */
export class ValueWriter {
  bytes: Uint8Array;
  length = 0;
  readonly #open: number[] = [];

  constructor(capacity = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  reset(): void {
    this.length = 0;
    this.#open.length = 0;
  }

  written(): Uint8Array {
    assert(this.#open.length === 0, 'a compound is still open');
    return this.bytes.subarray(0, this.length);
  }

  take(): Uint8Array {
    assert(this.#open.length === 0, 'a compound is still open');
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  #uint32(value: number): void {
    const bytes = this.bytes;
    let at = this.length;
    bytes[at++] = value >>> 24;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.length = at;
  }

  /** Bytes that are an encoding already (or an octet stream after the last section). */
  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  null(): void {
    this.byte(Code.null);
  }

  boolean(value: boolean): void {
    this.byte(value ? Code.true : Code.false);
  }

  ubyte(value: number): void {
    this.reserve(2);
    this.bytes[this.length++] = Code.ubyte;
    this.bytes[this.length++] = value;
  }

  ushort(value: number): void {
    this.reserve(3);
    this.bytes[this.length++] = Code.ushort;
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  uint(value: number): void {
    this.reserve(5);
    if (value === 0) this.bytes[this.length++] = Code.uint0;
    else if (value < 256) {
      this.bytes[this.length++] = Code.smallUint;
      this.bytes[this.length++] = value;
    } else {
      this.bytes[this.length++] = Code.uint;
      this.#uint32(value);
    }
  }

  /** An integer in [0, 2^53). */
  ulong(value: number): void {
    this.reserve(9);
    if (value === 0) this.bytes[this.length++] = Code.ulong0;
    else if (value < 256) {
      this.bytes[this.length++] = Code.smallUlong;
      this.bytes[this.length++] = value;
    } else {
      this.bytes[this.length++] = Code.ulong;
      this.#uint32(Math.floor(value / 0x1_0000_0000));
      this.#uint32(value % 0x1_0000_0000);
    }
  }

  int(value: number): void {
    this.reserve(5);
    if (value >= -128 && value < 128) {
      this.bytes[this.length++] = Code.smallInt;
      this.bytes[this.length++] = value;
    } else {
      this.bytes[this.length++] = Code.int;
      this.#uint32(value);
    }
  }

  /** A safe integer. */
  long(value: number): void {
    this.reserve(9);
    if (value >= -128 && value < 128) {
      this.bytes[this.length++] = Code.smallLong;
      this.bytes[this.length++] = value;
    } else {
      this.bytes[this.length++] = Code.long;
      this.#uint32(Math.floor(value / 0x1_0000_0000));
      this.#uint32(value - Math.floor(value / 0x1_0000_0000) * 0x1_0000_0000);
    }
  }

  double(value: number): void {
    this.reserve(9);
    this.bytes[this.length++] = Code.double;
    new DataView(this.bytes.buffer, this.bytes.byteOffset + this.length, 8).setFloat64(0, value);
    this.length += 8;
  }

  string(text: string): void {
    this.#text(text, Code.string8, Code.string32);
  }

  symbol(text: string): void {
    this.#text(text, Code.symbol8, Code.symbol32);
  }

  #text(text: string, code8: number, code32: number): void {
    // UTF-8 takes at most 3 bytes for each UTF-16 unit.
    this.reserve(5 + text.length * 3);
    if (text.length * 3 < 256) {
      const { written } = encoder.encodeInto(text, this.bytes.subarray(this.length + 2));
      this.bytes[this.length] = code8;
      this.bytes[this.length + 1] = written;
      this.length += 2 + written;
      return;
    }
    const { written } = encoder.encodeInto(text, this.bytes.subarray(this.length + 5));
    this.bytes[this.length++] = code32;
    this.#uint32(written);
    this.length += written;
  }

  binary(source: Uint8Array): void {
    this.reserve(5 + source.length);
    if (source.length < 256) {
      this.bytes[this.length++] = Code.binary8;
      this.bytes[this.length++] = source.length;
    } else {
      this.bytes[this.length++] = Code.binary32;
      this.#uint32(source.length);
    }
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** The start of a described value; the value follows. */
  descriptor(code: number): void {
    this.byte(Code.described);
    this.ulong(code);
  }

  /** Starts a list; elements follow, then `end(count)`. */
  list(): void {
    this.#begin(Code.list32);
  }

  /** Starts a map; keys and values follow in turn, then `end(2 × entries)`. */
  map(): void {
    this.#begin(Code.map32);
  }

  #begin(code: number): void {
    this.reserve(9);
    this.bytes[this.length++] = code;
    this.#open.push(this.length);
    this.length += 8;
  }

  /** Ends the innermost list or map, which has `count` elements. */
  end(count: number): void {
    const at = this.#open.pop();
    assert(at !== undefined, 'no compound is open');
    const end = this.length;
    this.length = at;
    this.#uint32(end - at - 4);
    this.#uint32(count);
    this.length = end;
  }

  /** An array of symbols (§1.6.24), as capabilities are sent. */
  symbolArray(symbols: readonly string[]): void {
    this.reserve(10);
    this.bytes[this.length++] = Code.array32;
    const at = this.length;
    this.length += 8;
    this.bytes[this.length++] = Code.symbol32;
    for (const symbol of symbols) {
      this.reserve(4 + symbol.length * 3);
      const { written } = encoder.encodeInto(symbol, this.bytes.subarray(this.length + 4));
      this.#uint32(written);
      this.length += written;
    }
    const end = this.length;
    this.length = at;
    this.#uint32(end - at - 4);
    this.#uint32(symbols.length);
    this.length = end;
  }
}
