import { ProtocolViolation } from '../../base/errors.ts';

/*
 * Between two hosts' daemons, over TLS:  u32 length in network order | so many octets of UTF-8, one JSON text
 */

const lengthBytes = 4;

export function encodeFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(lengthBytes + bytes);
  frame.writeUInt32BE(bytes, 0);
  frame.write(text, lengthBytes);
  return frame;
}

/** Cuts a stream into texts. Memory follows what has come, not what was announced. */
export class FrameReader {
  readonly #limitBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  /** `limitBytes`: of the longest text. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Texts that are whole now. Throws ProtocolViolation. */
  *receive(bytes: Uint8Array): Iterable<string> {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= lengthBytes) {
      const [first] = this.#parts;
      // Usually the whole frame is in one part.
      const head = first !== undefined && first.length >= lengthBytes ? first : this.#join();
      const length = new DataView(head.buffer, head.byteOffset, lengthBytes).getUint32(0);
      if (length > this.#limitBytes)
        throw new ProtocolViolation('frame-length', `a frame of ${length} octets is longer than ${this.#limitBytes}`);
      if (this.#length < lengthBytes + length) return;
      const joined = this.#join();
      const text = new TextDecoder().decode(joined.subarray(lengthBytes, lengthBytes + length));
      const rest = joined.subarray(lengthBytes + length);
      this.#parts = rest.length === 0 ? [] : [rest];
      this.#length = rest.length;
      yield text;
    }
  }

  #join(): Uint8Array {
    const [first] = this.#parts;
    if (this.#parts.length === 1 && first !== undefined) return first;
    const joined = Buffer.concat(this.#parts);
    this.#parts = [joined];
    return joined;
  }
}
