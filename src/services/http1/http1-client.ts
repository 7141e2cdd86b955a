import { assert } from '../../base/errors.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { chunkEnd } from './head-writer.ts';
import type { HeadWriter } from './head-writer.ts';
import { HttpViolation } from './http-violation.ts';
import { maxInterimAnswers } from './limits.ts';
import { ParseEvent } from './message-parser.ts';
import type { OctetPool } from './octet-pool.ts';
import { ResponseParser } from './response-parser.ts';

/** Octets up to this many are copied to form one piece with what frames them. */
const copiedChunkBytes = 1_536;
/** A request's body may go on when no more than this waits for the kernel. */
const relievedBytes: number = maxPendingBytes / 2;

/** What the connections of one pool share. */
export interface ClientContext {
  readonly pool: OctetPool;
  readonly writer: HeadWriter;
  readonly maxHeaderBytes: number;
  /** Host for requests that name none. */
  readonly host: string;
}

export interface Http1ClientOwner {
  /** The exchange is over and the connection can take the next. Called behind the responder's end. */
  idle(client: Http1Client): void;
  /** The connection is over. Called once, behind the end of an exchange that it had. */
  ended(client: Http1Client, error: Error | undefined): void;
}

/**
 * A connection to a server that speaks HTTP/1; one exchange at a time.
 *
 *     handle ─► HeadWriter ─► socket          socket ─► ResponseParser ─► responder
 *
 * What a failure says of the request:
 *
 * - `broken`: the connection ended without a complete answer. A request that was written may have been processed, also when an idle
 *   connection turns out to be closed at that moment: there is no telling if the server read it. A pool makes that rare by leaving a
 *   connection before the server does (`reusableForMs`). `notProcessed` is never said here: a connection that is over is not `isIdle` and
 *   gets no request.
 * - `protocolError`: the server's octets are no HTTP or could be read in two ways, or the request's body is not what its head says.
 *
 * An answer that is complete before its request ends the connection, and the sink takes the rest of the request without effect. So does
 * anything that comes while no answer is waited for.
 */
export class Http1Client implements StreamSocketHandler, HttpHandler {
  readonly #context: ClientContext;
  readonly #owner: Http1ClientOwner;
  readonly #socket: StreamSocket;
  readonly #parser: ResponseParser;
  #request: ClientRequest | undefined;
  #gone = false;
  #paused = false;
  /** Requests that were started. */
  requests = 0;

