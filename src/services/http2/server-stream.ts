import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import { buildFields } from '../http/field-block.ts';
import type { Octets } from '../http/message-writer.ts';
import { isGrpc } from '../http/network-error.ts';
import type { Http2Server } from './http2-server.ts';
import { Http2Stream } from './http2-stream.ts';
import { ErrorCode } from './http2-violation.ts';
import { maxConnectionPendingBytes, minBodyBytes } from './limits.ts';

/** Status codes of gRPC. */
const deadlineExceeded = '4';
const unavailable = '14';

/** One request of a client with its answer. */
export class ServerStream extends Http2Stream implements Responder {
  protected override readonly connection: Http2Server;
  protected override readonly keepsPieces = false;
  readonly #request: RequestHead;
  #sink: RequestSink | undefined;
  #isStarted = false;
  /** The sink has heard that the request is complete. */
  #requestEnded = false;
  /** Asked for another protocol, and there is no answer yet; what comes meanwhile is kept. */
  #upgradePending: boolean;
  #early: Octets[] | undefined;
  #tunnel = false;
  #expectsContinue: boolean;
  #isHead: boolean;
  /** Octets of the body that are to come; -1 = unknown. */
  #bodyLeft: number;
  #answer: ResponseHead | undefined;
  /** Octets of the answer's body that are to come from the handler; -1 = unknown. */
  #answerLeft = -1;
  #answerComplete = false;
  /** Anything moved since the last sweep, and since when nothing has. */
  #progress = true;
  #stillSinceMs = 0;
  /** When it is next looked at how fast the body comes, and what was to come of it when it last was. */
  #bodyDueMs = 0;
  #bodyLeftBefore = 0;

  constructor(connection: Http2Server, id: number, head: RequestHead) {
    super();
    this.id = id;
    this.connection = connection;
    this.#request = head;
    this.#upgradePending = head.upgrade !== '';
    this.#expectsContinue = head.expectContinue;
    this.#isHead = head.method === 'HEAD';
    this.#bodyLeft = head.upgrade === '' ? head.contentLength : -1;
  }

  /** Gives the request to the handler. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#sink = this.connection.handler.handle(this.#request, this);
    if (this.remoteEnded && !this.#upgradePending) this.#endRequest(undefined);
  }

  #endRequest(trailers: FieldBlock | undefined): void {
    if (this.#requestEnded) return;
    this.#requestEnded = true;
    this.#sink?.end(trailers);
  }

  /** Answers without the handler. */
  refuse(status: number, reason: string): void {
    this.#isStarted = true;
    this.#sendError(status, reason);
  }

  // ---- from the client ----

