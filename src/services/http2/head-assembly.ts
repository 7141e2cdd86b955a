import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { maxBlockBytes, maxContinuations } from './limits.ts';

const noOctets = new Uint8Array(0);

/** A head that comes in several frames: put together until it is complete. */
export class HeadAssembly {
  streamId = 0;
  endStream = false;
  #pieces: Uint8Array[] = [];
  #length = 0;

  /** A head has begun and is not complete. */
  get isOpen(): boolean {
    return this.streamId !== 0;
  }

  begin(streamId: number, endStream: boolean): void {
    this.streamId = streamId;
    this.endStream = endStream;
  }

  /** Throws Http2Violation when it becomes too long. */
  add(bytes: Uint8Array, start: number, end: number): void {
    this.#length += end - start;
    if (this.#length > maxBlockBytes || this.#pieces.length > maxContinuations) {
      throw new Http2Violation(ErrorCode.enhanceYourCalm, 'a head that is too long');
    }
    // A copy: a view would hold all that was received with it.
    this.#pieces.push(end === start ? noOctets : bytes.slice(start, end));
  }

  /** The complete head. */
  take(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let at = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.streamId = 0;
    this.#pieces = [];
    this.#length = 0;
    return whole;
  }
}
