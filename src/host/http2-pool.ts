import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { ExchangeFailure } from '../services/http/exchange.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from '../services/http/exchange.ts';
import type { Activate } from '../services/http/connection-pool.ts';
import { ClientRequest } from './http2-client-request.ts';
import type { ClientRequestOwner } from './http2-client-request.ts';
import { ClientSession } from './http2-client-session.ts';
import type { ClientSessionOptions, ClientSessionOwner } from './http2-client-session.ts';
import { maxSessionsPerServer, maxWaitingRequests } from './http2-limits.ts';
import type { TurnQueue } from './turn.ts';

/** Opens a connection; exactly one of the callbacks is called, later. The returned function gives up. */
export type ConnectSocket = (connected: (socket: Socket) => void, failed: (error: Error) => void) => () => void;

export interface Http2PoolOptions extends ClientSessionOptions {
  /** For a server that runs only while it is needed: how to start it, and how long requests wait for it. */
  readonly activation?: { readonly activate: Activate; readonly timeoutMs: number };
}

export interface Http2PoolContext {
  readonly connect: ConnectSocket;
  readonly clock: Clock;
  readonly turns: TurnQueue;
  /** Asks for a call of `handleTimeout` at that time; a later call takes the place of the one before. */
  readonly wakeAt: (dueMs: number) => void;
}

/** Connections without requests are closed after this time. */
export const defaultIdleTimeoutMs = 60_000;
/** While a server is being started, it is tried this often. */
const activationRetryMs = 250;

/**
 * The connections to one server that speaks HTTP/2: with prior knowledge, or chosen with TLS. Each takes as many requests as the server
 * allows; another is opened when that is not enough.
 */
export class Http2Pool implements HttpHandler, ClientSessionOwner, ClientRequestOwner {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly turns: TurnQueue;
  readonly #options: Http2PoolOptions;
  readonly #context: Http2PoolContext;
  /** The oldest first: it is used first, so that others get idle. */
  readonly #sessions = new Set<ClientSession>();
  readonly #waiting = new Set<ClientRequest>();
  readonly #connecting = new Set<() => void>();
  /** The server is being started: since then, and when it is tried again. */
  #activatingSinceMs = Infinity;
  #retryAtMs = Infinity;
  #wakeAtMs = Infinity;
  #stopped = false;
  /** Why the last connection could not be opened; undefined after a success. */
  lastFailure: string | undefined;

  constructor(options: Http2PoolOptions, context: Http2PoolContext) {
    this.#options = options;
    this.#context = context;
    this.scheme = options.scheme;
    this.host = options.host;
    this.turns = context.turns;
  }

  get connections(): number {
    return this.#sessions.size;
  }

  /** Requests under way on connections. */
  get requests(): number {
    let sum = 0;
    for (const session of this.#sessions) sum += session.requests;
    return sum;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const request = new ClientRequest(this, head, responder);
    const session = this.#sessionWithRoom();
    if (session !== undefined) {
      request.start(session);
      this.#wake(session.nextDeadlineMs());
    } else if (this.#stopped || this.#waiting.size >= maxWaitingRequests) {
      const reason = this.#stopped ? 'the server is withdrawn' : 'too many requests wait for a connection';
      request.failLater(ExchangeFailure.notProcessed, reason);
    } else this.#wait(request);
    return request;
  }

  #sessionWithRoom(): ClientSession | undefined {
    for (const session of this.#sessions) if (session.room > 0) return session;
    return undefined;
  }

  #wait(request: ClientRequest): void {
    this.#waiting.add(request);
    this.#openMore();
  }

  again(request: ClientRequest): boolean {
    if (this.#stopped || this.#waiting.size >= maxWaitingRequests) return false;
    const session = this.#sessionWithRoom();
    if (session === undefined) this.#wait(request);
    else request.start(session);
    return true;
  }

  over(request: ClientRequest): void {
    this.#waiting.delete(request);
  }

  // ---- connections ----

  /** One connection at a time is opened: how many requests it takes is known only then. */
  #openMore(): void {
    if (this.#stopped || this.#waiting.size === 0 || this.#connecting.size > 0 || this.#retryAtMs < Infinity) return;
    if (this.#sessions.size >= maxSessionsPerServer) return;
    for (const session of this.#sessions) if (session.isOpening) return;
    const giveUp = this.#context.connect(
      (socket) => {
        this.#connecting.delete(giveUp);
        if (this.#stopped) {
          socket.destroy();
          return;
        }
        const session = new ClientSession(this, this.#options, this.#context.clock, socket);
        this.#sessions.add(session);
        this.#wake(session.nextDeadlineMs());
      },
      (error) => {
        this.#connecting.delete(giveUp);
        this.#connectFailed(error.message);
      },
    );
    this.#connecting.add(giveUp);
  }

  opened(session: ClientSession): void {
    this.lastFailure = undefined;
    this.#activatingSinceMs = Infinity;
    this.hasRoom(session);
    this.#openMore();
    this.turns.touch();
  }

  hasRoom(session: ClientSession): void {
    for (const request of this.#waiting) {
      if (session.room <= 0) break;
      this.#waiting.delete(request);
      request.start(session);
    }
    this.#wake(session.nextDeadlineMs());
  }

  closing(session: ClientSession): void {
    this.#wake(session.nextDeadlineMs());
  }

  ended(session: ClientSession, reason: string): void {
    const wasOpening = session.wasOpening;
    this.#sessions.delete(session);
    if (wasOpening) this.#connectFailed(reason);
    else this.#openMore();
    this.turns.touch();
  }

  #connectFailed(reason: string): void {
    this.lastFailure = reason;
    const { activation } = this.#options;
    const nowMs = this.#context.clock.nowMs();
    if (activation !== undefined && this.#waiting.size > 0) {
      if (this.#activatingSinceMs === Infinity) {
        this.#activatingSinceMs = nowMs;
        activation.activate();
      }
      if (nowMs - this.#activatingSinceMs < activation.timeoutMs) {
        this.#retryAtMs = nowMs + activationRetryMs;
        this.#wake(this.#retryAtMs);
        return;
      }
      this.#activatingSinceMs = Infinity;
    }
    // All of them waited for this one.
    for (const request of [...this.#waiting]) request.fail(ExchangeFailure.unreachable, reason);
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
    for (const session of [...this.#sessions]) session.handleTimeout(nowMs);
    if (this.#retryAtMs <= nowMs) {
      this.#retryAtMs = Infinity;
      if (this.#waiting.size > 0) this.#openMore();
      else this.#activatingSinceMs = Infinity;
    }
    let nextMs = this.#retryAtMs;
    for (const session of this.#sessions) nextMs = Math.min(nextMs, session.nextDeadlineMs());
    // Never at once again: what was due has been done, or is under way.
    if (nextMs < Infinity) this.#wake(Math.max(nextMs, nowMs + 1));
  }

  /** Ends all connections; requests in progress fail. */
  stop(): void {
    this.#stopped = true;
    for (const giveUp of this.#connecting) giveUp();
    this.#connecting.clear();
    for (const request of [...this.#waiting]) request.fail(ExchangeFailure.notProcessed, 'the server is withdrawn');
    for (const session of [...this.#sessions]) session.stop();
  }
}
