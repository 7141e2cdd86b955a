import { ProtocolViolation } from '../base/errors.ts';

const lineFeed = 0x0a;
const initialCapacity = 4096;

/**
 * Splits a byte stream into lines of UTF-8 text that end in LF (a CR before it is dropped, empty lines are skipped).
 *
 * Call `receive` with what arrives, then `nextLine` until it gives undefined. Bytes are copied: the caller may reuse its
 * buffer at once. At most `lineLimitBytes` of an unfinished line are held; lines not yet taken are held besides, so take
 * them before the next `receive`.
 */
export class LineSplitter {
  readonly #lineLimitBytes: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  readonly #lines: string[] = [];
  #nextLine = 0;
  /** The unfinished line, in the first #length bytes. Grows by doubling, so that byte-sized pieces cost linear time. */
  #buffer = new Uint8Array(0);
  #length = 0;

  constructor(lineLimitBytes: number) {
    this.#lineLimitBytes = lineLimitBytes;
  }

  /** Takes `bytes`. Throws ProtocolViolation (`line-too-long`, `invalid-text`); nothing may be received after that. */
  receive(bytes: Uint8Array): void {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(lineFeed, start);
      const piece = bytes.subarray(start, end === -1 ? bytes.length : end);
      this.#append(piece);
      if (end === -1) return;
      this.#finishLine();
      start = end + 1;
    }
  }

  /** The next whole line without its end, or undefined when there is none yet. */
  nextLine(): string | undefined {
    const line = this.#lines[this.#nextLine];
    if (line === undefined) return undefined;
    this.#nextLine++;
    if (this.#nextLine === this.#lines.length) {
      this.#lines.length = 0;
      this.#nextLine = 0;
    }
    return line;
  }

  #append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > this.#lineLimitBytes) {
      throw new ProtocolViolation('line-too-long', `a line is longer than ${this.#lineLimitBytes} bytes`);
    }
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(initialCapacity, length, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = length;
  }

  #finishLine(): void {
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    let line: string;
    try {
      line = this.#decoder.decode(bytes);
    } catch {
      throw new ProtocolViolation('invalid-text', 'a line is not UTF-8 text');
    }
    if (line.endsWith('\r')) line = line.slice(0, -1);
    if (line.length > 0) this.#lines.push(line);
  }
}
