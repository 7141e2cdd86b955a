import type { StreamSocket } from '../../base/stream-socket.ts';
import { ExchangeFailure } from '../http/exchange.ts';
import type { FieldBlock, Responder, ResponseHead } from '../http/exchange.ts';
import { chunkEnd } from './head-writer.ts';
import type { AnswerFraming, HeadWriter } from './head-writer.ts';
import type { DateLine } from './http-date.ts';

/** Octets up to this many are copied to form one piece with what frames them. */
const copiedChunkBytes = 1_536;
/** Likewise without a frame: beyond some hundred octets a piece of its own costs less than the loop that copies it. */
const copiedBodyBytes = 512;

/** How the octets of an answer's body are framed. */
const Extent = { none: 0, counted: 1, chunked: 2, untilClosed: 3, tunnel: 4 } as const;
type Extent = (typeof Extent)[keyof typeof Extent];

/** What an answer must know of its request. */
export interface AnsweredRequest {
  readonly method: string;
  /** The client speaks HTTP/1.0. */
  readonly isOld: boolean;
  readonly acceptsTrailers: boolean;
  /** The protocol that it asked for, or empty. */
  readonly upgrade: string;
}

/** The connection of an answer. */
export interface AnswerOwner {
  /** Whether the connection is kept behind an answer that starts now. */
  mayKeep(): boolean;
  /** The head was written; the connection is closed behind the answer unless `keep`. */
  answerStarted(keep: boolean, upgraded: boolean): void;
  answerEnded(): void;
  /** No answer comes, and nothing of one has been written. */
  answerFailed(failure: ExchangeFailure, reason: string): void;
  /** The answer cannot be completed. */
  answerCut(): void;
  requestRelieved(): void;
  continueSent(): void;
}

/** Writes one answer to a client. */
export class ServerAnswer implements Responder {
  #owner: AnswerOwner | undefined;
  readonly #socket: StreamSocket;
  readonly #writer: HeadWriter;
  readonly #dateLine: DateLine;
  readonly #request: AnsweredRequest;
  #extent: Extent = Extent.none;
  /** Octets of a counted body that are to come. */
  #remaining = 0;
  started = false;

  constructor(owner: AnswerOwner, socket: StreamSocket, writer: HeadWriter, dateLine: DateLine, request: AnsweredRequest) {
    this.#owner = owner;
    this.#socket = socket;
    this.#writer = writer;
    this.#dateLine = dateLine;
    this.#request = request;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  interim(status: number, fields: FieldBlock): void {
    // HTTP/1.0 does not know them.
    if (this.#owner === undefined || this.started || this.#request.isOld) return;
    this.#writer.interim(status, fields);
    this.#flush();
    if (status === 100) this.#owner.continueSent();
  }

  head(head: ResponseHead): void {
    const owner = this.#owner;
    if (owner === undefined || this.started) return;
    this.started = true;
    const { isOld, method, upgrade } = this.#request;
    if (head.upgrade) {
      if (upgrade === '') {
        owner.answerCut();
        return;
      }
      this.#extent = Extent.tunnel;
      const framing = { contentLength: -1, chunked: false, close: false, keepAlive: false, upgrade };
      this.#writer.answer(101, head.fields, framing, this.#dateLine);
      this.#flush();
      owner.answerStarted(false, true);
      return;
    }
    const { status, contentLength } = head;
    if (!head.hasBody || method === 'HEAD' || status === 204 || status === 304) this.#extent = Extent.none;
    else if (contentLength >= 0) this.#extent = Extent.counted;
    else this.#extent = isOld ? Extent.untilClosed : Extent.chunked;
    this.#remaining = contentLength;
    const keep = this.#extent !== Extent.untilClosed && owner.mayKeep();
    const framing: AnswerFraming = {
      contentLength: status === 204 ? -1 : contentLength,
      chunked: this.#extent === Extent.chunked,
      close: !keep,
      keepAlive: keep && isOld,
      upgrade: '',
    };
    this.#writer.answer(status, head.fields, framing, this.#dateLine);
    this.#flush();
    owner.answerStarted(keep, false);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#owner === undefined || start === end) return;
    const socket = this.#socket;
    switch (this.#extent) {
      case Extent.none:
        return;
      case Extent.counted:
        this.#remaining -= end - start;
        if (this.#remaining < 0) this.#cut();
        else if (end - start <= copiedBodyBytes) {
          // Behind its head, of which it makes one piece.
          this.#writer.copy(bytes, start, end);
          this.#flush();
        } else socket.write(bytes, start, end);
        return;
      case Extent.chunked:
        if (end - start <= copiedChunkBytes) {
          this.#writer.chunk(bytes, start, end);
          this.#flush();
        } else {
          this.#writer.chunkStart(end - start);
          this.#flush();
          socket.write(bytes, start, end);
          socket.write(chunkEnd, 0, chunkEnd.length);
        }
        return;
      default:
        socket.write(bytes, start, end);
    }
  }

  end(trailers: FieldBlock | undefined): void {
    const owner = this.#owner;
    if (owner === undefined) return;
    if (!this.started || (this.#extent === Extent.counted && this.#remaining > 0)) {
      this.#cut();
      return;
    }
    if (this.#extent === Extent.chunked) {
      this.#writer.lastChunk(this.#request.acceptsTrailers ? trailers : undefined);
      this.#flush();
    }
    this.#owner = undefined;
    owner.answerEnded();
  }

  fail(failure: ExchangeFailure, reason: string): void {
    const owner = this.#owner;
    this.#owner = undefined;
    if (this.started || failure === ExchangeFailure.cancelled) owner?.answerCut();
    else owner?.answerFailed(failure, reason);
  }

  requestRelieved(): void {
    this.#owner?.requestRelieved();
  }

  /** No more calls are of interest. */
  detach(): void {
    this.#owner = undefined;
  }

  #cut(): void {
    const owner = this.#owner;
    this.#owner = undefined;
    owner?.answerCut();
  }

  #flush(): void {
    const { bytes, start, end } = this.#writer;
    this.#socket.write(bytes, start, end);
  }
}
