import { octetsOf } from '../http1/octets.ts';
import { FrameFlag, FrameType, frameHeaderBytes, readUint31 } from './frames.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { maxFrameBytes } from './limits.ts';

/** What a client says before its first frame (RFC 9113 §3.4). */
export const preface: Uint8Array = octetsOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export const FrameEvent = {
  /** More input is needed. */
  more: 0,
  /** A frame other than DATA, with its whole payload. */
  frame: 1,
  /** A piece of a DATA frame. */
  data: 2,
} as const;
export type FrameEvent = (typeof FrameEvent)[keyof typeof FrameEvent];

const noOctets = new Uint8Array(0);

/**
 * Cuts what is received into frames. DATA is given as it comes, as views; other frames are given as a whole, and kept until then when they come
 * in pieces. After `push`, `next` until it wants more.
 */
export class FrameReader {
  #bytes: Uint8Array = noOctets;
  #at = 0;
  #prefaceLeft: number;
  /** Of a frame's header, when it comes in pieces. */
  readonly #header: Uint8Array = new Uint8Array(frameHeaderBytes);
  #headerFill = 0;
  /** A frame's header has been read, its payload has not. */
  #inFrame = false;
  /** Of a payload other than DATA that comes in pieces. */
  #held: Uint8Array = noOctets;
  #heldFill = 0;
  /** Of DATA: octets that are to come, and padding behind them; -1 = the padding's length is to be read. */
  #dataLeft = 0;
  #paddingLeft = 0;
  /** No piece of the next DATA frame was given. */
  #isFresh = true;
  // The present frame.
  type = 0;
  flags = 0;
  streamId = 0;
  /** Of the payload, padding included. */
  length = 0;
  /** Octets of DATA in it, without padding. */
  payloadBytes = 0;
  /** What `next` gave: the payload, or the piece of DATA. */
  bytes: Uint8Array = noOctets;
  start = 0;
  end = 0;
  /** Of a piece of DATA: the first or the last of its frame. */
  isFirst = false;
  isLast = false;
  /** Frames whose header has been read. */
  frames = 0;

  /** `expectsPreface`: at a server. */
  constructor(expectsPreface: boolean) {
    this.#prefaceLeft = expectsPreface ? preface.length : 0;
  }

  /** Something of a frame other than DATA has come, and the rest has not. */
  get isInside(): boolean {
    return this.#prefaceLeft > 0 || this.#headerFill > 0 || (this.#inFrame && this.type !== FrameType.data);
  }

  push(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#at = 0;
  }

  /** Throws Http2Violation. */
  next(): FrameEvent {
    if (this.#prefaceLeft > 0) this.#preface();
    if (!this.#inFrame && !this.#nextHeader()) return this.#more();
    return this.type === FrameType.data ? this.#data() : this.#payload();
  }

  #more(): FrameEvent {
    this.#bytes = noOctets;
    this.#at = 0;
    this.bytes = noOctets;
    return FrameEvent.more;
  }

  #preface(): void {
    const bytes = this.#bytes;
    while (this.#prefaceLeft > 0 && this.#at < bytes.length) {
      if (bytes[this.#at++] !== preface[preface.length - this.#prefaceLeft]) {
        throw new Http2Violation(ErrorCode.protocolError, 'octets that are not HTTP/2');
      }
      this.#prefaceLeft--;
    }
  }

  #nextHeader(): boolean {
    const bytes = this.#bytes;
    let from = bytes;
    let at = this.#at;
    if (this.#headerFill === 0 && bytes.length - at >= frameHeaderBytes) this.#at = at + frameHeaderBytes;
    else {
      while (this.#headerFill < frameHeaderBytes && this.#at < bytes.length) this.#header[this.#headerFill++] = bytes[this.#at++];
      if (this.#headerFill < frameHeaderBytes) return false;
      this.#headerFill = 0;
      from = this.#header;
      at = 0;
    }
    this.length = (from[at] << 16) | (from[at + 1] << 8) | from[at + 2];
    this.type = from[at + 3];
    this.flags = from[at + 4];
    this.streamId = readUint31(from, at + 5);
    this.frames++;
    if (this.length > maxFrameBytes) throw new Http2Violation(ErrorCode.frameSizeError, 'a frame that is too long');
    this.#inFrame = true;
    if (this.type === FrameType.data) {
      this.#dataLeft = this.length;
      this.payloadBytes = this.length;
      this.#paddingLeft = (this.flags & FrameFlag.padded) === 0 ? 0 : -1;
    }
    return true;
  }

  #payload(): FrameEvent {
    const bytes = this.#bytes;
    const { length } = this;
    const there = bytes.length - this.#at;
    if (this.#heldFill === 0 && there >= length) {
      this.bytes = bytes;
      this.start = this.#at;
      this.#at += length;
      this.end = this.#at;
      this.#inFrame = false;
      return FrameEvent.frame;
    }
    if (this.#heldFill === 0) {
      if (there === 0) return this.#more();
      this.#held = new Uint8Array(length);
    }
    const taken = Math.min(there, length - this.#heldFill);
    this.#held.set(bytes.subarray(this.#at, this.#at + taken), this.#heldFill);
    this.#heldFill += taken;
    this.#at += taken;
    if (this.#heldFill < length) return this.#more();
    this.bytes = this.#held;
    this.start = 0;
    this.end = length;
    this.#held = noOctets;
    this.#heldFill = 0;
    this.#inFrame = false;
    return FrameEvent.frame;
  }

  #data(): FrameEvent {
    const bytes = this.#bytes;
    if (this.#paddingLeft < 0) {
      if (this.length === 0) throw new Http2Violation(ErrorCode.frameSizeError, 'DATA without the length of its padding');
      if (this.#at >= bytes.length) return this.#more();
      this.#paddingLeft = bytes[this.#at++];
      this.#dataLeft = this.length - 1 - this.#paddingLeft;
      this.payloadBytes = this.#dataLeft;
      if (this.#dataLeft < 0) throw new Http2Violation(ErrorCode.protocolError, 'more padding than there is place for');
    }
    const there = bytes.length - this.#at;
    if (there === 0 && this.#dataLeft + this.#paddingLeft > 0) return this.#more();
    const taken = Math.min(there, this.#dataLeft);
    this.bytes = bytes;
    this.start = this.#at;
    this.end = this.#at + taken;
    this.#dataLeft -= taken;
    this.#at = this.end;
    if (this.#dataLeft === 0) {
      const padding = Math.min(bytes.length - this.#at, this.#paddingLeft);
      this.#paddingLeft -= padding;
      this.#at += padding;
    }
    this.isLast = this.#dataLeft + this.#paddingLeft === 0;
    this.isFirst = this.#isFresh;
    this.#isFresh = this.isLast;
    if (this.isLast) this.#inFrame = false;
    return FrameEvent.data;
  }
}
