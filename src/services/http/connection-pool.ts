import type { Clock } from '../../base/clock.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import type { ConnectServer } from '../tcp/connector.ts';
import type { EndOfTurn } from './end-of-turn.ts';
import { ExchangeFailure } from './exchange.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from './exchange.ts';
import { ReusedExchange } from './reused-exchange.ts';
import { ServerStart } from './server-start.ts';
import type { Activation } from './server-start.ts';
import { WaitingExchange } from './waiting-exchange.ts';

/** A connection to a server that carries one exchange at a time. */
export interface PooledConnection extends HttpHandler {
  readonly isIdle: boolean;
  /** How long the server keeps an idle connection, as it says; Infinity = it says nothing. */
  readonly reusableForMs: number;
  /** Exchanges so far. */
  readonly requests: number;
  /** Ends it now; an exchange in progress fails. */
  close(): void;
}

/** Hears of a connection. */
export interface PooledConnectionOwner {
  /** Its exchange is over, and it takes another. */
  idle(connection: PooledConnection): void;
  /** It is over. Called once, behind the end of an exchange in progress. */
  ended(connection: PooledConnection, error: Error | undefined): void;
}

export interface ConnectionPoolOptions {
  /** Connections open at a time. */
  readonly maxConnections: number;
  /** Connections without an exchange are closed after this time, or a second before the server would. */
  readonly idleTimeoutMs: number;
  readonly activation?: Activation;
}

export interface ConnectionPoolContext {
  readonly connect: ConnectServer;
  /** Makes the protocol's end for a connected socket. */
  readonly open: (owner: PooledConnectionOwner, socket: StreamSocket) => PooledConnection;
  readonly clock: Clock;
  readonly turns: EndOfTurn;
  /** Asks for a call of `handleTimeout` at that time; a later call takes the place of the one before. */
  readonly wakeAt: (dueMs: number) => void;
}

/** Shorter than the time after which common servers close idle connections: a request that meets the close may be lost. */
export const defaultIdleTimeoutMs = 4_000;
/** How long before a server's own time an idle connection is given up. */
const closeMarginMs = 1_000;
/** Requests that wait for a connection; more are refused. */
export const maxWaitingRequests = 1_024;

/** The connections to one server: gives each request one of its own, idle or new, or lets it wait for one. */
export class ConnectionPool implements HttpHandler, PooledConnectionOwner {
  readonly #options: ConnectionPoolOptions;
  readonly #context: ConnectionPoolContext;
  readonly #connections = new Set<PooledConnection>();
  /** The one that was used last comes first, so that others get old and are closed. */
  readonly #idle: PooledConnection[] = [];
  /** Until when each of `#idle` is good. */
  readonly #idleUntilMs: number[] = [];
  readonly #waiting = new Set<WaitingExchange>();
  readonly #opening = new Set<() => void>();
  readonly #start: ServerStart;
  #wakeAtMs = Infinity;
  #stopped = false;
  /** Why the last connection could not be opened; undefined after a success. */
  lastFailure: string | undefined;

  constructor(options: ConnectionPoolOptions, context: ConnectionPoolContext) {
    this.#options = options;
    this.#context = context;
    this.#start = new ServerStart(options.activation);
  }

  get connections(): number {
    return this.#connections.size;
  }

  get idleConnections(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    const connection = this.#takeIdle();
    if (connection !== undefined) {
      // A server may close a connection at the moment it is used again: what is safe to repeat is tried once more on a new one.
      if (ReusedExchange.isFor(head)) return new ReusedExchange(this, connection, head, responder);
      return connection.handle(head, responder);
    }
    return this.handleOnNew(head, responder);
  }

  /** As `handle`, without a connection that was used before. */
  handleOnNew(head: RequestHead, responder: Responder): RequestSink {
    const exchange = new WaitingExchange(head, responder, (gone) => this.#waiting.delete(gone));
    if (this.#stopped || this.#waiting.size >= maxWaitingRequests) {
      exchange.failLater(
        ExchangeFailure.notProcessed,
        this.#stopped ? 'the server is withdrawn' : 'too many requests wait for a connection',
      );
      this.#context.turns.add(exchange);
      return exchange;
    }
    this.#waiting.add(exchange);
    this.#openMore();
    return exchange;
  }

  #takeIdle(): PooledConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      const untilMs = this.#idleUntilMs.pop() ?? 0;
      if (connection.isIdle && untilMs > this.#context.clock.nowMs()) return connection;
      connection.close();
    }
    return undefined;
  }

