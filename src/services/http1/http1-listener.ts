import type { Clock } from '../../base/clock.ts';
import { assert } from '../../base/errors.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import { maxFieldBytes } from '../http/exchange.ts';
import type { HttpHandler } from '../http/exchange.ts';
import { HeadWriter } from './head-writer.ts';
import { DateLine } from './http-date.ts';
import { Http1Server } from './http1-server.ts';
import type { ErrorAnswer, ServerContext } from './http1-server.ts';
import { OctetPool } from './octet-pool.ts';

export interface Http1ListenerOptions {
  readonly scheme: 'http' | 'https';
  /** Of a head as a whole; `maxFieldBytes` at most. */
  readonly maxHeaderBytes: number;
  /** See `ServerContext`. */
  readonly headerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Makes the answer to a request that does not reach the handler, or that the handler fails. */
  errorAnswer(status: number, reason: string): ErrorAnswer;
}

/** The client connections of one listener. */
export class Http1Listener implements ServerContext {
  readonly handler: HttpHandler;
  readonly clock: Clock;
  readonly pool: OctetPool = new OctetPool();
  readonly writer: HeadWriter = new HeadWriter(this.pool);
  readonly dateLine: DateLine;
  readonly scheme: 'http' | 'https';
  readonly maxHeaderBytes: number;
  readonly headerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly #options: Http1ListenerOptions;
  readonly #servers = new Set<Http1Server>();
  #retiring = false;
  #draining = false;

  constructor(handler: HttpHandler, clock: Clock, options: Http1ListenerOptions) {
    assert(options.maxHeaderBytes <= maxFieldBytes, 'heads of more octets than routers carry');
    this.handler = handler;
    this.clock = clock;
    this.dateLine = new DateLine(clock);
    this.scheme = options.scheme;
    this.maxHeaderBytes = options.maxHeaderBytes;
    this.headerTimeoutMs = options.headerTimeoutMs;
    this.idleTimeoutMs = options.idleTimeoutMs;
    this.#options = options;
  }

  /** Connections. */
  get active(): number {
    return this.#servers.size;
  }

  /**
   * Takes over a paused socket. `client` is the client's address without port; `first` are octets that were read from it before. The owner
   * bounds how many there are. `handler` takes the requests of this connection.
   */
  accept(socket: StreamSocket, client: string, first: Uint8Array | undefined, handler: HttpHandler = this.handler): Http1Server {
    const server = new Http1Server(this, socket, client, handler);
    this.#servers.add(server);
    server.start(first);
    if (this.#retiring) server.retire();
    if (this.#draining) server.drain();
    return server;
  }

  /** Ends what is too late. To be called about once a second while there are connections: all timeouts are checked by it. */
  sweep(nowMs: number): void {
    for (const server of this.#servers) if (server.nextDeadlineMs() <= nowMs) server.handleTimeout(nowMs);
  }

  /** From now on each connection ends with its next answer, which says so. */
  retire(): void {
    this.#retiring = true;
    for (const server of this.#servers) server.retire();
  }

  /** Closes idle connections now and the others behind the answer in progress. Later ones serve what they have already sent at most. */
  drain(): void {
    this.#draining = true;
    for (const server of this.#servers) server.drain();
  }

  /** Ends all connections now. */
  stop(): void {
    for (const server of this.#servers) server.stop();
  }

  errorAnswer(status: number, reason: string): ErrorAnswer {
    return this.#options.errorAnswer(status, reason);
  }

  ended(server: Http1Server): void {
    this.#servers.delete(server);
  }
}
