import type { BalancedServer } from '../balancing/balanced-server.ts';
import { ExchangeFailure, maxPendingBytes } from '../http/exchange.ts';
import type { FieldBlock, RequestHead, RequestSink, Responder } from '../http/exchange.ts';
import { buildFields, noFields } from '../http/field-block.ts';
import type { IngressExchange } from '../http/ingress-exchange.ts';
import { NetworkErrorCode } from '../http/network-error.ts';
import { eventAnswer, joined } from './event-answer.ts';
import type { EventChannelForm, EventPart } from './event-answer.ts';
import type { Random } from '../../base/random.ts';
import { ServerRequest } from './server-request.ts';
import type { EventOwner, SharedContext } from './server-request.ts';

/** Octets of the body of an event: it is kept whole until every server has it. */
export const maxEventRequestBytes = 1_048_576;

/** What an event asks its channel for. */
export interface EventContext extends SharedContext {
  readonly form: EventChannelForm;
  readonly random: Random;
  nextRequestId(): string;
  /** Takes room for octets; false when there is none. They go back in `ended`. */
  hold(bytes: number): boolean;
  /** The request is complete: `start` is called when the servers are known. */
  complete(event: EventRequest): void;
  exchangeBegan(exchange: IngressExchange): void;
  exchangeEnded(exchange: IngressExchange): void;
  answerError(request: RequestHead, responder: Responder, code: NetworkErrorCode, reason: string): void;
  ended(event: EventRequest, heldBytes: number, failure: string | undefined): void;
}

/** One request of a client to an event channel, until the answers of all servers have gone to it as one. */
export class EventRequest implements RequestSink, EventOwner {
  readonly #context: EventContext;
  readonly #head: RequestHead;
  readonly #responder: Responder;
  readonly requestId: string;
  readonly #pieces: Uint8Array[] = [];
  #bodyBytes = 0;
  #heldBytes = 0;
  #trailers: FieldBlock | undefined;
  #isComplete = false;
  readonly #requests: ServerRequest[] = [];
  /** Of routers that did not tell of their servers. */
  #silent: readonly EventPart[] = [];
  #isStarted = false;
  #answer: Uint8Array | undefined;
  #answered = 0;
  #isWriting = false;
  #isOver = false;
  answerBytes = 0;

  constructor(context: EventContext, head: RequestHead, responder: Responder) {
    this.#context = context;
    this.#head = head;
    this.#responder = responder;
    this.requestId = context.nextRequestId();
  }

  get requestBytes(): number {
    return this.#bodyBytes;
  }

  // ---- the request ----

