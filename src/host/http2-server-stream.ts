import type { ServerHttp2Stream } from 'node:http2';
import { ExchangeFailure, maxPendingBytes } from '../services/http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../services/http/exchange.ts';
import { buildFields } from '../services/http/field-block.ts';
import { isGrpc } from '../services/http/network-error.ts';
import { HttpViolation } from '../services/http1/http-violation.ts';
import { readTrailers, trailerFields } from './http2-fields.ts';
import type { RawFields } from './http2-fields.ts';
import { responseFields } from './http2-heads.ts';
import { errorCode, maxSessionPendingBytes } from './http2-limits.ts';
import type { Http2Server } from './http2-server.ts';
import type { TurnTask } from './turn.ts';

/** Status codes of gRPC. */
const deadlineExceeded = '4';
const unavailable = '14';

/**
 * One request of a client with its answer. The head of the answer and its first piece wait for the end of the turn, or for the next call: an
 * answer that is complete by then needs no second look at its end for trailers.
 */
export class ServerStream implements Responder, TurnTask {
  readonly #server: Http2Server;
  readonly #stream: ServerHttp2Stream;
  #sink: RequestSink | undefined;
  /** Body and trailers of the request are complete. */
  #requestComplete = false;
  #trailers: FieldBlock | undefined;
  /** Asked for another protocol; nothing of the stream is read before the answer. */
  #upgradePending = false;
  #tunnel = false;
  #expectsContinue = false;
  #isHead = false;
  #isGrpc = false;
  /** The answer may end with trailers. */
  #withTrailers = false;
  /** The head of the answer, while it waits. */
  #head: ResponseHead | undefined;
  #first: Buffer | undefined;
  #started = false;
  #responseComplete = false;
  #responseTrailers: FieldBlock | undefined;
  /** The server of the connection need not hear any more. */
  #released = false;
  #unwrittenBytes = 0;
  /** Anything moved since the last sweep, and since when nothing has. */
  #progress = true;
  #stillSinceMs = 0;

