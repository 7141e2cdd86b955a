import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder, ResponseHead } from '../http/exchange.ts';
import type { EndOfTurn } from '../http/end-of-turn.ts';
import type { Http2Client } from './http2-client.ts';
import { Http2Stream } from './http2-stream.ts';
import { ErrorCode } from './http2-violation.ts';
import { maxInterimAnswers, maxRepeatableBytes, maxRepeats } from './limits.ts';

/** The pool that a request belongs to. */
export interface ClientStreamOwner {
  readonly turns: EndOfTurn;
  /** The server has certainly not processed it: it is to be started again, on another connection. False = it cannot be. */
  again(stream: ClientStream): boolean;
  /** It is over, while it waited or later. */
  over(stream: ClientStream): void;
}

/**
 * A request for a server with its answer: waits for a connection, keeping what comes of its body, then sends it. The octets are kept until the
 * answer begins, within a limit: when the server says that it has not processed the request, it goes out again.
 */
export class ClientStream extends Http2Stream implements RequestSink {
  protected override connection: Http2Client | undefined;
  readonly request: RequestHead;
  readonly #owner: ClientStreamOwner;
  readonly #responder: Responder;
  /** The octets of the body can go out again. */
  #isKept = true;
  #keptBytes = 0;
  #repeats = 0;
  #complete: boolean;
  #wasCongested = false;
  #answer: ResponseHead | undefined;
  #interims = 0;
  /** Octets of the answer's body that are to come; -1 = unknown. */
  #answerLeft = -1;
  /** The responder has heard the end. */
  #answered = false;
  #failure: ExchangeFailure | undefined;
  #failureReason = '';

