import { ProtocolViolation } from '../base/errors.ts';
import { Code, Condition, Descriptor, FrameType } from './constants.ts';

/** A frame that arrives in pieces gets room for this many times what has arrived, so that announcing a size costs a peer its bytes. */
const partialGrowth = 8;
const minPartialBytes = 512;
/** Protocol headers and the headers of frames have the same length. */
const headerBytes = 8;
/** So much of a frame shows whether it is a transfer, and usually all of its performative. */
const prefixBytes = 128;
/** A transfer with more than this still to come is given in pieces; less is put together. */
const minRestBytes = 2048;

/** What `next` found. */
export const Unit = {
  /** Nothing that is whole yet. */
  none: 0,
  /** A protocol header or a frame. */
  whole: 1,
  /** The beginning of a transfer frame: its performative and as much of its payload as has arrived. */
  head: 2,
  /** More payload of that frame; `rest` 0 ends it. */
  piece: 3,
} as const;
export type Unit = (typeof Unit)[keyof typeof Unit];

/**
 * Cuts the stream of bytes into protocol headers and frames, §2.2 and §2.3.1:
 *
 *     frame = size:4 doff:1 type:1 channel:2 [extended header] [performative [payload]]      (size counts itself)
 *
 * A frame that lies whole in one chunk is given as a range of that chunk; one that came in pieces is put together in a buffer of its own,
 * which is never written again. The payload of a large transfer is not put together but given as it comes: no copy, and nothing to hold.
 */
export class FrameAssembler {
  /** The unit that `next` found: `bytes[start, end)`. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  unit: Unit = Unit.none;
  /** Bytes of the transfer frame that have not arrived. */
  rest = 0;
  #partial: Uint8Array | undefined;
  #length = 0;
  /** Size of the partial unit; `headerBytes` while a frame's size is not known. */
  #size = 0;

  /**
   * Looks for the next unit in `bytes[position, end)` and returns the position after what was used. `limit` is the largest frame that is
   * accepted, 0 when a protocol header is expected. Throws before anything is allocated for a frame that is too large.
   */
  next(bytes: Uint8Array, position: number, end: number, limit: number): number {
    if (this.rest > 0) {
      const next = Math.min(end, position + this.rest);
      this.rest -= next - position;
      this.#found(Unit.piece, bytes, position, next);
      return next;
    }
    if (this.#partial !== undefined) return this.#complete(this.#partial, bytes, position, end, limit);
    const available = end - position;
    if (available < headerBytes) {
      this.#keep(bytes, position, end, headerBytes);
      return end;
    }
    const size = limit === 0 ? headerBytes : frameSize(bytes, position, limit);
    if (available >= size) {
      this.#found(Unit.whole, bytes, position, position + size);
      return position + size;
    }
    if (size - available >= minRestBytes && available >= prefixBytes && isTransferHead(bytes, position, available)) {
      this.rest = size - available;
      this.#found(Unit.head, bytes, position, end);
    } else this.#keep(bytes, position, end, size);
    return end;
  }

  #found(unit: Unit, bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.unit = unit;
  }

  /** Begins a partial unit. Memory grows with what has arrived, not with what is announced. */
  #keep(bytes: Uint8Array, position: number, end: number, size: number): void {
    const length = end - position;
    const partial = new Uint8Array(Math.min(size, Math.max(minPartialBytes, length * partialGrowth)));
    partial.set(bytes.subarray(position, end));
    this.#partial = partial;
    this.#length = length;
    this.#size = size;
    this.unit = Unit.none;
  }

  #complete(partial: Uint8Array, bytes: Uint8Array, position: number, end: number, limit: number): number {
    // A large frame is first completed to the prefix that shows whether it is a transfer.
    const goal = this.#length < prefixBytes && this.#size - prefixBytes >= minRestBytes ? prefixBytes : this.#size;
    const take = Math.min(goal - this.#length, end - position);
    const length = this.#length + take;
    if (length > partial.length) {
      const grown = new Uint8Array(Math.min(this.#size, Math.max(minPartialBytes, length * partialGrowth)));
      grown.set(partial.subarray(0, this.#length));
      this.#partial = partial = grown;
    }
    partial.set(bytes.subarray(position, position + take), this.#length);
    this.#length = length;
    this.unit = Unit.none;
    if (length < goal) return position + take;
    if (goal < this.#size) {
      if (isTransferHead(partial, 0, length)) {
        this.rest = this.#size - length;
        this.#partial = undefined;
        this.#found(Unit.head, partial, 0, length);
      }
      return position + take;
    }
    if (limit > 0 && length === headerBytes) {
      this.#size = frameSize(partial, 0, limit);
      if (this.#size > headerBytes) return position + take;
    }
    this.#partial = undefined;
    this.#found(Unit.whole, partial, 0, length);
    return position + take;
  }

  /** Forgets what has arrived in part, and the last unit. */
  clear(): void {
    this.#partial = undefined;
    this.bytes = new Uint8Array(0);
    this.start = 0;
    this.end = 0;
    this.unit = Unit.none;
    this.rest = 0;
  }
}

/** Whether the frame at `at` is a transfer (`doff=2 type=0 ... 00 53 14 list`) whose performative ends within `available` bytes. */
function isTransferHead(bytes: Uint8Array, at: number, available: number): boolean {
  if (bytes[at + 4] !== 2 || bytes[at + 5] !== FrameType.amqp) return false;
  if (bytes[at + 8] !== 0 || bytes[at + 9] !== Code.smallUlong || bytes[at + 10] !== Descriptor.transfer) return false;
  return bytes[at + 11] === Code.list8 && 13 + bytes[at + 12] <= available;
}

function frameSize(bytes: Uint8Array, at: number, limit: number): number {
  const size = ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
  if (size < headerBytes) throw new ProtocolViolation(Condition.framingError, `frame size ${size} is smaller than a frame header`);
  if (size > limit) throw new ProtocolViolation(Condition.framingError, `frame of ${size} bytes; at most ${limit} are accepted`);
  return size;
}
