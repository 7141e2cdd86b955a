import type { StreamSocket } from '../../base/stream-socket.ts';
import { maxFieldBytes } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, ResponseHead } from '../http/exchange.ts';
import { noFields } from '../http/field-block.ts';
import { ClosedAs } from './closed-streams.ts';
import type { DateField } from './date-field.ts';
import { Setting } from './frames.ts';
import type { ClientSide } from './head-reader.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2ListenerOptions } from './http2-listener.ts';
import type { Http2Shared } from './http2-shared.ts';
import type { Http2Stream } from './http2-stream.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { maxConcurrentStreams, maxWindowBytes, streamWindowBytes } from './limits.ts';
import { ServerStream } from './server-stream.ts';

/** Says before the last GOAWAY that one will come: streams up to the highest number are still taken (RFC 9113 §6.8). */
const highestStream: number = maxWindowBytes;
/** How long the client may take to end its direction after the end of ours. */
const lingerTimeoutMs = 2_000;
/** How long a connection that was cut off stands before it is closed. */
const penaltyMs = 1_000;
/** In place of one that could not be read. */
const noRequest: RequestHead = {
  method: '',
  scheme: 'http',
  authority: '',
  path: '',
  fields: noFields,
  contentLength: -1,
  expectContinue: false,
  upgrade: '',
  client: '',
};

/** What the connections of one listener share. */
export interface Http2ServerContext {
  readonly shared: Http2Shared;
  readonly date: DateField;
  readonly options: Http2ListenerOptions;
  /** The connection is over. Called once. */
  ended(server: Http2Server): void;
}

/**
 * The connection of a client that speaks HTTP/2. Requests are given to the handler when all that came with them has been read: what is given
 * up at once reaches nobody. Malformed requests end their stream, too many of them the connection; so do floods of what costs the client
 * nothing.
 */
export class Http2Server extends Http2Connection implements ClientSide {
  readonly context: Http2ServerContext;
  readonly handler: HttpHandler;
  readonly scheme: 'http' | 'https';
  readonly client: string;
  /** Requests that the handler has not got yet. */
  readonly #fresh: ServerStream[] = [];
  /** The highest stream of the client. */
  #lastStreamId = 0;
  /** No more requests are taken: the connection ends with the last one. */
  #draining = false;
  #retired = false;
  /** When it ends: depends on the state. */
  #deadlineMs: number;
  /** Our direction has ended; what still comes is dropped until the client has ended, too. */
  #lingering = false;
  /** The highest stream when a sweep first found no request. */
  #idleSince = -1;
  /** What had begun and was not complete at the last sweep, and since when. */
  #insideOf = 0;
  #insideSinceMs = 0;

  constructor(context: Http2ServerContext, socket: StreamSocket, client: string, handler: HttpHandler) {
    super(context.shared, socket, true);
    this.context = context;
    this.handler = handler;
    this.client = client;
    this.scheme = context.options.scheme;
    this.#deadlineMs = context.shared.clock.nowMs() + context.options.headerTimeoutMs;
  }

  /** Begins to read. `first` are octets that were read from the socket before. */
  start(first: Uint8Array | undefined): void {
    this.begin([
      [Setting.maxConcurrentStreams, maxConcurrentStreams],
      [Setting.initialWindowSize, streamWindowBytes],
      [Setting.maxHeaderListSize, Math.min(this.context.options.maxHeaderBytes, maxFieldBytes)],
      [Setting.enableConnectProtocol, 1],
    ]);
    if (first !== undefined) this.received(first);
  }

  // ---- from the client ----

  protected override headReceived(streamId: number, endStream: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { heads } = this.shared;
    const stream = this.streams.get(streamId);
    if (stream instanceof ServerStream) {
      this.#trailers(stream, endStream, bytes, start, end);
      return;
    }
    if ((streamId & 1) === 0) throw new Http2Violation(ErrorCode.protocolError, 'a stream with an even number');
    if (streamId <= this.#lastStreamId) {
      heads.skip(this.decoder, bytes, start, end);
      const closedAs = this.closedAs(streamId);
      if (closedAs === ClosedAs.complete) throw new Http2Violation(ErrorCode.streamClosed, 'HEADERS behind the end');
      if (closedAs === ClosedAs.unknown) throw new Http2Violation(ErrorCode.protocolError, 'a stream with a number that was used before');
      this.countReset();
      return;
    }
    if (this.#draining) {
      // The client has been told that nothing becomes of it.
      heads.skip(this.decoder, bytes, start, end);
      this.countReset();
      return;
    }
    this.#lastStreamId = streamId;
    if (this.streams.size >= maxConcurrentStreams) {
      heads.skip(this.decoder, bytes, start, end);
      this.streamError(streamId, ErrorCode.refusedStream, 'too many requests at a time');
      return;
    }
    this.#request(streamId, endStream, bytes, start, end);
  }