  constructor(owner: ClientStreamOwner, request: RequestHead, responder: Responder) {
    super();
    this.#owner = owner;
    this.request = request;
    this.#responder = responder;
    this.#complete = request.contentLength === 0 && request.upgrade === '';
    this.startHead();
    if (this.#complete) this.sendEnd(undefined);
  }

  protected override get keepsPieces(): boolean {
    return this.#isKept;
  }

  /** It had to wait for a connection, and goes to one now. */
  startLate(connection: Http2Client): void {
    this.#responder.connected?.();
    this.start(connection);
  }

  /** Goes to a connection that has room. Its head goes out at the end of the turn, or when the request is complete. */
  start(connection: Http2Client): void {
    this.connection = connection;
    connection.reserve(this);
    if (this.endAsked) this.flush();
    else this.#owner.turns.add(this);
  }

  override endOfTurn(): void {
    if (this.#failure !== undefined) this.fail(this.#failure, this.#failureReason);
    else if (!this.#answered) super.endOfTurn();
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
    this.#isKept = false;
    this.dropPieces();
    this.#owner.over(this);
    this.#responder.fail(failure, reason);
  }

  // ---- to the server ----

  override flush(): void {
    const { connection } = this;
    // It began to close within this turn, or the server does not take what is asked for.
    if (connection !== undefined && this.id === 0 && !this.#mayOpen(connection)) return;
    super.flush();
  }

  #mayOpen(connection: Http2Client): boolean {
    if (connection.takesRequests && (this.request.upgrade === '' || connection.takesUpgrades)) return true;
    this.connection = undefined;
    connection.release(this);
    if (connection.takesRequests) {
      this.fail(ExchangeFailure.notProcessed, `the server does not take ${this.request.upgrade} over HTTP/2`);
    } else if (!this.#owner.again(this)) this.fail(ExchangeFailure.notProcessed, 'no connection takes the request');
    return false;
  }

  protected override writeHead(endStream: boolean): void {
    this.connection?.open(this, endStream);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if ((this.#answered && !this.#isTunnel) || this.#complete || this.localEnded || start === end) return;
    if (this.#isKept) {
      this.#keptBytes += end - start;
      if (this.#keptBytes > maxRepeatableBytes) this.#dropKept();
    }
    this.sendData(bytes, start, end);
  }

  /** It cannot go out a second time. */
  #dropKept(): void {
    this.#isKept = false;
    this.releaseSent();
  }

  get #isTunnel(): boolean {
    return this.#answer?.upgrade === true;
  }

  end(trailers: FieldBlock | undefined): void {
    if ((this.#answered && !this.#isTunnel) || this.#complete) return;
    this.#complete = true;
    this.sendEnd(this.request.upgrade === '' ? trailers : undefined);
  }

  abort(): void {
    if (this.#answered && !this.#isTunnel) return;
    this.#answered = true;
    this.#complete = true;
    this.#isKept = false;
    this.dropPieces();
    this.#owner.over(this);
    const { connection } = this;
    this.connection = undefined;
    connection?.giveUp(this);
  }

  get congested(): boolean {
    const isCongested = !this.#answered && this.waitingBytes >= maxPendingBytes;
    if (isCongested) this.#wasCongested = true;
    return isCongested;
  }

  override dataSent(): void {
    if (!this.#wasCongested || this.#answered || this.waitingBytes > maxPendingBytes / 2) return;
    this.#wasCongested = false;
    this.#responder.requestRelieved();
  }

  protected override allSent(): void {}

  // ---- from the server ----

  /** The answer has begun. */
  get isAnswering(): boolean {
    return this.#answer !== undefined;
  }

  /** An answer before the answer. False = there have been too many. */
  interimReceived(status: number, fields: FieldBlock): boolean {
    if (++this.#interims > maxInterimAnswers) return false;
    if (!this.#answered) this.#responder.interim(status, fields);
    return true;
  }

  headReceived(head: ResponseHead): void {
    if (this.#answered) return;
    this.#answer = head;
    this.#answerLeft = head.hasBody && !head.upgrade ? head.contentLength : -1;
    this.#dropKept();
    this.#responder.head(head);
    if (this.#answered) return;
    if (this.request.upgrade !== '' && !head.upgrade && !this.#complete) {
      // The other protocol is refused: our direction has nothing to say.
      this.#complete = true;
      this.sendEnd(undefined);
    }
  }

  override dataReceived(bytes: Uint8Array, start: number, end: number): void {
    const answer = this.#answer;
    if (this.#answered) return;
    if (answer === undefined) {
      this.connection?.streamError(this.id, ErrorCode.protocolError, 'a body without a head');
      return;
    }
    if (this.#answerLeft >= 0) {
      this.#answerLeft -= end - start;
      if (this.#answerLeft < 0) {
        this.connection?.streamError(this.id, ErrorCode.protocolError, 'a body that is longer than its head says');
        return;
      }
    }
    if (answer.hasBody) this.#responder.data(bytes, start, end);
    this.taken(end - start, this.#responder.pendingBytes >= maxPendingBytes);
  }

  override endReceived(): void {
    this.trailersReceived(undefined);
  }

  /** The answer is complete. */
  trailersReceived(trailers: FieldBlock | undefined): void {
    if (this.#answered) return;
    if (this.#answer === undefined || this.#answerLeft > 0) {
      this.connection?.streamError(this.id, ErrorCode.protocolError, 'a body that is shorter than its head says');
      return;
    }
    this.#answered = true;
    this.#owner.over(this);
    this.#responder.end(trailers);
    // The rest of the request is of no use; a changed protocol ends in each direction by itself.
    if (this.localEnded || this.#isTunnel) return;
    this.#complete = true;
    this.dropPieces();
    this.connection?.resetStream(this, ErrorCode.noError);
  }

  /** The client of the answer took some of it. */
  responseWritten(): void {
    if (this.#responder.pendingBytes < maxPendingBytes) this.report();
  }

  // ---- ends ----

  override resetReceived(code: ErrorCode): void {
    this.connection = undefined;
    if (this.#answered) return;
    if (this.#answer === undefined && code === ErrorCode.refusedStream) this.unprocessed();
    // All that its head said has come.
    else if (code === ErrorCode.noError && this.#answerLeft === 0) this.trailersReceived(undefined);
    else if (code === ErrorCode.protocolError) this.fail(ExchangeFailure.protocolError, 'the server found the request malformed');
    else this.fail(ExchangeFailure.broken, `the server reset the request with code ${code}`);
  }

  override violated(_code: ErrorCode, reason: string): void {
    this.connection = undefined;
    this.fail(ExchangeFailure.protocolError, `the server sent ${reason}`);
  }

  override connectionLost(): void {
    const reason = this.connection?.reason ?? '';
    const wasSent = this.id !== 0;
    this.connection = undefined;
    if (wasSent) this.fail(ExchangeFailure.broken, reason);
    else this.unprocessed();
  }

  /** The server has said that it has not processed it. */
  unprocessed(): void {
    this.connection = undefined;
    if (this.#answered) return;
    const mayRepeat = this.#isKept && this.#repeats++ < maxRepeats;
    if (mayRepeat) this.rewind();
    if (!mayRepeat || !this.#owner.again(this)) this.fail(ExchangeFailure.notProcessed, 'the server has refused the request');
  }
}
