import { ProtocolViolation } from '../../base/errors.ts';
import { Condition } from '../../amqp/constants.ts';
import { maxFieldBytes } from './exchange.ts';
import { RecordKind, recordHeaderBytes } from './message-writer.ts';

/** Largest payload of a record that is no body: fields as received, those that the network adds, and texts of a request head. */
export const maxHeadRecordBytes: number = 3 * maxFieldBytes;

/** Gets the records of a message, in order. */
export interface RecordHandler {
  /** A whole record other than body octets: its payload is `bytes[start, end)`, never written again. */
  record(kind: number, bytes: Uint8Array, start: number, end: number): void;
  /** Octets of the body, as they come. */
  body(bytes: Uint8Array, start: number, end: number): void;
}

/**
 * Finds the records in a message that comes in pieces cut anywhere. Octets of bodies are passed on as views; records that are cut are put
 * together in a buffer of their own, whose size is checked first.
 */
export class RecordReader {
  readonly #handler: RecordHandler;
  /** Octets before the first record. */
  #skip: number;
  /** Octets of body that belong to the current record. */
  #bodyLeft = 0;
  /** A record, or its first octets, that is cut. */
  #gathered: Uint8Array | undefined;
  #gatheredBytes = 0;
  /** Octets of `#gathered` that are needed: at first those that tell the length. */
  #neededBytes = 0;

  constructor(handler: RecordHandler, skip: number) {
    this.#handler = handler;
    this.#skip = skip;
  }

  /** Whether a record is cut: a message must not end so. */
  get inRecord(): boolean {
    return this.#skip > 0 || this.#bodyLeft > 0 || this.#gathered !== undefined;
  }

  /** Throws ProtocolViolation, after which nothing may be read any more. */
  read(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, end - at);
      this.#skip -= skipped;
      at += skipped;
    }
    while (at < end) {
      if (this.#bodyLeft > 0) at = this.#body(bytes, at, end);
      else if (this.#gathered !== undefined || end - at < recordHeaderBytes) at = this.#gather(bytes, at, end);
      else at = this.#record(bytes, at, end);
    }
  }

  #body(bytes: Uint8Array, at: number, end: number): number {
    const stop = Math.min(end, at + this.#bodyLeft);
    this.#bodyLeft -= stop - at;
    this.#handler.body(bytes, at, stop);
    return stop;
  }

  /** A record whose first octets are all here. */
  #record(bytes: Uint8Array, at: number, end: number): number {
    const payloadBytes = payloadLength(bytes, at);
    const kind = bytes[at + 8];
    const payload = at + recordHeaderBytes;
    if (kind === RecordKind.body) {
      this.#bodyLeft = payloadBytes;
      return payload;
    }
    if (payload + payloadBytes > end) return this.#gather(bytes, at, end);
    this.#handler.record(kind, bytes, payload, payload + payloadBytes);
    return payload + payloadBytes;
  }

  #gather(bytes: Uint8Array, at: number, end: number): number {
    let gathered = this.#gathered;
    if (gathered === undefined) {
      this.#neededBytes = recordHeaderBytes;
      this.#gatheredBytes = 0;
      gathered = new Uint8Array(recordHeaderBytes);
      this.#gathered = gathered;
    }
    const stop = Math.min(end, at + this.#neededBytes - this.#gatheredBytes);
    gathered.set(bytes.subarray(at, stop), this.#gatheredBytes);
    this.#gatheredBytes += stop - at;
    if (this.#gatheredBytes < this.#neededBytes) return stop;
    const kind = gathered[8];
    const payloadBytes = payloadLength(gathered, 0);
    if (kind === RecordKind.body) {
      this.#gathered = undefined;
      this.#bodyLeft = payloadBytes;
    } else if (this.#neededBytes === recordHeaderBytes && payloadBytes > 0) {
      this.#neededBytes = recordHeaderBytes + payloadBytes;
      const larger = new Uint8Array(this.#neededBytes);
      larger.set(gathered);
      this.#gathered = larger;
    } else {
      this.#gathered = undefined;
      this.#handler.record(kind, gathered, recordHeaderBytes, this.#neededBytes);
    }
    return stop;
  }
}

/** Octets of payload of the record at `at`, of which the first octets are there. */
function payloadLength(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== 0x00 || bytes[at + 1] !== 0x53 || bytes[at + 2] !== 0x75 || bytes[at + 3] !== 0xb0) {
    throw new ProtocolViolation(Condition.decodeError, 'a record is expected');
  }
  const length = ((bytes[at + 4] << 24) | (bytes[at + 5] << 16) | (bytes[at + 6] << 8) | bytes[at + 7]) >>> 0;
  if (length === 0) throw new ProtocolViolation(Condition.decodeError, 'a record without a kind');
  if (bytes[at + 8] !== RecordKind.body && length - 1 > maxHeadRecordBytes) {
    throw new ProtocolViolation(Condition.decodeError, `a record of ${length} octets; at most ${maxHeadRecordBytes} are accepted`);
  }
  return length - 1;
}