  #request(streamId: number, endStream: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { heads } = this.shared;
    const head = heads.request(this.decoder, bytes, start, end, !endStream, this);
    const { problem } = heads;
    if (head === undefined && problem?.status === 400) {
      this.streamError(streamId, ErrorCode.protocolError, problem.message);
      return;
    }
    const stream = new ServerStream(this, streamId, head ?? { ...noRequest, method: heads.method });
    stream.remoteEnded = endStream;
    this.addStream(stream);
    if (head !== undefined) this.#fresh.push(stream);
    else {
      this.countReset();
      stream.refuse(problem?.status ?? 400, problem?.message ?? '');
    }
  }

  #trailers(stream: ServerStream, endStream: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { heads } = this.shared;
    const trailers = heads.trailers(this.decoder, bytes, start, end);
    if (stream.remoteEnded) this.streamError(stream.id, ErrorCode.streamClosed, 'HEADERS behind the end');
    else if (heads.problem !== undefined) this.streamError(stream.id, ErrorCode.protocolError, heads.problem.message);
    else if (!endStream) this.streamError(stream.id, ErrorCode.protocolError, 'a second head');
    else {
      stream.remoteEnded = true;
      stream.trailersReceived(trailers);
      this.closeIfOver(stream);
    }
  }

  protected override inputRead(): void {
    if (this.#fresh.length > 0) {
      for (const stream of this.#fresh) stream.start();
      this.#fresh.length = 0;
    }
    super.inputRead();
  }

  protected override isIdle(streamId: number): boolean {
    return streamId > this.#lastStreamId || (streamId & 1) === 0;
  }

  protected override get lastProcessed(): number {
    return this.#lastStreamId;
  }

  protected override opened(): void {}

  protected override limitReceived(): void {}

  protected override connectProtocolReceived(): void {}

  protected override pingAnswered(): void {}

  /** The client opens no more streams; those that are open go on. */
  protected override goawayReceived(): void {
    this.#draining = true;
    if (this.streams.size === 0) this.#end();
  }

  protected override resetByPeer(): void {
    this.countReset();
  }

  /** Counts a request that came to nothing, with the head that was read last. */
  countReset(): void {
    if (!this.guard.reset(this.shared.heads.fieldsRead)) this.cut();
  }

  protected override streamClosed(): void {
    if (this.#draining && this.streams.size === 0) this.#end();
  }

  protected override ended(): void {
    this.#fresh.length = 0;
    this.context.ended(this);
  }

  // ---- to the client ----

  writeInterim(stream: Http2Stream, status: number, fields: FieldBlock): void {
    this.shared.headWriter.interim(this.socket, this.encoder, stream.id, status, fields);
  }

  writeAnswer(stream: Http2Stream, head: ResponseHead, endStream: boolean): void {
    this.shared.headWriter.answer(this.socket, this.encoder, stream.id, head, this.context.date.for(head.fields), endStream);
  }

  // ---- ends ----

  /** Ends what is too late. */
  sweep(nowMs: number): void {
    if (this.isGone) {
      if (nowMs >= this.#deadlineMs) this.destroy(this.reason);
      return;
    }
    const { headerTimeoutMs, idleTimeoutMs } = this.context.options;
    const { insideOf } = this;
    if (insideOf !== this.#insideOf) {
      this.#insideOf = insideOf;
      this.#insideSinceMs = nowMs;
    } else if (insideOf !== 0 && nowMs - this.#insideSinceMs >= headerTimeoutMs) {
      this.fail(ErrorCode.enhanceYourCalm, 'a frame that did not come in time');
      return;
    }
    if (this.isOpen && this.streams.size > 0) {
      for (const stream of this.streams.values()) if (stream instanceof ServerStream) stream.sweep(nowMs);
      // The last requests stood still: so will others.
      if (!this.isGone && this.streams.size === 0) this.#end();
      return;
    }
    if (this.isOpen && !this.#lingering && this.#idleSince !== this.#lastStreamId) {
      this.#idleSince = this.#lastStreamId;
      this.#deadlineMs = nowMs + idleTimeoutMs;
    } else if (nowMs >= this.#deadlineMs) {
      if (this.isOpen && !this.#lingering) this.#end();
      else this.destroy('the client takes no part any more');
    }
  }

  /** Tells the client to send new requests elsewhere; those that it has sent are answered. */
  retire(): void {
    if (this.#retired || this.isGone) return;
    this.#retired = true;
    this.shared.writer.goaway(this.socket, highestStream, ErrorCode.noError);
  }

  /** Takes no more requests, and ends behind the last answer. */
  drain(): void {
    if (this.#draining || this.isGone) return;
    this.#draining = true;
    if (this.streams.size === 0) this.#end();
    else this.shared.writer.goaway(this.socket, this.#lastStreamId, ErrorCode.noError);
  }

  /** Ends our direction, and waits a little for the client to end its own. */
  #end(): void {
    if (this.#lingering || this.isGone) return;
    this.#lingering = true;
    this.#draining = true;
    this.#deadlineMs = this.shared.clock.nowMs() + lingerTimeoutMs;
    this.shared.writer.goaway(this.socket, this.#lastStreamId, ErrorCode.noError);
    this.socket.end();
  }

  /**
   * The client is given a little time to hear why. Who does harm is not read any more, and waits for the end: a client that comes again at once
   * would do the same.
   */
  protected override failed(code: ErrorCode): void {
    const isHarm = code === ErrorCode.enhanceYourCalm;
    this.#deadlineMs = this.shared.clock.nowMs() + (isHarm ? penaltyMs : lingerTimeoutMs);
    if (isHarm) this.socket.pause();
    else this.socket.end();
  }

  /** Ends now. */
  stop(): void {
    this.destroy('the listener was stopped');
  }
}