  /** The turn in which the head came is over: now the client may be called. */
  endOfTurn(): void {
    if (this.#isOver || this.#isComplete) return;
    const { contentLength, expectContinue } = this.#head;
    const problem = this.#problem();
    if (problem !== undefined) this.refuse(...problem);
    else if (contentLength === 0) this.end(undefined);
    else if (expectContinue && this.#bodyBytes === 0) this.#responder.interim(100, noFields);
    this.#context.touch();
  }

  #problem(): [NetworkErrorCode, string] | undefined {
    const { method, upgrade, contentLength } = this.#head;
    if (method !== 'POST' && method !== 'PUT' && method !== 'PATCH') {
      return [NetworkErrorCode.methodNotAllowed, 'an event channel takes POST, PUT and PATCH'];
    }
    if (upgrade !== '') return [NetworkErrorCode.notImplemented, 'an event channel does not change the protocol'];
    if (contentLength > maxEventRequestBytes) return [NetworkErrorCode.bodyTooLarge, tooLong];
    return undefined;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver || this.#isComplete) return;
    this.#bodyBytes += end - start;
    if (this.#bodyBytes > maxEventRequestBytes) {
      this.refuse(NetworkErrorCode.bodyTooLarge, tooLong);
    } else if (this.hold(end - start)) {
      this.#pieces.push(bytes.slice(start, end));
    } else this.refuse(NetworkErrorCode.overloaded, 'the listener has as many events as it can carry');
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#isOver || this.#isComplete) return;
    const problem = this.#problem();
    if (problem !== undefined) {
      this.refuse(...problem);
      return;
    }
    const { contentLength } = this.#head;
    if (contentLength >= 0 && this.#bodyBytes !== contentLength) {
      this.refuse(NetworkErrorCode.badRequest, 'the body is not as long as its content length says');
      return;
    }
    this.#isComplete = true;
    this.#trailers = trailers;
    this.#context.complete(this);
  }

  /** Nothing stops it: what comes is kept up to a limit. */
  readonly congested = false;

  abort(_failure: ExchangeFailure): void {
    if (this.#isOver) return;
    this.#finish(undefined);
  }

  // ---- servers ----

  /** Sends the event to all servers; `silent` are the parts of routers that are known to have some, and not which. */
  start(address: string, servers: readonly BalancedServer[], silent: readonly EventPart[]): void {
    this.#silent = silent;
    const body = joined(this.#pieces);
    this.#pieces.length = 0;
    const head: RequestHead = { ...this.#head, contentLength: body.length, expectContinue: false };
    for (const server of servers) this.#requests.push(new ServerRequest(this, server, body, this.#trailers));
    for (const request of this.#requests) request.start(this.#context, address, head);
    this.#isStarted = true;
    this.partEnded();
    this.#context.touch();
  }

  hold(bytes: number): boolean {
    if (!this.#context.hold(bytes)) return false;
    this.#heldBytes += bytes;
    return true;
  }

  exchangeBegan(exchange: IngressExchange): void {
    this.#context.exchangeBegan(exchange);
  }

  exchangeEnded(exchange: IngressExchange): void {
    this.#context.exchangeEnded(exchange);
  }

  partEnded(): void {
    if (this.#isOver || !this.#isStarted || this.#answer !== undefined) return;
    const parts: EventPart[] = [...this.#silent];
    for (const { part } of this.#requests) {
      if (part === undefined) return;
      parts.push(part);
    }
    const { contentType, body } = eventAnswer(this.#context.form, parts, this.#context.random);
    const fields = buildFields([
      { name: 'content-type', value: contentType },
      { name: 'cache-control', value: 'no-store' },
    ]);
    this.#answer = body;
    const isAnswered = parts.some(({ answer }) => answer !== undefined);
    this.#responder.head({ status: isAnswered ? 200 : 502, fields, contentLength: body.length, hasBody: true, upgrade: false });
    this.#write(isAnswered ? undefined : 'no server has answered');
    this.#context.touch();
  }

  // ---- the answer ----

  responseWritten(): void {
    this.#write(undefined);
  }

  #write(failure: string | undefined): void {
    const answer = this.#answer;
    if (answer === undefined || this.#isOver || this.#isWriting) return;
    this.#isWriting = true;
    while (this.#answered < answer.length && this.#responder.pendingBytes < maxPendingBytes) {
      const end = Math.min(answer.length, this.#answered + pieceBytes);
      this.#responder.data(answer, this.#answered, end);
      this.#answered = end;
    }
    this.#isWriting = false;
    this.answerBytes = this.#answered;
    if (this.#answered < answer.length || this.#isOver) return;
    this.#finish(failure);
    this.#responder.end(undefined);
  }

  // ---- end ----

  refuse(code: NetworkErrorCode, reason: string): void {
    if (this.#isOver) return;
    this.#finish(reason);
    this.#context.answerError(this.#head, this.#responder, code, reason);
  }

  #finish(failure: string | undefined): void {
    this.#isOver = true;
    this.#pieces.length = 0;
    for (const request of this.#requests) request.abort();
    this.#context.ended(this, this.#heldBytes, failure);
  }

  /** Ends it now. */
  stop(): void {
    if (this.#isOver) return;
    if (this.#answer === undefined) this.refuse(NetworkErrorCode.noServer, 'the site is shutting down');
    else {
      this.#finish('the site is shutting down');
      this.#responder.fail(ExchangeFailure.cancelled, 'the site is shutting down');
    }
  }
}

const tooLong = `an event has up to ${maxEventRequestBytes} bytes`;

/** Octets of the answer that are given at a time. */
const pieceBytes = 65_536;
