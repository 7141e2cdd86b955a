import { assert } from '../../base/errors.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import { maxFieldBytes } from '../http/exchange.ts';
import type { HttpHandler } from '../http/exchange.ts';
import type { ErrorAnswer } from '../http1/http1-server.ts';
import { DateField } from './date-field.ts';
import { Http2Server } from './http2-server.ts';
import type { Http2ServerContext } from './http2-server.ts';
import { http2Shared } from './http2-shared.ts';
import type { Http2Host, Http2Shared } from './http2-shared.ts';

export interface Http2ListenerOptions {
  readonly scheme: 'http' | 'https';
  /** Of a head as a whole, as HTTP/2 counts them (32 for each field besides its octets); `maxFieldBytes` at most. */
  readonly maxHeaderBytes: number;
  /**
   * From the connection's start until the client has said its settings; from the first octet of a head to its last; also for each
   * `minBodyBytes` of a body of known length that is waited for.
   */
  readonly headerTimeoutMs: number;
  /** Without requests; also without any progress of a body that is waited for, or of an answer that the client does not take. */
  readonly idleTimeoutMs: number;
  /** Makes the answer to a request that does not reach the handler, or that the handler fails. */
  errorAnswer(status: number, reason: string): ErrorAnswer;
}

/** The client connections of one listener that speak HTTP/2. */
export class Http2Listener implements Http2ServerContext {
  readonly #handler: HttpHandler;
  readonly shared: Http2Shared;
  readonly date: DateField;
  readonly options: Http2ListenerOptions;
  readonly #servers = new Set<Http2Server>();
  #retiring = false;
  #draining = false;

  constructor(handler: HttpHandler, host: Http2Host, options: Http2ListenerOptions) {
    assert(options.maxHeaderBytes <= maxFieldBytes, 'heads of more octets than routers carry');
    this.#handler = handler;
    this.shared = http2Shared(host, options.maxHeaderBytes);
    this.date = new DateField(host.clock);
    this.options = options;
  }

  /** Connections. */
  get active(): number {
    return this.#servers.size;
  }

  /** Requests under way. */
  get requests(): number {
    let sum = 0;
    for (const server of this.#servers) sum += server.requests;
    return sum;
  }

  /**
   * Takes over a paused socket. `client` is the client's address without port; `first` are octets that were read from it before. The owner
   * bounds how many there are. `handler` takes the requests of this connection in place of the listener's.
   */
  accept(socket: StreamSocket, client: string, first: Uint8Array | undefined, handler: HttpHandler = this.#handler): void {
    const server = new Http2Server(this, socket, client, handler);
    this.#servers.add(server);
    server.start(first);
    if (this.#retiring) server.retire();
    if (this.#draining) server.drain();
  }

  /** Ends what is too late. To be called about once a second while there are connections. */
  sweep(nowMs: number): void {
    for (const server of this.#servers) server.sweep(nowMs);
  }

  /** Tells all clients to send new requests elsewhere; what they have sent is answered. */
  retire(): void {
    this.#retiring = true;
    for (const server of this.#servers) server.retire();
  }

  /** Takes no more requests, and closes each connection behind its last answer. */
  drain(): void {
    this.#draining = true;
    for (const server of this.#servers) server.drain();
  }

  /** Ends all connections now. */
  stop(): void {
    for (const server of this.#servers) server.stop();
  }

  ended(server: Http2Server): void {
    this.#servers.delete(server);
  }
}
