import type { Clock } from '../../base/clock.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import { ExchangeFailure } from '../http/exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink } from '../http/exchange.ts';
import type { HeadWriter } from './head-writer.ts';
import type { DateLine } from './http-date.ts';
import { HttpViolation } from './http-violation.ts';
import { lingerTimeoutMs, maxAheadBytes, maxDrainedBytes, maxLingerBytes, minBodyBytes, progressChecks } from './limits.ts';
import { ParseEvent } from './message-parser.ts';
import type { OctetPool } from './octet-pool.ts';
import { RequestParser } from './request-parser.ts';
import { ServerAnswer } from './server-answer.ts';
import type { AnsweredRequest, AnswerOwner } from './server-answer.ts';

/** An answer that the network itself makes. */
export interface ErrorAnswer {
  readonly fields: FieldBlock;
  readonly body: Uint8Array;
}

/** What the connections of one listener share. */
export interface ServerContext {
  readonly handler: HttpHandler;
  readonly clock: Clock;
  readonly pool: OctetPool;
  readonly writer: HeadWriter;
  readonly dateLine: DateLine;
  readonly scheme: 'http' | 'https';
  readonly maxHeaderBytes: number;
  /** From a head's first octet to its last; also for each `minBodyBytes` of a body of known length that is waited for. */
  readonly headerTimeoutMs: number;
  /** Between requests; also without any progress of a body that is waited for, or of an answer that the client does not take. */
  readonly idleTimeoutMs: number;
  errorAnswer(status: number, reason: string): ErrorAnswer;
  /** The connection is over. Called once. */
  ended(server: Http1Server): void;
}

