/** Small enough that one long-lived block does not hold much more than itself; large enough for some 25 heads. */
const poolBytes = 8_192;
/** Longer ones get memory of their own. */
const largestPooledBytes = 2_048;

/**
 * Gives pieces of memory that is allocated in larger parts: an allocation costs as much as parsing the head that goes into it.
 * Pieces are never written again. Shared by the connections of one listener or one pool.
 */
export class OctetPool {
  /** Where the reserved octets are. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The first of them. */
  start = 0;

  /** Makes room for `length` octets at `bytes[start]`, until `take` or the next `reserve`. */
  reserve(length: number): void {
    if (this.bytes.length - this.start >= length) return;
    this.bytes = new Uint8Array(length > largestPooledBytes ? length : poolBytes);
    this.start = 0;
  }

  /** Keeps what was written up to `end`. */
  keep(end: number): void {
    this.start = end;
  }

  /** Keeps what was written up to `end` and gives a view of it. */
  take(end: number): Uint8Array {
    const piece = this.bytes.subarray(this.start, end);
    this.start = end;
    return piece;
  }
}
