import { ExchangeFailure } from './exchange.ts';
import type { FieldBlock, HttpHandler, RequestHead, RequestSink, Responder, ResponseHead } from './exchange.ts';

/** What takes a request on a connection that has not been used before. */
export interface NewConnections {
  handleOnNew(head: RequestHead, responder: Responder): RequestSink;
}

const repeatableMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/**
 * A request without a body on a connection that was idle: when the connection ends before an answer begins, the server has most probably
 * closed it for being idle, and the request is repeated on a new one (RFC 9112 §9.3.1 allows that for idempotent methods).
 */
export class ReusedExchange implements RequestSink {
  #sink: RequestSink;
  #ended = false;
  #over = false;

  constructor(connections: NewConnections, connection: HttpHandler, head: RequestHead, responder: Responder) {
    this.#sink = connection.handle(head, new FirstAnswer(this, connections, head, responder));
  }

  static isFor(head: RequestHead): boolean {
    return head.contentLength === 0 && head.upgrade === '' && repeatableMethods.has(head.method);
  }

  /** The connection has ended without an answer. False when nobody waits for one any more. */
  repeat(connections: NewConnections, head: RequestHead, responder: Responder): boolean {
    if (this.#over) return false;
    this.#sink = connections.handleOnNew(head, responder);
    if (this.#ended) this.#sink.end(undefined);
    return true;
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#sink.data(bytes, start, end);
  }

  end(trailers: FieldBlock | undefined): void {
    this.#ended = true;
    this.#sink.end(trailers);
  }

  abort(failure: ExchangeFailure): void {
    this.#over = true;
    this.#sink.abort(failure);
  }

  responseWritten(): void {
    this.#sink.responseWritten();
  }

  get congested(): boolean {
    return this.#sink.congested;
  }
}

/** What comes back on the connection that was used before. */
class FirstAnswer implements Responder {
  readonly #exchange: ReusedExchange;
  readonly #connections: NewConnections;
  readonly #head: RequestHead;
  readonly #responder: Responder;
  #begun = false;

  constructor(exchange: ReusedExchange, connections: NewConnections, head: RequestHead, responder: Responder) {
    this.#exchange = exchange;
    this.#connections = connections;
    this.#head = head;
    this.#responder = responder;
  }

  interim(status: number, fields: FieldBlock): void {
    this.#begun = true;
    this.#responder.interim(status, fields);
  }

  head(head: ResponseHead): void {
    this.#begun = true;
    this.#responder.head(head);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#responder.data(bytes, start, end);
  }

  end(trailers: FieldBlock | undefined): void {
    this.#responder.end(trailers);
  }

  fail(failure: ExchangeFailure, reason: string): void {
    const mayRepeat = failure === ExchangeFailure.broken && !this.#begun;
    if (!mayRepeat || !this.#exchange.repeat(this.#connections, this.#head, this.#responder)) this.#responder.fail(failure, reason);
  }

  requestRelieved(): void {
    this.#responder.requestRelieved();
  }

  get pendingBytes(): number {
    return this.#responder.pendingBytes;
  }
}