  constructor(context: ClientContext, owner: Http1ClientOwner, socket: StreamSocket) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
    this.#parser = new ResponseParser(context.pool, context.maxHeaderBytes);
    socket.handler = this;
    socket.resume();
  }

  /** It can take a request. */
  get isIdle(): boolean {
    return this.#request === undefined && !this.#gone;
  }

  /** Time from the last answer after which the server closes an idle connection, as far as it said; Infinity = unknown. */
  get reusableForMs(): number {
    return this.#parser.keepAliveTimeoutMs;
  }

  /** Sends a request. Only while idle. */
  handle(head: RequestHead, responder: Responder): RequestSink {
    assert(this.isIdle, 'a request on a connection that is not idle');
    this.requests++;
    this.#parser.expect(head.method, head.upgrade);
    const request = new ClientRequest(this, this.#socket, this.#context.writer, responder, head);
    this.#request = request;
    const { writer, host } = this.#context;
    writer.request(head, host);
    this.#socket.write(writer.bytes, writer.start, writer.end);
    return request;
  }

  /** Ends now. An exchange in progress fails as `broken`. */
  close(): void {
    this.#end(true, ExchangeFailure.broken, 'the connection was closed', undefined);
  }

  /** The sink gave up. */
  aborted(): void {
    this.#request = undefined;
    this.#end(true, ExchangeFailure.cancelled, '', undefined);
  }

  /** The request's body is not what its head says: what follows it would be read as something else. */
  violated(reason: string): void {
    this.#end(true, ExchangeFailure.protocolError, reason, undefined);
  }

  // ---- from the server ----

  received(bytes: Uint8Array): void {
    if (this.#gone) return;
    if (this.#request === undefined) {
      this.#end(true, ExchangeFailure.protocolError, 'octets that nobody asked for', undefined);
      return;
    }
    this.#parser.push(bytes);
    try {
      while (this.#request !== undefined && this.#step(this.#request));
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      this.#end(true, ExchangeFailure.protocolError, `the server sent ${error.message}`, undefined);
      return;
    }
    if (this.#request !== undefined) this.#pauseOrResume(this.#request);
  }

  /** False when there is no more input. */
  #step(request: ClientRequest): boolean {
    const parser = this.#parser;
    switch (parser.next()) {
      case ParseEvent.head:
        if (parser.head !== undefined) request.answerHead(parser.head);
        return true;
      case ParseEvent.data:
        request.responder.data(parser.dataBytes, parser.dataStart, parser.dataEnd);
        return true;
      case ParseEvent.end:
        if (request.answerStarted) this.#answered(request, parser.trailers);
        return true;
      default:
        return false;
    }
  }

  #answered(request: ClientRequest, trailers: FieldBlock | undefined): void {
    this.#parser.release();
    // A request of which something is still on its way here could not be told from the next.
    const keep = this.#parser.keepAlive && request.complete && this.#parser.waitingBytes === 0 && this.#socket.pendingBytes === 0;
    this.#request = undefined;
    request.detach();
    if (keep) {
      this.#pauseOrResume(undefined);
      request.responder.end(trailers);
      if (this.isIdle) this.#owner.idle(this);
      return;
    }
    this.#gone = true;
    this.#socket.destroy(!request.complete);
    request.responder.end(trailers);
    this.#owner.ended(this, undefined);
  }

  #pauseOrResume(request: ClientRequest | undefined): void {
    const pause = request !== undefined && request.responder.pendingBytes >= maxPendingBytes;
    if (pause === this.#paused || this.#gone) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  /** The client of the answer took some of it. */
  responseWritten(): void {
    if (this.#paused) this.#pauseOrResume(this.#request);
  }

  endReceived(): void {
    const request = this.#request;
    if (request === undefined || this.#gone) {
      this.#end(false, ExchangeFailure.broken, '', undefined);
      return;
    }
    if (request.upgraded) {
      request.answerEnded = true;
      request.responder.end(undefined);
      if (request.complete) this.#leaveTunnel(request);
    } else if (request.answerStarted && this.#parser.finish()) this.#answered(request, undefined);
    else this.#end(true, ExchangeFailure.broken, 'the server closed the connection before its answer was complete', undefined);
  }

  /** Both directions of a changed protocol have ended; what was written still goes out. */
  #leaveTunnel(request: ClientRequest): void {
    request.detach();
    this.#request = undefined;
    this.#end(false, ExchangeFailure.broken, '', undefined);
  }

  /** Our direction of a changed protocol has ended. */
  tunnelEnded(request: ClientRequest): void {
    this.#socket.end();
    if (request.answerEnded) this.#leaveTunnel(request);
  }

  written(): void {
    this.#request?.written();
  }

  closed(error: Error | undefined): void {
    this.#end(true, ExchangeFailure.broken, error === undefined ? 'the server closed the connection' : error.message, error);
  }

  #end(reset: boolean, failure: ExchangeFailure, reason: string, error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.destroy(reset);
    const request = this.#request;
    this.#request = undefined;
    request?.fail(failure, reason);
    this.#owner.ended(this, error);
  }
}

/** The request of an exchange, as who sends it sees it. */
class ClientRequest implements RequestSink {
  #client: Http1Client | undefined;
  readonly #socket: StreamSocket;
  readonly #writer: HeadWriter;
  readonly responder: Responder;
  readonly #asksUpgrade: boolean;
  readonly #chunked: boolean;
  /** Octets of a counted body that are to come. */
  #remaining: number;
  #interims = 0;
  #wasCongested = false;
  complete = false;
  answerStarted = false;
  /** The server's direction of a changed protocol has ended. */
  answerEnded = false;
  upgraded = false;

  constructor(client: Http1Client, socket: StreamSocket, writer: HeadWriter, responder: Responder, head: RequestHead) {
    this.#client = client;
    this.#socket = socket;
    this.#writer = writer;
    this.responder = responder;
    this.#asksUpgrade = head.upgrade !== '';
    this.#chunked = head.contentLength < 0 && !this.#asksUpgrade;
    this.#remaining = head.contentLength;
  }

  answerHead(head: ResponseHead): void {
    if (head.status < 200 && !head.upgrade) {
      if (++this.#interims > maxInterimAnswers) throw new HttpViolation(502, 'too many answers before the answer');
      this.responder.interim(head.status, head.fields);
      return;
    }
    this.answerStarted = true;
    this.upgraded = head.upgrade;
    const endedBefore = this.complete;
    if (this.#asksUpgrade && !head.upgrade) this.complete = true;
    this.responder.head(head);
    if (head.upgrade && endedBefore) this.#client?.tunnelEnded(this);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#client === undefined || this.complete || start === end) return;
    const socket = this.#socket;
    if (this.#chunked) {
      if (end - start <= copiedChunkBytes) {
        this.#writer.chunk(bytes, start, end);
        this.#flush();
      } else {
        this.#writer.chunkStart(end - start);
        this.#flush();
        socket.write(bytes, start, end);
        socket.write(chunkEnd, 0, chunkEnd.length);
      }
    } else if (this.#asksUpgrade) {
      // What comes before the change would be read as another request.
      if (this.upgraded) socket.write(bytes, start, end);
      else this.#client.violated('octets of another protocol before the change to it');
    } else {
      this.#remaining -= end - start;
      if (this.#remaining < 0) this.#client.violated('a body that is longer than its head says');
      else socket.write(bytes, start, end);
    }
  }

  end(trailers: FieldBlock | undefined): void {
    const client = this.#client;
    if (client === undefined || this.complete) return;
    if (!this.#chunked && !this.#asksUpgrade && this.#remaining > 0) {
      client.violated('a body that is shorter than its head says');
      return;
    }
    this.complete = true;
    if (this.#chunked) {
      this.#writer.lastChunk(trailers);
      this.#flush();
    } else if (this.upgraded) client.tunnelEnded(this);
  }

  abort(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.aborted();
  }

  responseWritten(): void {
    this.#client?.responseWritten();
  }

  get congested(): boolean {
    const isCongested = this.#client !== undefined && this.#socket.pendingBytes >= maxPendingBytes;
    if (isCongested) this.#wasCongested = true;
    return isCongested;
  }

  /** The kernel took octets. */
  written(): void {
    if (!this.#wasCongested || this.#socket.pendingBytes > relievedBytes) return;
    this.#wasCongested = false;
    if (!this.answerEnded) this.responder.requestRelieved();
  }

  detach(): void {
    this.#client = undefined;
  }

  fail(failure: ExchangeFailure, reason: string): void {
    this.#client = undefined;
    if (!this.answerEnded) this.responder.fail(failure, reason);
  }

  #flush(): void {
    const { bytes, start, end } = this.#writer;
    this.#socket.write(bytes, start, end);
  }
}
