/**
 * How datagrams follow each other in a message, straight behind the mark of its body, without sections. Each is a record:
 *
 *     u16 length | length octets
 *
 * Frames cut records anywhere. A datagram may have no octets. What a message ends with in the middle of a record is dropped.
 */
export const recordHeaderBytes = 2;

/** Writes a record at `position` and returns where it ends. */
export function writeRecord(target: Uint8Array, position: number, datagram: Uint8Array): number {
  const { length } = datagram;
  target[position] = length >> 8;
  target[position + 1] = length & 0xff;
  target.set(datagram, position + recordHeaderBytes);
  return position + recordHeaderBytes + length;
}

/** Takes a datagram, `bytes[start, end)`, which is never written again. */
export interface DatagramSink {
  datagram(bytes: Uint8Array, start: number, end: number): void;
}

/** Reads records from frames. Datagrams that lie in one frame are given as views of it; others are put together. */
export class RecordReader {
  readonly #sink: DatagramSink;
  /** What is left to skip of the head of the message. */
  #headBytes: number;
  /** A record that has begun in an earlier frame: as many of its octets as have come, header included. */
  #partial: Uint8Array | undefined;
  #partialBytes = 0;
  /** The first octet of a header that was cut in two. */
  #header = -1;
  /** Octets of records so far. */
  bytes = 0;

  constructor(sink: DatagramSink, headBytes: number) {
    this.#sink = sink;
    this.#headBytes = headBytes;
  }

  read(bytes: Uint8Array, start: number, end: number): void {
    let position = start;
    if (this.#headBytes > 0) {
      const skipped = Math.min(this.#headBytes, end - position);
      this.#headBytes -= skipped;
      position += skipped;
    }
    this.bytes += end - position;
    if (this.#header >= 0 || this.#partial !== undefined) position = this.#continue(bytes, position, end);
    while (position < end) {
      if (end - position < recordHeaderBytes) {
        this.#header = bytes[position];
        return;
      }
      const length = (bytes[position] << 8) | bytes[position + 1];
      position += recordHeaderBytes;
      if (end - position < length) {
        this.#begin(length);
        this.#continue(bytes, position, end);
        return;
      }
      this.#sink.datagram(bytes, position, position + length);
      position += length;
    }
  }

  #begin(length: number): void {
    this.#partial = new Uint8Array(length);
    this.#partialBytes = 0;
  }

  /** Goes on with what an earlier frame has begun; returns where the next record starts. */
  #continue(bytes: Uint8Array, start: number, end: number): number {
    let position = start;
    if (this.#header >= 0) {
      if (position === end) return end;
      this.#begin((this.#header << 8) | bytes[position]);
      this.#header = -1;
      position++;
    }
    const partial = this.#partial;
    if (partial === undefined) return position;
    const taken = Math.min(partial.length - this.#partialBytes, end - position);
    partial.set(bytes.subarray(position, position + taken), this.#partialBytes);
    this.#partialBytes += taken;
    position += taken;
    if (this.#partialBytes === partial.length) {
      this.#partial = undefined;
      this.#sink.datagram(partial, 0, partial.length);
    }
    return position;
  }
}
