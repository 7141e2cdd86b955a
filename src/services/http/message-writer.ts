import type { FieldBlock } from './exchange.ts';

/** Marks a message whose body is records of one direction of an HTTP exchange. */
export const httpContentType = 'application/vnd.caravan.http';

/**
 * A message's body is records, each a data section of its own, so that the message is valid AMQP:
 *
 *     00 53 75 b0  u32 length  u8 kind  payload      length counts kind and payload
 *
 * A request is a request head, body octets in any number of records, and perhaps trailers; an answer is any number of interim heads, an
 * answer head, body and trailers. The end of the message is the end of the body: with an upgrade, of that direction.
 */
export const RecordKind = { requestHead: 1, interimHead: 2, answerHead: 3, body: 4, trailers: 5, watch: 16, servers: 17 } as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Octets of a record before its payload. */
export const recordHeaderBytes = 9;
/** Largest payload of one record of body octets: bodies of a known length are one record up to here. */
export const maxBodyRecordBytes = 1_073_741_824;

const encoder = new TextEncoder();
const contentTypeBytes = encoder.encode(httpContentType);
/** application-properties {"V": uint 1} */
const version = Uint8Array.of(0x00, 0x53, 0x74, 0xc1, 0x06, 0x02, 0xa1, 0x01, 0x56, 0x52, 0x01);

/**
 * Messages are written one behind another into blocks of this size, which are never written again: a small buffer for each message would
 * cost more than the message. Who keeps a message keeps its block.
 */
const blockBytes = 16_384;
/** A message is begun where it has so much room: most are shorter. */
const usualBytes = 2_048;

/** Octets that are never written again. */
export interface Octets {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Writes messages: `reset`, sections and records, and then `take`. One for all messages that begin at a place. */
export class MessageWriter {
  bytes: Uint8Array = new Uint8Array(blockBytes);
  /** Where the next octet goes. */
  length = 0;
  /** Where the present message starts. */
  #start = 0;

  /** Starts a message. */
  reset(): void {
    if (this.bytes.length !== blockBytes || this.#start + usualBytes > blockBytes) {
      this.bytes = new Uint8Array(blockBytes);
      this.#start = 0;
    }
    this.length = this.#start;
  }

  /** Octets of the message so far. */
  get written(): number {
    return this.length - this.#start;
  }

  take(): Octets {
    const message = { bytes: this.bytes, start: this.#start, end: this.length };
    this.#start = this.length;
    return message;
  }

  /** Makes room for `count` more octets. Places in the message stay what they are. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(this.#start, this.length), this.#start);
    this.bytes = grown;
  }

  // ---- numbers and texts; room has been reserved ----

  uint8(value: number): void {
    this.bytes[this.length++] = value;
  }

  uint16(value: number): void {
    this.bytes[this.length++] = value >>> 8;
    this.bytes[this.length++] = value;
  }

  uint32(value: number): void {
    const { bytes } = this;
    let at = this.length;
    bytes[at++] = value >>> 24;
    bytes[at++] = value >>> 16;
    bytes[at++] = value >>> 8;
    bytes[at++] = value;
    this.length = at;
  }

  /** Writes a text as UTF-8, for which three octets a character have been reserved, and returns how many it took. */
  text(text: string): number {
    const { bytes } = this;
    const start = this.length;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) {
        const { written } = encoder.encodeInto(text, bytes.subarray(start));
        this.length = start + written;
        return written;
      }
      bytes[start + index] = code;
    }
    this.length = start + text.length;
    return text.length;
  }

  /** Octets as they are. */
  raw(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    this.reserve(count);
    // Below some hundred octets a loop is faster than a view and a call.
    if (count < 64) for (let index = 0; index < count; index++) this.bytes[this.length + index] = source[start + index];
    else this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), this.length);
    this.length += count;
  }

  // ---- sections ----

  /** The sections before the records: properties [,, to,, reply-to, correlation-id, content-type] and the version of the records. */
  sections(to: string, replyTo: string | null, correlationId: string | null): void {
    this.reserve(64 + 3 * (to.length + (replyTo?.length ?? 0) + (correlationId?.length ?? 0)) + contentTypeBytes.length + version.length);
    const { bytes } = this;
    bytes[this.length++] = 0x00;
    bytes[this.length++] = 0x53;
    bytes[this.length++] = 0x73;
    bytes[this.length++] = 0xd0;
    const sizeAt = this.length;
    this.length += 4;
    this.uint32(7);
    this.uint16(0x4040);
    this.#amqpString(to);
    bytes[this.length++] = 0x40;
    this.#amqpString(replyTo);
    this.#amqpString(correlationId);
    bytes[this.length++] = 0xa1;
    bytes[this.length++] = contentTypeBytes.length;
    this.raw(contentTypeBytes, 0, contentTypeBytes.length);
    this.#patch(sizeAt, this.length - sizeAt - 4);
    this.raw(version, 0, version.length);
  }

  #amqpString(text: string | null): void {
    if (text === null) {
      this.bytes[this.length++] = 0x40;
      return;
    }
    const start = this.length;
    // The short form is right nearly always; a text that turns out longer is written once more.
    this.length = start + 2;
    let count = this.text(text);
    if (count < 256) {
      this.bytes[start] = 0xa1;
      this.bytes[start + 1] = count;
      return;
    }
    this.length = start + 5;
    count = this.text(text);
    this.bytes[start] = 0xb1;
    this.#patch(start + 1, count);
  }

  #patch(at: number, value: number): void {
    const end = this.length;
    this.length = at;
    this.uint32(value);
    this.length = end;
  }

  // ---- records ----

  /** Starts a record of which the payload follows, and returns its place for `endRecord`. */
  beginRecord(kind: RecordKind): number {
    const start = this.length;
    this.recordHeader(kind, 0);
    return start;
  }

  endRecord(start: number): void {
    this.#patch(start + 4, this.length - start - 8);
  }

  /** The start of a record with so many octets of payload. */
  recordHeader(kind: RecordKind, payloadBytes: number): void {
    this.reserve(recordHeaderBytes);
    this.uint32(0x005375b0);
    this.uint32(payloadBytes + 1);
    this.uint8(kind);
  }

  trailers(fields: FieldBlock): void {
    this.recordHeader(RecordKind.trailers, fields.length);
    this.raw(fields, 0, fields.length);
  }
}