  constructor(server: Http2Server, stream: ServerHttp2Stream) {
    this.#server = server;
    this.#stream = stream;
    stream.on('error', () => {});
    stream.on('close', () => this.#closed());
  }

  start(head: RequestHead, handler: HttpHandler, bodyFollows: boolean): void {
    const stream = this.#stream;
    this.#isHead = head.method === 'HEAD';
    this.#isGrpc = isGrpc(head);
    this.#requestComplete = !bodyFollows;
    this.#upgradePending = head.upgrade !== '';
    this.#expectsContinue = head.expectContinue;
    this.#sink = handler.handle(head, this);
    if (this.#upgradePending) return;
    if (bodyFollows) this.#read();
    else {
      this.#sink.end(undefined);
      stream.resume();
    }
  }

  /** Answers without the handler. */
  refuse(status: number, reason: string, bodyFollows: boolean): void {
    this.#requestComplete = !bodyFollows;
    this.#sendError(status, reason);
    this.#stream.resume();
  }

  // ---- from the client ----

  #read(): void {
    const stream = this.#stream;
    stream.on('data', (bytes: Buffer) => {
      this.#progress = true;
      this.#server.guard.received(bytes.length);
      const sink = this.#sink;
      if (sink === undefined) return;
      sink.data(bytes, 0, bytes.length);
      if (sink.congested && !this.#responseComplete) stream.pause();
      this.#server.context.turns.touch();
    });
    stream.on('trailers', (_headers: unknown, _flags: number, raw: RawFields) => this.#readTrailers(raw));
    stream.on('end', () => {
      // The end of a stream that was reset is none.
      if (stream.rstCode !== errorCode.noError || stream.destroyed) return;
      this.#requestEnded();
    });
  }

  #readTrailers(raw: RawFields): void {
    try {
      this.#trailers = readTrailers(raw);
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      this.#stream.close(errorCode.protocolError);
    }
  }

  #requestEnded(): void {
    if (this.#requestComplete) return;
    this.#requestComplete = true;
    this.#progress = true;
    this.#sink?.end(this.#tunnel ? undefined : this.#trailers);
    if (this.#tunnel && this.#responseComplete) this.#release(true);
    this.#server.context.turns.touch();
  }

  requestRelieved(): void {
    this.#stream.resume();
  }

  // ---- to the client ----

  get pendingBytes(): number {
    // A client that leaves too much unread over all its streams gets nothing more on any of them.
    return this.#server.pendingBytes >= maxSessionPendingBytes ? maxPendingBytes : this.#unwrittenBytes + (this.#first?.length ?? 0);
  }

  interim(status: number, fields: FieldBlock): void {
    const stream = this.#stream;
    if (this.#started || this.#head !== undefined || stream.destroyed || stream.closed) return;
    if (status === 100) {
      if (!this.#expectsContinue) return;
      this.#expectsContinue = false;
    }
    const headers: Record<string, string[] | number> = { ...trailerFields(fields), ':status': status };
    stream.additionalHeaders(headers);
  }

  head(head: ResponseHead): void {
    if (this.#started || this.#head !== undefined || this.#responseComplete) return;
    this.#progress = true;
    this.#head = head;
    if (this.#upgradePending) {
      this.#upgradePending = false;
      this.#tunnel = head.upgrade;
      if (head.upgrade) this.#read();
      else {
        // The client's direction stays open until the answer is complete, and is then ended.
        this.#sink?.end(undefined);
        this.#stream.resume();
      }
    }
    this.#server.context.turns.add(this);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (start === end || this.#responseComplete || (this.#head === undefined && !this.#started)) return;
    if (this.#isHead || this.#head?.hasBody === false) return;
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    if (this.#head !== undefined && this.#first === undefined) {
      this.#first = piece;
      return;
    }
    if (this.#head !== undefined) this.#sendHead(true);
    this.#write(piece);
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#responseComplete) return;
    this.#responseComplete = true;
    this.#responseTrailers = trailers;
    if (this.#head !== undefined) this.#sendHead(trailers !== undefined);
    const stream = this.#stream;
    if (!stream.writableEnded) stream.end();
    if (this.#tunnel && !this.#requestComplete) return;
    this.#sink = undefined;
    if (stream.isPaused()) stream.resume();
    if (!this.#requestComplete && trailers === undefined) this.#stopRequest();
  }

  /** The client need not send the rest of the request (RFC 9113 §8.1). */
  #stopRequest(): void {
    if (!this.#stream.closed) this.#stream.close(errorCode.noError);
  }

  endOfTurn(): void {
    if (this.#head !== undefined) this.#sendHead(true);
  }

  /** Sends the head with what waits behind it. `mayHaveTrailers`: they are asked for when the body is complete. */
  #sendHead(mayHaveTrailers: boolean): void {
    const head = this.#head;
    const first = this.#first;
    const stream = this.#stream;
    this.#head = undefined;
    this.#first = undefined;
    if (head === undefined || this.#started) return;
    this.#started = true;
    if (stream.destroyed || stream.closed) return;
    const complete = this.#responseComplete && first === undefined && this.#responseTrailers === undefined;
    const withTrailers = mayHaveTrailers && !complete && !this.#tunnel && head.hasBody && !this.#isHead;
    this.#withTrailers = withTrailers;
    if (withTrailers) stream.on('wantTrailers', () => this.#sendTrailers());
    stream.respond(responseFields(head, complete), { endStream: complete, waitForTrailers: withTrailers });
    if (first !== undefined) this.#write(first);
  }

  #sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    stream.sendTrailers(trailerFields(this.#responseTrailers));
    // Trailers go out at the end of the turn.
    if (!this.#requestComplete) setImmediate(() => setImmediate(() => this.#stopRequest()));
  }

  #write(piece: Buffer): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) return;
    this.#unwrittenBytes += piece.length;
    this.#server.pendingBytes += piece.length;
    stream.write(piece, this.#written);
  }

  readonly #written = (): void => {
    this.#progress = true;
    const waiting = this.#stream.writableLength;
    this.#server.pendingBytes -= this.#unwrittenBytes - waiting;
    this.#server.guard.sent(this.#unwrittenBytes - waiting);
    this.#unwrittenBytes = waiting;
    if (this.#responseComplete || this.#sink === undefined) return;
    this.#sink.responseWritten();
    this.#server.context.turns.touch();
  };

  fail(failure: ExchangeFailure, reason: string): void {
    if (this.#responseComplete) return;
    this.#sink = undefined;
    if (!this.#started) {
      this.#head = undefined;
      this.#first = undefined;
      let status = 502;
      if (failure === ExchangeFailure.notProcessed) status = 503;
      else if (failure === ExchangeFailure.timeout) status = 504;
      this.#sendError(status, reason);
      return;
    }
    if (this.#isGrpc && this.#withTrailers) {
      // A reset would say that the service itself is broken.
      const code = failure === ExchangeFailure.timeout ? deadlineExceeded : unavailable;
      this.end(
        buildFields([
          { name: 'grpc-status', value: code },
          { name: 'grpc-message', value: reason.replaceAll(/[^ -$&-~]/g, '?') },
        ]),
      );
      return;
    }
    this.#responseComplete = true;
    // Node ends a stream that it closes, unless trailers are to come: what is cut off would look complete.
    if (!this.#withTrailers) this.#stream.destroy(new Error(reason));
    else this.#stream.close(failure === ExchangeFailure.cancelled ? errorCode.cancel : errorCode.internalError);
  }

  #sendError(status: number, reason: string): void {
    if (this.#stream.destroyed || this.#stream.closed) return;
    const { fields, body } = this.#server.context.options.errorAnswer(status, reason);
    this.#upgradePending = false;
    this.#tunnel = false;
    this.#head = { status, fields, contentLength: body.length, hasBody: true, upgrade: false };
    if (!this.#isHead && body.length > 0) this.#first = Buffer.from(body.buffer, body.byteOffset, body.length);
    this.end(undefined);
  }

  // ---- ends ----

  /** Ends what makes no progress. */
  sweep(nowMs: number): void {
    if (this.#progress || this.#stillSinceMs === 0) {
      this.#progress = false;
      this.#stillSinceMs = nowMs;
      return;
    }
    if (nowMs - this.#stillSinceMs < this.#server.context.options.idleTimeoutMs) return;
    if (this.#unwrittenBytes > 0) this.#stream.close(errorCode.cancel);
    else if (this.#bodyIsLate()) this.fail(ExchangeFailure.timeout, 'the body of the request did not come in time');
  }

  #bodyIsLate(): boolean {
    return !this.#requestComplete && !this.#upgradePending && !this.#tunnel && !this.#started && !this.#stream.isPaused();
  }

  connectionLost(): void {
    this.#released = true;
    this.#abort();
  }

  #closed(): void {
    this.#release(this.#responseComplete);
    this.#abort();
    this.#server.context.turns.touch();
  }

  #release(completed: boolean): void {
    if (this.#released) return;
    this.#released = true;
    if (completed) this.#server.streamEnded(this);
    else this.#server.streamReset(this);
  }

  #abort(): void {
    this.#server.pendingBytes -= this.#unwrittenBytes;
    this.#unwrittenBytes = 0;
    const sink = this.#sink;
    this.#sink = undefined;
    this.#responseComplete = true;
    this.#head = undefined;
    this.#first = undefined;
    sink?.abort(ExchangeFailure.cancelled);
  }
}