const Phase = {
  /** Between requests, or in the head of one. */
  reading: 0,
  /** A request has been handed over and its answer is not complete. */
  exchange: 1,
  /** The answer is complete, the request's body is not: it is read and dropped. */
  draining: 2,
  /** The last answer is complete and our direction ended; what still comes is dropped, until the client has ended too. */
  lingering: 3,
  gone: 4,
} as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * The connection of a client that speaks HTTP/1. One exchange at a time, in order of the requests:
 *
 *     socket ─► RequestParser ─► handler.handle, sink.data, sink.end
 *     socket ◄─ HeadWriter ◄──── ServerAnswer (the handler's responder)
 *
 *     reading ─head─► exchange ─answer complete─► reading | draining ─► reading | lingering ─► gone
 *
 * What a client sends ahead waits, up to `maxAheadBytes` and one read. A client that ends its direction before its answer is complete counts
 * as gone, as with most servers: there is no other sign that it has been closed. In a changed protocol (upgrade) each direction ends by itself.
 * Once an answer is complete its sink is not called again, even if the request was not.
 */
export class Http1Server implements StreamSocketHandler, AnswerOwner {
  readonly #context: ServerContext;
  readonly #socket: StreamSocket;
  readonly #handler: HttpHandler;
  readonly #parser: RequestParser;
  #phase: Phase = Phase.reading;
  #answer: ServerAnswer | undefined;
  #sink: RequestSink | undefined;
  /** The deadline is that of a head of which something has come. */
  #inHead = false;
  /** The request's method is HEAD. */
  #isHead = false;
  #requestComplete = false;
  /** The answer to a request that asked for another protocol has not started: what follows it may be of either. */
  #upgradePending = false;
  #tunnel = false;
  /** The client waits for 100 before it sends the body, and has not got it. */
  #awaitsContinue = false;
  /** The connection is kept behind the answer in progress. */
  #keep = false;
  /** No more requests are taken. */
  #closing = false;
  #retiring = false;
  #droppedBytes = 0;
  /** Octets of a body of known length that are to come. */
  #bodyLeft = 0;
  #running = false;
  #paused = true;
  /** Anything moved since the deadline was set. */
  #progress = false;
  /** When the exchange was last seen to move. */
  #movedMs = 0;
  /** When it is next looked at how fast the body comes (never without a known length), and what was to come of it when it last was. */
  #bodyDueMs = Infinity;
  #bodyLeftBefore = 0;
  #deadlineMs = Infinity;

  constructor(context: ServerContext, socket: StreamSocket, client: string, handler: HttpHandler = context.handler) {
    this.#context = context;
    this.#handler = handler;
    this.#socket = socket;
    this.#parser = new RequestParser(context.pool, context.maxHeaderBytes, context.scheme, client);
  }

  /** Begins to read. `first` are octets that were read from the socket before. */
  start(first: Uint8Array | undefined): void {
    this.#socket.handler = this;
    this.#deadlineMs = this.#context.clock.nowMs() + this.#context.idleTimeoutMs;
    this.#paused = false;
    this.#socket.resume();
    if (first !== undefined) this.received(first);
  }

  /** A request is being read or answered. */
  get busy(): boolean {
    return this.#phase === Phase.exchange || this.#phase === Phase.draining || (this.#phase === Phase.reading && this.#parser.inMessage);
  }

  /** Tells the client with its next answer that no more are given, and closes behind that. Nothing that it sends before is lost. */
  retire(): void {
    this.#retiring = true;
  }

  /** Takes no more requests: closes now when idle, else behind the answer in progress. */
  drain(): void {
    this.#closing = true;
    if (!this.busy && this.#phase === Phase.reading) this.#linger();
  }

  /** Ends now. */
  stop(): void {
    this.#destroy(true, ExchangeFailure.cancelled);
  }

  // ---- time ----

  /** Call `handleTimeout` then, or a little later; Infinity = never. Changes with every event. */
  nextDeadlineMs(): number {
    return this.#deadlineMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.#deadlineMs) return;
    const moved = this.#progress;
    this.#progress = false;
    this.#deadlineMs = nowMs + this.#context.idleTimeoutMs;
    switch (this.#phase) {
      case Phase.reading:
        if (this.#parser.inMessage) this.#refuse(408, 'the head of the request did not come in time', ExchangeFailure.timeout);
        else this.#linger();
        return;
      case Phase.exchange:
        this.#checkExchange(nowMs, moved);
        return;
      default:
        this.#destroy(true, ExchangeFailure.cancelled);
    }
  }

  #startChecks(): void {
    const { clock, headerTimeoutMs, idleTimeoutMs } = this.#context;
    const nowMs = clock.nowMs();
    this.#progress = false;
    this.#movedMs = nowMs;
    this.#bodyLeftBefore = this.#bodyLeft;
    this.#bodyDueMs = this.#bodyLeft > 0 ? nowMs + headerTimeoutMs : Infinity;
    this.#deadlineMs = Math.min(nowMs + idleTimeoutMs / progressChecks, this.#bodyDueMs);
  }

  /** A client must not hold a request, and its server, by a body that hardly comes or an answer that it does not take. */
  #checkExchange(nowMs: number, moved: boolean): void {
    const { headerTimeoutMs, idleTimeoutMs } = this.#context;
    let bodyIsLate = false;
    if (nowMs >= this.#bodyDueMs) {
      bodyIsLate = this.#bodyLeftBefore - this.#bodyLeft < minBodyBytes;
      this.#bodyLeftBefore = this.#bodyLeft;
      this.#bodyDueMs = this.#requestComplete ? Infinity : nowMs + headerTimeoutMs;
    }
    this.#deadlineMs = Math.min(nowMs + idleTimeoutMs / progressChecks, this.#bodyDueMs);
    if (moved) this.#movedMs = nowMs;
    const stalled = nowMs - this.#movedMs >= idleTimeoutMs;
    if (stalled && this.#socket.pendingBytes > 0) this.#destroy(true, ExchangeFailure.cancelled);
    else if ((stalled || bodyIsLate) && this.#bodyIsExpected())
      this.#refuse(408, 'the body of the request did not come in time', ExchangeFailure.timeout);
  }

  #bodyIsExpected(): boolean {
    const mayCome = !this.#requestComplete && !this.#upgradePending && !this.#tunnel && !this.#awaitsContinue && !this.#paused;
    return mayCome && this.#answer?.started === false;
  }

  // ---- from the client ----

  received(bytes: Uint8Array): void {
    if (this.#phase === Phase.gone) return;
    // What is sent ahead does not help a request that is complete.
    if (this.#phase !== Phase.exchange || !this.#requestComplete) this.#progress = true;
    if (this.#phase === Phase.lingering) {
      this.#droppedBytes += bytes.length;
      // A reset now could overtake the answer: the client's sending stands still until the time is over.
      if (this.#droppedBytes > maxLingerBytes) this.#socket.pause();
      return;
    }
    this.#parser.push(bytes);
    this.#run();
  }

  /** Makes what it can of the input. Calls from within its own calls return at once: the outermost goes on. */
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#step());
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      this.#refuse(error.status, error.message, ExchangeFailure.protocolError);
    } finally {
      this.#running = false;
    }
    if (this.#phase === Phase.reading && !this.#inHead && this.#parser.inMessage) {
      this.#inHead = true;
      this.#deadlineMs = this.#context.clock.nowMs() + this.#context.headerTimeoutMs;
    }
    this.#pauseOrResume();
  }

  /** False when there is nothing to be done. */
  #step(): boolean {
    const parser = this.#parser;
    switch (this.#phase) {
      case Phase.reading:
        if (parser.next() !== ParseEvent.head || parser.head === undefined) return false;
        this.#begin(parser.head);
        return true;
      case Phase.exchange:
        if (this.#requestComplete || this.#upgradePending) return false;
        switch (parser.next()) {
          case ParseEvent.data:
            this.#awaitsContinue = false;
            this.#bodyLeft -= parser.dataEnd - parser.dataStart;
            this.#sink?.data(parser.dataBytes, parser.dataStart, parser.dataEnd);
            return true;
          case ParseEvent.end:
            this.#requestComplete = true;
            this.#sink?.end(parser.trailers);
            return true;
          default:
            return false;
        }
      case Phase.draining:
        switch (parser.next()) {
          case ParseEvent.data:
            this.#droppedBytes += parser.dataEnd - parser.dataStart;
            if (this.#droppedBytes > maxDrainedBytes) this.#linger();
            return true;
          case ParseEvent.end:
            this.#nextRequest();
            return true;
          default:
            return false;
        }
      default:
        return false;
    }
  }

  #begin(head: RequestHead): void {
    const { isOld, acceptsTrailers } = this.#parser;
    const request: AnsweredRequest = { method: head.method, isOld, acceptsTrailers, upgrade: head.upgrade };
    this.#phase = Phase.exchange;
    this.#inHead = false;
    this.#isHead = head.method === 'HEAD';
    this.#requestComplete = false;
    this.#upgradePending = head.upgrade !== '';
    this.#awaitsContinue = head.expectContinue;
    this.#bodyLeft = head.contentLength;
    this.#startChecks();
    const { writer, dateLine } = this.#context;
    const answer = new ServerAnswer(this, this.#socket, writer, dateLine, request);
    this.#answer = answer;
    this.#sink = this.#handler.handle(head, answer);
  }

  #pauseOrResume(): void {
    let pause = false;
    if (this.#phase === Phase.exchange) {
      const takesBody = !this.#requestComplete && !this.#upgradePending;
      pause = (takesBody && this.#sink?.congested === true) || this.#parser.waitingBytes > maxAheadBytes;
    } else if (this.#phase === Phase.gone) return;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else {
      // The client could not send meanwhile.
      this.#bodyLeftBefore += minBodyBytes;
      this.#socket.resume();
    }
  }

  endReceived(): void {
    if (this.#phase === Phase.exchange && this.#tunnel) {
      if (this.#requestComplete) return;
      this.#requestComplete = true;
      this.#sink?.end(undefined);
      if (this.#answer === undefined) this.#release();
      return;
    }
    this.#destroy(this.#phase === Phase.exchange, ExchangeFailure.cancelled);
  }

  written(): void {
    this.#progress = true;
    if (this.#phase === Phase.exchange && this.#answer?.started === true) this.#sink?.responseWritten();
  }

  closed(): void {
    this.#gone(ExchangeFailure.cancelled);
  }

  // ---- from the answer ----

  mayKeep(): boolean {
    // A body that is too long to be dropped would end the connection after a promise to keep it.
    if (!this.#requestComplete && this.#bodyLeft > maxDrainedBytes) return false;
    // A client that still waits for 100 sends its body or does not: nobody can tell what comes next.
    return this.#parser.keepAlive && !this.#closing && !this.#retiring && !this.#awaitsContinue;
  }

  continueSent(): void {
    this.#awaitsContinue = false;
    this.#bodyLeftBefore += minBodyBytes;
  }

  answerStarted(keep: boolean, upgraded: boolean): void {
    this.#keep = keep;
    if (!this.#upgradePending) return;
    this.#upgradePending = false;
    if (upgraded) {
      this.#tunnel = true;
      this.#parser.tunnel();
    }
    this.#run();
  }

  answerEnded(): void {
    if (this.#tunnel) {
      // The socket closes when both directions have ended; until then the client's goes on.
      this.#answer = undefined;
      this.#socket.end();
      if (this.#requestComplete) this.#release();
      return;
    }
    this.#release();
    if (!this.#keep || this.#closing) this.#linger();
    else if (this.#requestComplete) this.#nextRequest();
    else {
      this.#phase = Phase.draining;
      this.#droppedBytes = 0;
      this.#restartIdle();
    }
    this.#run();
  }

  answerFailed(failure: ExchangeFailure, reason: string): void {
    let status = 502;
    if (failure === ExchangeFailure.notProcessed) status = 503;
    else if (failure === ExchangeFailure.timeout) status = 504;
    // The sink is not called again, whatever follows.
    this.#sink = undefined;
    this.#sendError(status, reason, this.mayKeep() && this.#requestComplete);
  }

  answerCut(): void {
    this.#sink = undefined;
    this.#destroy(true, ExchangeFailure.cancelled);
  }

  requestRelieved(): void {
    this.#run();
  }

  // ---- ends ----

  #release(): void {
    this.#answer?.detach();
    this.#answer = undefined;
    this.#sink = undefined;
    this.#parser.release();
  }

  #nextRequest(): void {
    this.#phase = Phase.reading;
    this.#restartIdle();
  }

  #restartIdle(): void {
    this.#progress = false;
    this.#deadlineMs = this.#context.clock.nowMs() + this.#context.idleTimeoutMs;
  }

  /** The client cannot be served further: it hears why if no answer has started, and the connection ends. */
  #refuse(status: number, reason: string, failure: ExchangeFailure): void {
    const inExchange = this.#phase === Phase.exchange;
    const answerStarted = this.#answer?.started === true;
    const sink = this.#sink;
    this.#release();
    if (inExchange) sink?.abort(failure);
    if (this.#phase === Phase.draining) this.#linger();
    else if (answerStarted) this.#destroy(true, failure);
    else this.#sendError(status, reason, false);
  }

  #sendError(status: number, reason: string, keep: boolean): void {
    const { writer, dateLine } = this.#context;
    const { fields, body } = this.#context.errorAnswer(status, reason);
    const keepAlive = keep && this.#parser.isOld;
    const framing = { contentLength: body.length, chunked: false, close: !keep, keepAlive, upgrade: '' };
    writer.answer(status, fields, framing, dateLine);
    this.#socket.write(writer.bytes, writer.start, writer.end);
    if (this.#phase !== Phase.exchange || !this.#isHead) this.#socket.write(body, 0, body.length);
    this.#release();
    if (!keep) this.#linger();
    else {
      this.#nextRequest();
      this.#run();
    }
  }

  /** Ends our direction and waits a little for the client to end its own. */
  #linger(): void {
    this.#phase = Phase.lingering;
    this.#droppedBytes = 0;
    this.#deadlineMs = this.#context.clock.nowMs() + lingerTimeoutMs;
    this.#socket.end();
    this.#pauseOrResume();
  }

  #destroy(reset: boolean, failure: ExchangeFailure): void {
    if (this.#phase === Phase.gone) return;
    this.#socket.destroy(reset);
    this.#gone(failure);
  }

  #gone(failure: ExchangeFailure): void {
    if (this.#phase === Phase.gone) return;
    this.#phase = Phase.gone;
    this.#deadlineMs = Infinity;
    const sink = this.#sink;
    this.#release();
    sink?.abort(failure);
    this.#context.ended(this);
  }
}
