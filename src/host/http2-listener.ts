import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import { maxFieldBytes } from '../services/http/exchange.ts';
import type { HttpHandler } from '../services/http/exchange.ts';
import type { ErrorAnswer } from '../services/http1/http1-server.ts';
import { Http2Server } from './http2-server.ts';
import type { Http2ServerContext } from './http2-server.ts';
import type { TurnQueue } from './turn.ts';

export interface Http2ListenerOptions {
  readonly scheme: 'http' | 'https';
  /** Of a head as a whole, as HTTP/2 counts them (32 for each field besides its octets); `maxFieldBytes` at most. */
  readonly maxHeaderBytes: number;
  /** From the connection's start until the client has said its settings. */
  readonly headerTimeoutMs: number;
  /** Without requests; also without any progress of a body that is waited for, or of an answer that the client does not take. */
  readonly idleTimeoutMs: number;
  /** Makes the answer to a request that does not reach the handler, or that the handler fails. */
  errorAnswer(status: number, reason: string): ErrorAnswer;
}

/** The client connections of one listener that speak HTTP/2. */
export class Http2Listener implements Http2ServerContext {
  readonly handler: HttpHandler;
  readonly clock: Clock;
  readonly turns: TurnQueue;
  readonly options: Http2ListenerOptions;
  readonly #servers = new Set<Http2Server>();
  #retiring = false;
  #draining = false;

  constructor(handler: HttpHandler, clock: Clock, turns: TurnQueue, options: Http2ListenerOptions) {
    assert(options.maxHeaderBytes <= maxFieldBytes, 'heads of more octets than routers carry');
    this.handler = handler;
    this.clock = clock;
    this.turns = turns;
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
   * Takes over a paused socket, of TLS or not, from which nothing has been read, or whose octets have been put back by `unshift`. `client` is
   * the client's address without port. The owner bounds how many there are.
   */
  accept(socket: Socket, client: string): void {
    const server = new Http2Server(this, socket, client);
    this.#servers.add(server);
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
