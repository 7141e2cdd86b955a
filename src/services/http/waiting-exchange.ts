import { maxPendingBytes } from './exchange.ts';
import type { ExchangeFailure, FieldBlock, HttpHandler, RequestHead, RequestSink, Responder } from './exchange.ts';
import type { Octets } from './message-writer.ts';

/** A request that waits for a connection: what comes of its body is kept, and goes on when there is one. */
export class WaitingExchange implements RequestSink {
  readonly #head: RequestHead;
  readonly #responder: Responder;
  readonly #gone: (exchange: WaitingExchange) => void;
  #sink: RequestSink | undefined;
  #held: Octets[] = [];
  #heldBytes = 0;
  #complete = false;
  #trailers: FieldBlock | undefined;
  #over = false;
  #failure: ExchangeFailure | undefined;
  #reason = '';

  /** `gone` is called when the client gives up while it waits. */
  constructor(head: RequestHead, responder: Responder, gone: (exchange: WaitingExchange) => void) {
    this.#head = head;
    this.#responder = responder;
    this.#gone = gone;
  }

  /** Goes to a connection. */
  start(handler: HttpHandler): void {
    this.#responder.connected?.();
    const sink = handler.handle(this.#head, this.#responder);
    this.#sink = sink;
    const held = this.#held;
    const wasCongested = this.#heldBytes >= maxPendingBytes;
    this.#held = [];
    this.#heldBytes = 0;
    for (const { bytes, start, end } of held) sink.data(bytes, start, end);
    if (this.#complete) sink.end(this.#trailers);
    else if (wasCongested && !sink.congested) this.#responder.requestRelieved();
  }

  fail(failure: ExchangeFailure, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    this.#responder.fail(failure, reason);
  }

  /** Fails at the end of the turn. */
  failLater(failure: ExchangeFailure, reason: string): void {
    this.#failure = failure;
    this.#reason = reason;
  }

  endOfTurn(): void {
    if (this.#failure !== undefined) this.fail(this.#failure, this.#reason);
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#sink !== undefined) this.#sink.data(bytes, start, end);
    else if (!this.#over) {
      this.#held.push({ bytes, start, end });
      this.#heldBytes += end - start;
    }
  }

  end(trailers: FieldBlock | undefined): void {
    if (this.#sink !== undefined) {
      this.#sink.end(trailers);
      return;
    }
    this.#complete = true;
    this.#trailers = trailers;
  }

  abort(failure: ExchangeFailure): void {
    if (this.#sink !== undefined) {
      this.#sink.abort(failure);
      return;
    }
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    this.#gone(this);
  }

  responseWritten(): void {
    this.#sink?.responseWritten();
  }

  /** While it waits, at most a window of the network's stream comes, which stops when nothing is acknowledged. */
  get congested(): boolean {
    return this.#sink === undefined ? !this.#over && this.#heldBytes >= maxPendingBytes : this.#sink.congested;
  }
}
