import { badMessage, HttpViolation } from './http-violation.ts';
import { maxRequestLineBytes } from './limits.ts';
import { carriageReturn, lineFeed } from './octets.ts';

/** What stands in front of the empty line. */
export const HeadKind = {
  /** A request: one empty line before it is passed over, its first line has a limit of its own. */
  request: 0,
  response: 1,
  trailers: 2,
} as const;
export type HeadKind = (typeof HeadKind)[keyof typeof HeadKind];

/**
 * Finds the end of a head: lines that end with CR LF, up to the first empty one. A head that is whole in one piece of input stays there;
 * of one that is cut, the parts are gathered. Octets are looked at once however the input is cut, and in order, so the same input gives the
 * same result.
 */
export class HeadBuffer {
  readonly #maxBytes: number;
  readonly #kind: HeadKind;
  /** Where the head is, once found: its lines are `bytes[start, end)`, without the empty line. */
  bytes: Uint8Array = nothing;
  start = 0;
  end = 0;
  /** Parts of a head that is not complete. */
  #gathered: Uint8Array = nothing;
  #gatheredBytes = 0;
  /** Relative to the head's first octet. */
  #scanned = 0;
  #lineStart = 0;
  #headStart = 0;
  #lines = 0;
  #emptyLines = 0;

  constructor(maxBytes: number, kind: HeadKind) {
    this.#maxBytes = maxBytes;
    this.#kind = kind;
  }

  /** Octets of an incomplete head. */
  get gatheredBytes(): number {
    return this.#gatheredBytes;
  }

  /** Looks on in `input[from, to)`. Returns the position behind the head, or -1 when all was taken and more is needed. */
  find(input: Uint8Array, from: number, to: number): number {
    if (this.#gatheredBytes === 0) {
      const end = this.#scan(input, from, to);
      if (end >= 0) return this.#found(input, from, from + end);
      this.#gather(input, from, to);
      return -1;
    }
    const before = this.#gatheredBytes;
    // No more than can be part of a head is looked at.
    const upTo = Math.min(to, from + this.#maxBytes - before);
    this.#gather(input, from, upTo);
    const end = this.#scan(this.#gathered, 0, this.#gatheredBytes);
    if (end < 0) return -1;
    this.#found(this.#gathered, 0, end);
    return from + (end - before);
  }

  #found(bytes: Uint8Array, base: number, next: number): number {
    this.bytes = bytes;
    this.start = base + this.#headStart;
    this.end = next - 2;
    this.#gathered = nothing;
    this.#gatheredBytes = 0;
    this.#scanned = 0;
    this.#lineStart = 0;
    this.#headStart = 0;
    this.#lines = 0;
    this.#emptyLines = 0;
    return next;
  }

  /** Lets go of the head. */
  release(): void {
    this.bytes = nothing;
  }

  /** Scans `bytes[base + scanned, to)`; returns the end of the head relative to base, or -1. */
  #scan(bytes: Uint8Array, base: number, to: number): number {
    const limit = Math.min(to, base + this.#maxBytes);
    let at = base + this.#scanned;
    let lineStart = base + this.#lineStart;
    for (; at < limit; at++) {
      if (bytes[at] !== lineFeed) continue;
      if (this.#lines === 0) this.#checkFirstLine(at - base - this.#headStart);
      if (at === lineStart || bytes[at - 1] !== carriageReturn) throw badMessage('a line feed without a carriage return');
      if (at - lineStart === 1) {
        if (this.#lines > 0 || this.#kind !== HeadKind.request) return at + 1 - base;
        if (this.#emptyLines++ > 0) throw badMessage('empty lines in place of a request');
        this.#headStart = at + 1 - base;
      } else this.#lines++;
      lineStart = at + 1;
    }
    this.#scanned = at - base;
    this.#lineStart = lineStart - base;
    if (this.#lines === 0) this.#checkFirstLine(this.#scanned - this.#headStart);
    if (this.#scanned >= this.#maxBytes) throw new HttpViolation(431, `a head of more than ${this.#maxBytes} octets`);
    return -1;
  }

  #checkFirstLine(length: number): void {
    if (this.#kind === HeadKind.request && length > maxRequestLineBytes) {
      throw new HttpViolation(414, `a request line of more than ${maxRequestLineBytes} octets`);
    }
  }

  #gather(input: Uint8Array, from: number, to: number): void {
    const length = this.#gatheredBytes + (to - from);
    if (this.#gathered.length < length) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.#maxBytes, 2 * this.#gathered.length), 512));
      larger.set(this.#gathered.subarray(0, this.#gatheredBytes));
      this.#gathered = larger;
    }
    this.#gathered.set(input.subarray(from, to), this.#gatheredBytes);
    this.#gatheredBytes = length;
  }
}

const nothing = new Uint8Array(0);
