import type { ClientHttp2Stream } from 'node:http2';
import { ExchangeFailure, maxPendingBytes } from '../services/http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder } from '../services/http/exchange.ts';
import { HttpViolation } from '../services/http1/http-violation.ts';
import type { ClientSession } from './http2-client-session.ts';
import { readFields, readTrailers, trailerFields } from './http2-fields.ts';
import type { RawFields } from './http2-fields.ts';
import { readResponseHead, requestFields, statusOf } from './http2-heads.ts';
import { errorCode, maxInterimAnswers, maxRepeatableBytes, maxRepeats } from './http2-limits.ts';
import type { TurnQueue, TurnTask } from './turn.ts';

/** The pool that a request belongs to. */
export interface ClientRequestOwner {
  readonly turns: TurnQueue;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** The server has certainly not processed it: it is to be started again, on another connection. False = it cannot be. */
  again(request: ClientRequest): boolean;
  /** It is over, while it waited or later. */
  over(request: ClientRequest): void;
}

/** Bit of HEADERS: nothing follows. */
const endStreamFlag = 0x1;

/**
 * A request for a server: waits for a connection, keeping what comes of its body, then sends it. The octets are kept until the answer
 * begins, within a limit: when the server says that it has not processed the request, it goes out again.
 *
 * The head goes out at the end of the turn, or with the second piece of the body: a request that is complete by then needs no second look at
 * its end for trailers.
 */
export class ClientRequest implements RequestSink, TurnTask {
  readonly head: RequestHead;
  readonly #owner: ClientRequestOwner;
  readonly #responder: Responder;
  #session: ClientSession | undefined;
  #stream: ClientHttp2Stream | undefined;
  /** What came of the body: all of it while `#isKept`, else what has not been sent. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isKept = true;
  #repeats = 0;
  #complete: boolean;
  #trailers: FieldBlock | undefined;
  #wasCongested = false;
  #answerStarted = false;
  #upgraded = false;
  #isAnswerToHead: boolean;
  #interims = 0;
  #answerTrailers: FieldBlock | undefined;
  /** The responder has heard the end. */
  #answered = false;
  #failure: ExchangeFailure | undefined;
  #failureReason = '';

  constructor(owner: ClientRequestOwner, head: RequestHead, responder: Responder) {
    this.#owner = owner;
    this.head = head;
    this.#responder = responder;
    this.#complete = head.contentLength === 0 && head.upgrade === '';
    this.#isAnswerToHead = head.method === 'HEAD';
  }

  /** Nobody waits for its answer any more. */
  get isOver(): boolean {
    return this.#answered;
  }

