import type { FieldBlock } from '../http/exchange.ts';
import { FieldParser, FieldsOf } from './field-parser.ts';
import { HeadBuffer, HeadKind } from './head-buffer.ts';
import { badMessage } from './http-violation.ts';
import { maxChunkLineBytes, maxContentLength, maxExtensionBytes } from './limits.ts';
import type { OctetPool } from './octet-pool.ts';
import { carriageReturn, hexValue, isValueOctet, lineFeed, semicolon } from './octets.ts';

export const ParseEvent = {
  /** All input has been read; more is needed. */
  more: 0,
  /** A head: see the parser's members. */
  head: 1,
  /** Octets of the body: `dataBytes[dataStart, dataEnd)`, views of the input. */
  data: 2,
  /** The message is complete, with `trailers`. The next call begins with the next message. */
  end: 3,
} as const;
export type ParseEvent = (typeof ParseEvent)[keyof typeof ParseEvent];

const State = {
  head: 0,
  /** `remaining` octets follow. */
  counted: 1,
  chunkLength: 2,
  chunkExtension: 3,
  chunkLineFeed: 4,
  chunkData: 5,
  chunkDataReturn: 6,
  chunkDataLineFeed: 7,
  trailers: 8,
  /** All octets until the connection ends. */
  untilClosed: 9,
  end: 10,
} as const;
type State = (typeof State)[keyof typeof State];

const nothing = new Uint8Array(0);

/**
 * Reads messages of one direction of a connection (RFC 9112): octets in, events out. The same octets give the same events however they are
 * cut, except that octets of a body come in as many pieces as the cuts make.
 *
 *     head ─► counted | chunked | until closed | nothing ─► end ─► head ...
 *
 *     chunked body = (length in hexadecimal, [";" extension], CR LF, octets, CR LF)*  "0" [";" extension] CR LF  trailer fields  CR LF
 *
 * After a violation was thrown the parser must not be used any more.
 */
export abstract class MessageParser {
  protected readonly fieldParser: FieldParser;
  readonly #head: HeadBuffer;
  readonly #maxHeaderBytes: number;
  #trailerBuffer: HeadBuffer | undefined;
  #input: Uint8Array = nothing;
  #at = 0;
  /** Input behind the current. */
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #state: State = State.head;
  #remaining = 0;
  #digits = 0;
  #lineBytes = 0;
  #extensionBytes = 0;
  #started = false;
  dataBytes: Uint8Array = nothing;
  dataStart = 0;
  dataEnd = 0;
  trailers: FieldBlock | undefined;

  constructor(pool: OctetPool, maxHeaderBytes: number, kind: HeadKind) {
    this.fieldParser = new FieldParser(pool);
    this.#maxHeaderBytes = maxHeaderBytes;
    this.#head = new HeadBuffer(maxHeaderBytes, kind);
  }

  /** Reads the head's lines, `bytes[start, end)`. Calls one of the methods below that tell what body follows. */
  protected abstract readHead(bytes: Uint8Array, start: number, end: number): void;

  protected countedBody(length: number): void {
    this.#remaining = length;
    this.#state = length === 0 ? State.end : State.counted;
  }

  protected chunkedBody(): void {
    this.#extensionBytes = 0;
    this.#startChunkLine();
  }

  protected bodyUntilClosed(): void {
    this.#state = State.untilClosed;
  }

  /** Takes input, which must not change afterwards. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#at === this.#input.length) {
      this.#input = bytes;
      this.#at = 0;
    } else {
      this.#queue.push(bytes);
      this.#queuedBytes += bytes.length;
    }
  }

  /** Octets of input that no event has been made of. */
  get waitingBytes(): number {
    return this.#input.length - this.#at + this.#queuedBytes;
  }

  /** Part of a message has been read. */
  get inMessage(): boolean {
    return this.#started || this.#state !== State.head;
  }

  /** Lets go of what was read of the last message: an idle connection holds no memory of it. */
  release(): void {
    this.fieldParser.release();
    this.trailers = undefined;
  }

  /** From now on all octets are events `data`: the connection has changed its protocol. */
  tunnel(): void {
    this.#state = State.untilClosed;
  }

  /** No more input comes. True if a message that ends with the connection is now complete, or none has begun. */
  finish(): boolean {
    return this.#state === State.untilClosed || !this.inMessage;
  }