  override dataReceived(bytes: Uint8Array, start: number, end: number): void {
    this.start();
    this.#progress = true;
    this.#expectsContinue = false;
    if (this.#upgradePending) {
      (this.#early ??= []).push({ bytes, start, end });
      return;
    }
    if (this.#bodyLeft >= 0) {
      this.#bodyLeft -= end - start;
      if (this.#bodyLeft < 0) {
        this.connection.streamError(this.id, ErrorCode.protocolError, 'a body that is longer than its head says');
        return;
      }
    }
    this.#give(bytes, start, end);
  }

  #give(bytes: Uint8Array, start: number, end: number): void {
    const sink = this.#sink;
    // What nobody wants is not to go on: its window stays closed.
    if (sink === undefined || this.#requestEnded) return;
    sink.data(bytes, start, end);
    this.taken(end - start, sink.congested);
  }

  override endReceived(): void {
    this.trailersReceived(undefined);
  }

  /** The request is complete. */
  trailersReceived(trailers: FieldBlock | undefined): void {
    this.start();
    this.#progress = true;
    if (this.#upgradePending) return;
    if (this.#bodyLeft > 0) {
      this.connection.streamError(this.id, ErrorCode.protocolError, 'a body that is shorter than its head says');
      return;
    }
    this.#endRequest(this.#tunnel ? undefined : trailers);
  }

  requestRelieved(): void {
    this.report();
  }

  // ---- to the client ----

  get pendingBytes(): number {
    // A client that leaves too much unread over all its streams gets nothing more on any of them.
    return this.connection.waitingBytes >= maxConnectionPendingBytes ? maxPendingBytes : this.waitingBytes;
  }

  interim(status: number, fields: FieldBlock): void {
    if (this.#answer !== undefined || this.localEnded) return;
    if (status === 100) {
      if (!this.#expectsContinue) return;
      this.#expectsContinue = false;
    }
    this.connection.writeInterim(this, status, fields);
  }

  head(head: ResponseHead): void {
    if (this.#answer !== undefined || this.localEnded) return;
    this.#progress = true;
    this.#answer = head;
    this.#answerLeft = head.hasBody && !this.#isHead && !head.upgrade ? head.contentLength : -1;
    this.startHead();
    if (this.#upgradePending) this.#answerUpgrade(head.upgrade);
    this.connection.shared.turns.add(this);
  }

  #answerUpgrade(isUpgraded: boolean): void {
    const early = this.#early;
    this.#upgradePending = false;
    this.#early = undefined;
    this.#tunnel = isUpgraded;
    if (!isUpgraded) {
      // The client's direction stays open until the answer is complete, and is then ended.
      this.#endRequest(undefined);
      return;
    }
    if (early !== undefined) for (const { bytes, start, end } of early) this.#give(bytes, start, end);
    if (this.remoteEnded) this.#endRequest(undefined);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const answer = this.#answer;
    if (answer === undefined || start === end || this.#answerComplete || this.localEnded) return;
    if (this.#isHead || !answer.hasBody) return;
    if (this.#answerLeft >= 0) {
      this.#answerLeft -= end - start;
      if (this.#answerLeft < 0) {
        this.#cut(ErrorCode.internalError);
        return;
      }
    }
    this.sendData(bytes, start, end);
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#answer === undefined || this.#answerComplete || this.localEnded) return;
    if (this.#answerLeft > 0) {
      this.#cut(ErrorCode.internalError);
      return;
    }
    this.#answerComplete = true;
    if (!this.#tunnel || this.remoteEnded) this.#sink = undefined;
    this.sendEnd(this.#tunnel ? undefined : trailers);
  }

  protected override writeHead(endStream: boolean): void {
    if (this.#answer !== undefined) this.connection.writeAnswer(this, this.#answer, endStream);
  }

  override dataSent(): void {
    this.#progress = true;
    if (!this.#answerComplete) this.#sink?.responseWritten();
  }

  protected override allSent(): void {
    this.connection.guard.completed();
    // The client need not send the rest of the request (RFC 9113 §8.1).
    if (!this.remoteEnded && !this.#tunnel) this.connection.resetStream(this, ErrorCode.noError);
  }

  fail(failure: ExchangeFailure, reason: string): void {
    if (this.#answerComplete || this.localEnded) return;
    this.#sink = undefined;
    if (this.#answer === undefined || this.headHeld) {
      let status = 502;
      if (failure === ExchangeFailure.notProcessed) status = 503;
      else if (failure === ExchangeFailure.timeout) status = 504;
      this.dropPieces();
      this.#sendError(status, reason);
    } else if (this.#answer.hasBody && !this.#tunnel && isGrpc(this.#request)) {
      // A reset would say that the service itself is broken.
      this.#answerComplete = true;
      this.sendEnd(
        buildFields([
          { name: 'grpc-status', value: failure === ExchangeFailure.timeout ? deadlineExceeded : unavailable },
          { name: 'grpc-message', value: reason.replaceAll(/[^ -$&-~]/g, '?') },
        ]),
      );
    } else this.#cut(failure === ExchangeFailure.cancelled ? ErrorCode.cancel : ErrorCode.internalError);
  }

  #sendError(status: number, reason: string): void {
    const { fields, body } = this.connection.context.options.errorAnswer(status, reason);
    this.#upgradePending = false;
    this.#early = undefined;
    this.#tunnel = false;
    this.#answerComplete = true;
    this.#answer = { status, fields, contentLength: body.length, hasBody: true, upgrade: false };
    this.startHead();
    if (!this.#isHead && body.length > 0) this.sendData(body, 0, body.length);
    this.sendEnd(undefined);
  }

  /** Cuts the answer off, so that the client notices. */
  #cut(code: ErrorCode): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#answerComplete = true;
    this.dropPieces();
    this.connection.resetStream(this, code);
    sink?.abort(ExchangeFailure.cancelled);
  }

  // ---- ends ----

  override resetReceived(): void {
    this.#abort(ExchangeFailure.cancelled);
  }

  override violated(): void {
    this.#abort(ExchangeFailure.protocolError);
  }

  override connectionLost(): void {
    this.#abort(ExchangeFailure.cancelled);
  }

  #abort(failure: ExchangeFailure): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#isStarted = true;
    this.localEnded = true;
    this.remoteEnded = true;
    this.#answerComplete = true;
    this.#early = undefined;
    this.dropPieces();
    sink?.abort(failure);
  }

  /** Ends what makes no progress. */
  sweep(nowMs: number): void {
    const { idleTimeoutMs } = this.connection.context.options;
    const isLate = this.#bodyIsLate(nowMs);
    if (this.#progress || this.#stillSinceMs === 0) {
      this.#progress = false;
      this.#stillSinceMs = nowMs;
    }
    const isStill = nowMs - this.#stillSinceMs >= idleTimeoutMs;
    if (isStill && this.waitingBytes > 0) this.#cut(ErrorCode.cancel);
    else if ((isStill || isLate) && this.#bodyIsExpected()) this.#timeOut();
  }

  #timeOut(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.abort(ExchangeFailure.timeout);
    this.#sendError(408, 'the body of the request did not come in time');
  }

  /** A body of known length has to come at some pace while it is waited for. */
  #bodyIsLate(nowMs: number): boolean {
    if (this.#bodyLeft <= 0) return false;
    if (!this.#bodyIsExpected()) this.#bodyDueMs = 0;
    else if (this.#bodyDueMs === 0 || nowMs >= this.#bodyDueMs) {
      const isLate = this.#bodyDueMs > 0 && this.#bodyLeftBefore - this.#bodyLeft < minBodyBytes;
      this.#bodyDueMs = nowMs + this.connection.context.options.headerTimeoutMs;
      this.#bodyLeftBefore = this.#bodyLeft;
      return isLate;
    }
    return false;
  }

  #bodyIsExpected(): boolean {
    const mayCome = !this.remoteEnded && !this.#upgradePending && !this.#tunnel && !this.#expectsContinue;
    return mayCome && this.#answer === undefined && this.#sink?.congested !== true;
  }
}