  /** Goes to a connection that has room. */
  start(session: ClientSession): void {
    this.#session = session;
    if (this.#complete) this.#send();
    else this.#owner.turns.add(this);
  }

  endOfTurn(): void {
    if (this.#failure !== undefined) this.fail(this.#failure, this.#failureReason);
    else if (this.#session !== undefined && this.#stream === undefined && !this.#answered) this.#send();
  }

  /** Fails at the end of the turn. */
  failLater(failure: ExchangeFailure, reason: string): void {
    this.#failure = failure;
    this.#failureReason = reason;
    this.#owner.turns.add(this);
  }

  fail(failure: ExchangeFailure, reason: string): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#drop();
    this.#owner.over(this);
    this.#responder.fail(failure, reason);
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#isKept = false;
  }

  // ---- to the server ----

  #send(): void {
    const session = this.#session;
    if (session === undefined) return;
    const { head } = this;
    const { scheme, host } = this.#owner;
    if (session.room <= 0) {
      // It began to close within this turn.
      this.#session = undefined;
      if (!this.#owner.again(this)) this.fail(ExchangeFailure.notProcessed, 'no connection takes the request');
      return;
    }
    if (head.upgrade !== '' && !session.takesUpgrades) {
      this.fail(ExchangeFailure.notProcessed, `the server does not take ${head.upgrade} over HTTP/2`);
      return;
    }
    const endStream = this.#complete && this.#held.length === 0 && this.#trailers === undefined && head.upgrade === '';
    const mayHaveTrailers = head.upgrade === '' && (!this.#complete || this.#trailers !== undefined);
    const stream = session.request(requestFields(head, scheme, host), endStream, mayHaveTrailers);
    this.#stream = stream;
    this.#listen(session, stream, mayHaveTrailers);
    for (const piece of this.#held) stream.write(piece, this.#written);
    if (!this.#isKept) this.#drop();
    if (this.#complete && !endStream) stream.end();
  }

  #listen(session: ClientSession, stream: ClientHttp2Stream, mayHaveTrailers: boolean): void {
    if (mayHaveTrailers) {
      stream.on('wantTrailers', () => {
        if (!stream.destroyed && !stream.closed) stream.sendTrailers(trailerFields(this.#trailers));
      });
    }
    stream.on('headers', (_headers: unknown, _flags: number, raw: RawFields) => this.#from(session, () => this.#interim(raw)));
    stream.on('response', (_headers: unknown, flags: number, raw: RawFields) => this.#from(session, () => this.#head(stream, flags, raw)));
    stream.on('trailers', (_headers: unknown, _flags: number, raw: RawFields) =>
      this.#from(session, () => (this.#answerTrailers = readTrailers(raw))),
    );
    stream.on('error', () => {});
    stream.on('close', () => this.#closed(session, stream));
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if ((this.#answered && !this.#upgraded) || this.#complete || start === end) return;
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    let stream = this.#stream;
    if (stream === undefined && this.#session !== undefined && this.#held.length > 0) {
      this.#send();
      stream = this.#stream;
    }
    if (stream === undefined || this.#isKept) {
      this.#held.push(piece);
      this.#heldBytes += piece.length;
    }
    if (this.#heldBytes > maxRepeatableBytes) {
      // Too much for a second time.
      this.#isKept = false;
      if (stream !== undefined) this.#drop();
    }
    if (stream !== undefined && !stream.destroyed && !stream.writableEnded) stream.write(piece, this.#written);
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#answered && !this.#upgraded) return;
    if (this.#complete) return;
    this.#complete = true;
    this.#trailers = this.head.upgrade === '' ? trailers : undefined;
    if (this.#stream !== undefined) {
      if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end();
    } else if (this.#session !== undefined && trailers === undefined) this.#send();
  }

  abort(): void {
    if (this.#answered && !this.#upgraded) return;
    this.#answered = true;
    this.#drop();
    this.#owner.over(this);
    if (this.#stream === undefined || this.#stream.closed) return;
    // Node ends a stream that it closes, unless trailers are to come: what is given up would look complete.
    if (this.head.upgrade !== '') this.#stream.destroy(new Error('given up'));
    else this.#stream.close(errorCode.cancel);
    this.#session?.reset();
  }

  get congested(): boolean {
    const waiting = this.#stream === undefined ? this.#heldBytes : this.#stream.writableLength;
    const isCongested = !this.#answered && waiting >= maxPendingBytes;
    if (isCongested) this.#wasCongested = true;
    return isCongested;
  }

  readonly #written = (): void => {
    if (!this.#wasCongested || this.#answered || this.#stream === undefined) return;
    if (this.#stream.writableLength > maxPendingBytes / 2) return;
    this.#wasCongested = false;
    this.#responder.requestRelieved();
    this.#owner.turns.touch();
  };

  // ---- from the server ----

  /** Reads what came; an answer that is malformed ends the exchange. */
  #from(session: ClientSession, read: () => void): void {
    session.heard();
    if (this.#answered) return;
    try {
      read();
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      this.#stream?.close(errorCode.protocolError);
      this.fail(ExchangeFailure.protocolError, `the server sent ${error.message}`);
    }
    this.#owner.turns.touch();
  }

  #interim(raw: RawFields): void {
    const status = statusOf(raw);
    if (++this.#interims > maxInterimAnswers) throw new HttpViolation(502, 'too many answers before the answer');
    this.#responder.interim(status, readFields(raw).block);
  }

  #head(stream: ClientHttp2Stream, flags: number, raw: RawFields): void {
    const bodyFollows = (flags & endStreamFlag) === 0;
    const head = readResponseHead(raw, bodyFollows, this.head);
    this.#answerStarted = true;
    this.#upgraded = head.upgrade;
    this.#isKept = false;
    this.#drop();
    this.#responder.head(head);
    if (this.#answered) return;
    if (this.head.upgrade !== '' && !head.upgrade && !stream.writableEnded) {
      // The other protocol is refused: our direction has nothing to say.
      this.#complete = true;
      stream.end();
    }
    if (!bodyFollows) {
      stream.resume();
      this.#finish(stream);
      return;
    }
    stream.on('data', (bytes: Buffer) => {
      this.#session?.heard();
      if (this.#answered) return;
      if (!this.#isAnswerToHead) this.#responder.data(bytes, 0, bytes.length);
      if (this.#responder.pendingBytes >= maxPendingBytes) stream.pause();
      this.#owner.turns.touch();
    });
    stream.on('end', () => {
      // The end of a stream that was reset is none.
      if (stream.rstCode === errorCode.noError && !stream.aborted && !stream.destroyed) this.#finish(stream);
    });
  }

  /** The answer is complete. */
  #finish(stream: ClientHttp2Stream): void {
    if (this.#answered) return;
    this.#answered = true;
    // The rest of the request is of no use; a changed protocol ends in each direction by itself.
    if (!this.#complete && !this.#upgraded) stream.close(errorCode.noError);
    this.#owner.over(this);
    this.#responder.end(this.#answerTrailers);
    this.#owner.turns.touch();
  }

  /** The client of the answer took some of it. */
  responseWritten(): void {
    const stream = this.#stream;
    if (stream !== undefined && stream.isPaused() && this.#responder.pendingBytes < maxPendingBytes) stream.resume();
  }

  #closed(session: ClientSession, stream: ClientHttp2Stream): void {
    this.#stream = undefined;
    this.#session = undefined;
    if (!this.#answered) this.#lost(session, stream);
    session.released();
    this.#owner.turns.touch();
  }

  #lost(session: ClientSession, stream: ClientHttp2Stream): void {
    const code = stream.rstCode ?? errorCode.noError;
    if (!this.#answerStarted && (code === errorCode.refusedStream || session.isUnprocessed(stream.id))) {
      const mayRepeat = this.#isKept && this.#repeats++ < maxRepeats;
      if (!mayRepeat || !this.#owner.again(this)) this.fail(ExchangeFailure.notProcessed, 'the server has refused the request');
      return;
    }
    if (code === errorCode.protocolError) this.fail(ExchangeFailure.protocolError, 'the server found the request malformed');
    else if (code === errorCode.noError) this.fail(ExchangeFailure.broken, session.reason);
    else this.fail(ExchangeFailure.broken, `the server reset the request with code ${code}`);
  }
}
