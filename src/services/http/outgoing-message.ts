import type { Downstream } from '../../forwarding/leg.ts';
import { acknowledgeStepBytes } from '../tcp/tcp-stream.ts';
import type { WindowBudget } from '../tcp/window-budget.ts';
import type { FieldBlock } from './exchange.ts';
import { RecordKind, maxBodyRecordBytes, recordHeaderBytes } from './message-writer.ts';

/** Pieces of a body up to here are copied behind the header of their record: one frame in place of two. */
const maxCopiedBytes = 8_192;

const nothing = new Uint8Array(0);

/**
 * One direction of an exchange that is sent as a stream: records of a body, and how many octets of the message are under way. The receiver
 * acknowledges offsets in the message, counted from behind the router annotations.
 */
export class OutgoingMessage {
  readonly #downstream: Downstream;
  readonly #budget: WindowBudget;
  #sentBytes = 0;
  #acknowledgedBytes = 0;
  /** Octets of the body that are still to come; -1 = nobody knows. */
  #bodyLeft: number;
  /** Octets that the record in progress has room for. */
  #recordLeft = 0;
  #over = false;

  constructor(downstream: Downstream, budget: WindowBudget, contentLength: number) {
    this.#downstream = downstream;
    this.#budget = budget;
    this.#bodyLeft = contentLength;
  }

  /** Octets of the body that follow, once the head that says so is sent; -1 = nobody knows. */
  set bodyLength(contentLength: number) {
    this.#bodyLeft = contentLength;
  }

  /** Sections and heads. */
  send(bytes: Uint8Array, start: number, end: number): void {
    this.#count(end - start);
    this.#downstream.send(bytes, start, end, true);
  }

  #count(bytes: number): void {
    this.#sentBytes += bytes;
    this.#budget.sent(bytes);
  }

  /** Octets of the body, which must not change afterwards. False when there are more of them than was said. */
  body(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#over) return true;
    const length = end - start;
    if (this.#bodyLeft >= 0) {
      if (length > this.#bodyLeft) return false;
      this.#bodyLeft -= length;
    }
    let at = start;
    while (at < end) {
      if (this.#recordLeft > 0) {
        const stop = Math.min(end, at + this.#recordLeft);
        this.#recordLeft -= stop - at;
        this.send(bytes, at, stop);
        at = stop;
      } else if (this.#bodyLeft > 0) {
        this.#recordLeft = Math.min(maxBodyRecordBytes, this.#bodyLeft + end - at);
        this.#header(this.#recordLeft, nothing, 0, 0);
      } else if (end - at > maxCopiedBytes) {
        this.#recordLeft = end - at;
        this.#header(this.#recordLeft, nothing, 0, 0);
      } else {
        this.#header(end - at, bytes, at, end);
        at = end;
      }
    }
    return true;
  }

  /** The header of a record of body octets, and those of them that are sent with it. */
  #header(payloadBytes: number, bytes: Uint8Array, start: number, end: number): void {
    const record = recordOf(RecordKind.body, payloadBytes, bytes, start, end);
    this.send(record, 0, record.length);
  }

  /** Completes the message. False when octets of the body are missing. */
  end(trailers: FieldBlock | undefined): boolean {
    if (this.#over) return true;
    if (this.#bodyLeft > 0) return false;
    const last = trailers === undefined ? nothing : recordOf(RecordKind.trailers, trailers.length, trailers, 0, trailers.length);
    this.#count(last.length);
    this.#downstream.send(last, 0, last.length, false);
    return true;
  }

  /** True while the receiver has as much as it may have unacknowledged, or the way is full. `Upstream.relieved` or an offset changes it. */
  get full(): boolean {
    if (this.#over) return false;
    return (
      this.#sentBytes - this.#acknowledgedBytes >= Math.max(acknowledgeStepBytes, this.#budget.windowOf(this.#acknowledgedBytes)) ||
      this.#downstream.congested
    );
  }

  /** The receiver has passed on the message up to here. */
  acknowledged(offset: number): void {
    if (this.#over || offset <= this.#acknowledgedBytes || offset > this.#sentBytes) return;
    this.#budget.acknowledged(offset - this.#acknowledgedBytes);
    this.#acknowledgedBytes = offset;
  }

  /** The message is settled or given up: it holds nothing of the shared windows any more. */
  over(): void {
    if (this.#over) return;
    this.#over = true;
    this.#budget.acknowledged(this.#sentBytes - this.#acknowledgedBytes);
  }
}

/** The header of a record with so many octets of payload, and `bytes[start, end)` of it. */
function recordOf(kind: RecordKind, payloadBytes: number, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const record = new Uint8Array(recordHeaderBytes + end - start);
  const length = payloadBytes + 1;
  record[1] = 0x53;
  record[2] = 0x75;
  record[3] = 0xb0;
  record[4] = length >>> 24;
  record[5] = length >>> 16;
  record[6] = length >>> 8;
  record[7] = length;
  record[8] = kind;
  if (end > start) record.set(bytes.subarray(start, end), recordHeaderBytes);
  return record;
}

/** What a receiver has told its sender of an incoming stream. */
export class Acknowledgement {
  #receivedBytes = 0;
  #toldBytes = 0;

  received(bytes: number): void {
    this.#receivedBytes += bytes;
  }

  /** The offset to tell now, when so many octets wait here; -1 when it is too soon. */
  due(pendingBytes: number): number {
    const offset = this.#receivedBytes - pendingBytes;
    if (offset - this.#toldBytes < acknowledgeStepBytes) return -1;
    this.#toldBytes = offset;
    return offset;
  }
}
