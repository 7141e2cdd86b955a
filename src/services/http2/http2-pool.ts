import { maxWaitingRequests } from '../http/connection-pool.ts';
import type { EndOfTurn } from '../http/end-of-turn.ts';
import { ExchangeFailure, maxFieldBytes } from '../http/exchange.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from '../http/exchange.ts';
import { ServerStart } from '../http/server-start.ts';
import type { Activation } from '../http/server-start.ts';
import type { ConnectServer } from '../tcp/connector.ts';
import { ClientStream } from './client-stream.ts';
import type { ClientStreamOwner } from './client-stream.ts';
import { Http2Client } from './http2-client.ts';
import type { Http2ClientOptions, Http2ClientOwner } from './http2-client.ts';
import { http2Shared } from './http2-shared.ts';
import type { Http2Host, Http2Shared } from './http2-shared.ts';
import { maxSessionsPerServer } from './limits.ts';

export interface Http2PoolOptions extends Http2ClientOptions {
  readonly activation?: Activation;
}

export interface Http2PoolContext extends Http2Host {
  readonly connect: ConnectServer;
  /** Asks for a call of `handleTimeout` at that time; a later call takes the place of the one before. */
  readonly wakeAt: (dueMs: number) => void;
}

/** Connections without requests are closed after this time. */
export const defaultIdleTimeoutMs = 60_000;

/**
 * The connections to one server that speaks HTTP/2: with prior knowledge, or chosen with TLS. Each takes as many requests as the server
 * allows; another is opened when that is not enough.
 */
export class Http2Pool implements HttpHandler, Http2ClientOwner, ClientStreamOwner {
  readonly turns: EndOfTurn;
  readonly #options: Http2PoolOptions;
  readonly #context: Http2PoolContext;
  readonly #shared: Http2Shared;
  /** The oldest first: it is used first, so that others get idle. */
  readonly #clients = new Set<Http2Client>();
  readonly #waiting = new Set<ClientStream>();
  readonly #connecting = new Set<() => void>();
  readonly #start: ServerStart;
  #wakeAtMs = Infinity;
  #stopped = false;
  /** Why the last connection could not be opened; undefined after a success. */
  lastFailure: string | undefined;

  constructor(options: Http2PoolOptions, context: Http2PoolContext) {
    this.#options = options;
    this.#context = context;
    this.#shared = http2Shared(context, maxFieldBytes);
    this.turns = context.turns;
    this.#start = new ServerStart(options.activation);
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** Requests under way on connections. */
  get requests(): number {
    let sum = 0;
    for (const client of this.#clients) sum += client.requests;
    return sum;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const stream = new ClientStream(this, head, responder);
    const client = this.#clientWithPlace();
    if (client !== undefined) {
      stream.start(client);
      this.#wake(client.nextDeadlineMs());
    } else if (this.#stopped || this.#waiting.size >= maxWaitingRequests) {
      const reason = this.#stopped ? 'the server is withdrawn' : 'too many requests wait for a connection';
      stream.failLater(ExchangeFailure.notProcessed, reason);
    } else this.#wait(stream);
    return stream;
  }

  #clientWithPlace(): Http2Client | undefined {
    for (const client of this.#clients) if (client.places > 0) return client;
    return undefined;
  }

  #wait(stream: ClientStream): void {
    this.#waiting.add(stream);
    this.#openMore();
  }

  again(stream: ClientStream): boolean {
    if (this.#stopped || this.#waiting.size >= maxWaitingRequests) return false;
    const client = this.#clientWithPlace();
    if (client === undefined) this.#wait(stream);
    else stream.start(client);
    return true;
  }

  over(stream: ClientStream): void {
    this.#waiting.delete(stream);
  }

  // ---- connections ----

  /** One connection at a time is opened: how many requests it takes is known only then. */
  #openMore(): void {
    if (this.#stopped || this.#waiting.size === 0 || this.#connecting.size > 0 || this.#start.retryAtMs < Infinity) return;
    if (this.#clients.size >= maxSessionsPerServer) return;
    // Of a server that allows no request on an empty connection, another would bring nothing: what waits goes out when it allows some.
    for (const client of this.#clients) if (client.isOpening || (client.takesRequests && client.requests === 0)) return;
    const giveUp = this.#context.connect(
      (socket) => {
        this.#connecting.delete(giveUp);
        if (this.#stopped) {
          socket.destroy(false);
          return;
        }
        const client = new Http2Client(this, this.#options, this.#shared, socket);
        this.#clients.add(client);
        this.#wake(client.nextDeadlineMs());
      },
      (error) => {
        this.#connecting.delete(giveUp);
        this.#connectFailed(error.message);
      },
    );
    this.#connecting.add(giveUp);
  }

  opened(client: Http2Client): void {
    this.lastFailure = undefined;
    this.#start.over();
    this.hasRoom(client);
  }

  hasRoom(client: Http2Client): void {
    for (const stream of this.#waiting) {
      if (client.places <= 0) break;
      this.#waiting.delete(stream);
      stream.startLate(client);
    }
    this.#openMore();
    this.#wake(client.nextDeadlineMs());
  }

  closing(client: Http2Client): void {
    this.#wake(client.nextDeadlineMs());
  }

  ended(client: Http2Client, reason: string): void {
    this.#clients.delete(client);
    if (client.wasOpening) this.#connectFailed(reason);
    else this.#openMore();
  }

  #connectFailed(reason: string): void {
    this.lastFailure = reason;
    if (this.#waiting.size > 0 && this.#start.connectFailed(this.#context.clock.nowMs()) === 'wait') {
      this.#wake(this.#start.retryAtMs);
      return;
    }
    // All of them waited for this one.
    for (const stream of [...this.#waiting]) stream.fail(ExchangeFailure.unreachable, reason);
  }

  // ---- time ----

  #wake(dueMs: number): void {
    if (dueMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = dueMs;
    this.#context.wakeAt(dueMs);
  }

  /** Closes idle connections, finds out about silent ones, and tries a server that is being started. */
  handleTimeout(): void {
    this.#wakeAtMs = Infinity;
    const nowMs = this.#context.clock.nowMs();
    for (const client of [...this.#clients]) client.handleTimeout(nowMs);
    if (this.#start.isDue(nowMs)) {
      if (this.#waiting.size > 0) this.#openMore();
      else this.#start.over();
    }
    let nextMs = this.#start.retryAtMs;
    for (const client of this.#clients) nextMs = Math.min(nextMs, client.nextDeadlineMs());
    // Never at once again: what was due has been done, or is under way.
    if (nextMs < Infinity) this.#wake(Math.max(nextMs, nowMs + 1));
  }

  /** Ends all connections; requests in progress fail. */
  stop(): void {
    this.#stopped = true;
    for (const giveUp of this.#connecting) giveUp();
    this.#connecting.clear();
    for (const stream of [...this.#waiting]) stream.fail(ExchangeFailure.notProcessed, 'the server is withdrawn');
    for (const client of [...this.#clients]) client.stop();
  }
}