  // ---- connections ----

  /** Opens a connection for each request that waits, within the limit. */
  #openMore(): void {
    if (this.#start.isUnderWay && this.#opening.size > 0) return;
    while (this.#opening.size < this.#waiting.size && this.#opening.size + this.#connections.size < this.#options.maxConnections) {
      this.#open();
      if (this.#start.isUnderWay) return;
    }
  }

  #open(): void {
    const giveUp = this.#context.connect(
      (socket) => {
        this.#opening.delete(giveUp);
        if (this.#stopped) {
          socket.destroy(false);
          return;
        }
        this.lastFailure = undefined;
        this.#start.over();
        const connection = this.#context.open(this, socket);
        this.#connections.add(connection);
        this.#give(connection);
        this.#openMore();
      },
      (error) => {
        this.#opening.delete(giveUp);
        this.lastFailure = error.message;
        this.#connectFailed(error.message);
      },
    );
    this.#opening.add(giveUp);
  }

  #connectFailed(reason: string): void {
    if (this.#waiting.size > 0) {
      const outcome = this.#start.connectFailed(this.#context.clock.nowMs());
      if (outcome === 'wait') {
        this.#wake(this.#start.retryAtMs);
        return;
      }
      if (outcome === 'late') {
        for (const exchange of [...this.#waiting]) this.#refuse(exchange, `the server did not start: ${reason}`);
        return;
      }
    }
    // Each attempt is for one request.
    for (const exchange of this.#waiting) {
      this.#refuse(exchange, reason);
      break;
    }
    this.#openMore();
  }

  #refuse(exchange: WaitingExchange, reason: string): void {
    this.#waiting.delete(exchange);
    exchange.fail(ExchangeFailure.unreachable, reason);
  }

  #give(connection: PooledConnection): void {
    for (const exchange of this.#waiting) {
      this.#waiting.delete(exchange);
      exchange.start(connection);
      return;
    }
    const untilMs = this.#context.clock.nowMs() + Math.min(this.#options.idleTimeoutMs, connection.reusableForMs - closeMarginMs);
    this.#idle.push(connection);
    this.#idleUntilMs.push(untilMs);
    this.#wake(untilMs);
  }

  idle(connection: PooledConnection): void {
    if (!this.#connections.has(connection)) return;
    if (this.#stopped) connection.close();
    else this.#give(connection);
  }

  ended(connection: PooledConnection): void {
    this.#connections.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) {
      this.#idle.splice(index, 1);
      this.#idleUntilMs.splice(index, 1);
    }
    if (!this.#stopped) this.#openMore();
  }

  // ---- time ----

  #wake(dueMs: number): void {
    if (dueMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = dueMs;
    this.#context.wakeAt(dueMs);
  }

  /** Closes connections that have been idle for long, and tries a server that is being started. */
  handleTimeout(): void {
    this.#wakeAtMs = Infinity;
    const nowMs = this.#context.clock.nowMs();
    let nextMs = Infinity;
    const old: PooledConnection[] = [];
    for (const [index, connection] of this.#idle.entries()) {
      if (this.#idleUntilMs[index] <= nowMs) old.push(connection);
      else nextMs = Math.min(nextMs, this.#idleUntilMs[index]);
    }
    for (const connection of old) connection.close();
    if (this.#start.isDue(nowMs)) {
      if (this.#waiting.size > 0) this.#openMore();
      else this.#start.over();
    }
    nextMs = Math.min(nextMs, this.#start.retryAtMs);
    if (nextMs < Infinity) this.#wake(nextMs);
  }

  /** Ends all connections; requests in progress fail. */
  stop(): void {
    this.#stopped = true;
    for (const giveUp of this.#opening) giveUp();
    this.#opening.clear();
    for (const exchange of [...this.#waiting]) {
      this.#waiting.delete(exchange);
      exchange.fail(ExchangeFailure.notProcessed, 'the server is withdrawn');
    }
    for (const connection of [...this.#connections]) connection.close();
  }
}