  /** The next event. Throws HttpViolation. */
  next(): ParseEvent {
    for (;;) {
      if (this.#state === State.end) {
        this.#state = State.head;
        this.#started = false;
        return ParseEvent.end;
      }
      if (this.#at === this.#input.length && !this.#nextInput()) return ParseEvent.more;
      switch (this.#state) {
        case State.head: {
          this.#started = true;
          const next = this.#head.find(this.#input, this.#at, this.#input.length);
          if (next < 0) {
            this.#at = this.#input.length;
            break;
          }
          this.#at = next;
          this.trailers = undefined;
          const { bytes, start, end } = this.#head;
          this.#head.release();
          this.readHead(bytes, start, end);
          return ParseEvent.head;
        }
        case State.counted:
        case State.chunkData:
          return this.#countedData();
        case State.untilClosed:
          return this.#data(this.#input.length);
        case State.trailers:
          this.#readTrailers();
          break;
        default:
          this.#chunkFraming();
      }
    }
  }

  #nextInput(): boolean {
    const input = this.#queue.shift();
    if (input === undefined) {
      // A connection that waits holds no input.
      this.#input = nothing;
      this.dataBytes = nothing;
      this.#at = 0;
      return false;
    }
    this.#queuedBytes -= input.length;
    this.#input = input;
    this.#at = 0;
    return true;
  }

  #countedData(): ParseEvent {
    const length = Math.min(this.#remaining, this.#input.length - this.#at);
    this.#remaining -= length;
    if (this.#remaining === 0) this.#state = this.#state === State.counted ? State.end : State.chunkDataReturn;
    return this.#data(this.#at + length);
  }

  #data(end: number): ParseEvent {
    this.dataBytes = this.#input;
    this.dataStart = this.#at;
    this.dataEnd = end;
    this.#at = end;
    return ParseEvent.data;
  }

  #startChunkLine(): void {
    this.#state = State.chunkLength;
    this.#remaining = 0;
    this.#digits = 0;
    this.#lineBytes = 0;
  }

  /** Reads octets around a chunk's data. */
  #chunkFraming(): void {
    const input = this.#input;
    while (this.#at < input.length) {
      const octet = input[this.#at++];
      switch (this.#state) {
        case State.chunkLength: {
          const digit = hexValue[octet];
          if (digit < 16) {
            this.#remaining = this.#remaining * 16 + digit;
            if (this.#remaining > maxContentLength || ++this.#digits > 16) throw badMessage('a chunk that is too long');
          } else if (this.#digits === 0) throw badMessage('a chunk without a length');
          else if (octet === carriageReturn) this.#state = State.chunkLineFeed;
          else if (octet === semicolon) this.#state = State.chunkExtension;
          else throw badMessage('a chunk length that is no number');
          break;
        }
        case State.chunkExtension:
          if (octet === carriageReturn) this.#state = State.chunkLineFeed;
          else if (isValueOctet[octet] === 0) throw badMessage('a control octet in a chunk extension');
          else if (++this.#lineBytes > maxChunkLineBytes || ++this.#extensionBytes > maxExtensionBytes) {
            throw badMessage('chunk extensions that are too long');
          }
          break;
        case State.chunkLineFeed:
          if (octet !== lineFeed) throw badMessage('a carriage return without a line feed');
          this.#state = this.#remaining > 0 ? State.chunkData : State.trailers;
          return;
        case State.chunkDataReturn:
          if (octet !== carriageReturn) throw badMessage('a chunk that is longer than its length');
          this.#state = State.chunkDataLineFeed;
          break;
        default:
          if (octet !== lineFeed) throw badMessage('a chunk that is longer than its length');
          this.#startChunkLine();
      }
    }
  }

  #readTrailers(): void {
    this.#trailerBuffer ??= new HeadBuffer(this.#maxHeaderBytes, HeadKind.trailers);
    const next = this.#trailerBuffer.find(this.#input, this.#at, this.#input.length);
    if (next < 0) {
      this.#at = this.#input.length;
      return;
    }
    this.#at = next;
    const { bytes, start, end } = this.#trailerBuffer;
    this.#trailerBuffer.release();
    if (end > start) {
      this.fieldParser.parse(bytes, start, end, FieldsOf.trailers);
      if (this.fieldParser.fields.length > 0) this.trailers = this.fieldParser.fields;
    }
    this.#state = State.end;
  }
}
