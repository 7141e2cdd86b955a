import { performServerHandshake } from 'node:http2';
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { HttpHandler } from '../services/http/exchange.ts';
import { HttpViolation } from '../services/http1/http-violation.ts';
import { FloodGuard } from './http2-flood-guard.ts';
import { readRequestHead } from './http2-heads.ts';
import type { ClientSide } from './http2-heads.ts';
import { connectionWindowBytes, errorCode, localSettings, maxConcurrentStreams, sessionOptions } from './http2-limits.ts';
import type { Http2ListenerOptions } from './http2-listener.ts';
import { ServerStream } from './http2-server-stream.ts';
import type { TurnQueue } from './turn.ts';

/** What the connections of one listener share. */
export interface Http2ServerContext {
  readonly handler: HttpHandler;
  readonly clock: Clock;
  readonly turns: TurnQueue;
  readonly options: Http2ListenerOptions;
  /** The connection is over. Called once. */
  ended(server: Http2Server): void;
}

/** Says before the last GOAWAY that one will come: streams up to the highest number are still taken (RFC 9113 §6.8). */
const highestStream = 2 ** 31 - 1;
/** Bit of HEADERS: nothing follows. */
const endStreamFlag = 0x1;

/**
 * The connection of a client that speaks HTTP/2. `node:http2` reads and writes its frames; here is what becomes of them:
 *
 *     session 'stream' ─► readRequestHead ─► handler.handle ─► ServerStream: body to the sink, answer to the stream
 *
 * Malformed requests end their stream, too many of them the connection; so do floods of what costs the client nothing.
 */
export class Http2Server implements ClientSide {
  readonly context: Http2ServerContext;
  readonly scheme: 'http' | 'https';
  readonly client: string;
  checkedAuthority = '';
  /** Octets of answers that wait, over all streams. */
  pendingBytes = 0;
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly guard: FloodGuard = new FloodGuard();
  readonly #streams = new Set<ServerStream>();
  /** The client's settings have come. */
  #isOpen = false;
  #deadlineMs: number;
  #retired = false;
  #gone = false;

  constructor(context: Http2ServerContext, socket: Socket, client: string) {
    this.context = context;
    this.client = client;
    this.#socket = socket;
    const { scheme, maxHeaderBytes, headerTimeoutMs } = context.options;
    this.scheme = scheme;
    this.#deadlineMs = context.clock.nowMs() + headerTimeoutMs;
    const session = performServerHandshake(socket, {
      ...sessionOptions,
      settings: { ...localSettings(maxHeaderBytes), maxConcurrentStreams, enableConnectProtocol: true },
    });
    this.#session = session;
    session.setLocalWindowSize(connectionWindowBytes);
    session.on('stream', (stream, _headers, flags, raw) => this.#request(stream, flags, raw));
    session.on('remoteSettings', () => {
      this.#isOpen = true;
      if (!this.guard.settings(context.clock.nowMs())) this.#cut();
    });
    session.on('ping', () => {
      if (!this.guard.ping(context.clock.nowMs())) this.#cut();
    });
    // Whatever it was, 'close' follows.
    session.on('error', () => {});
    session.on('close', () => this.#closed());
    // The socket is half-open; a client that ends its direction cannot take part any more.
    socket.on('end', () => session.destroy());
    socket.on('error', () => {});
    socket.on('close', () => session.destroy());
    // The session reads below the socket, and takes what was put back; the socket itself stays paused, but its handle must read.
    socket.read(0);
  }

  #request(stream: ServerHttp2Stream, flags: number, raw: string[]): void {
    const { handler, turns, options } = this.context;
    // What has already been reset says so by 'aborted' or 'close', which nobody would hear.
    if (stream.closed || stream.destroyed) {
      stream.on('error', () => {});
      this.resetByClient();
      return;
    }
    this.guard.requested(options.maxHeaderBytes);
    const bodyFollows = (flags & endStreamFlag) === 0;
    const answer = new ServerStream(this, stream);
    try {
      const head = readRequestHead(raw, bodyFollows, this);
      this.#streams.add(answer);
      answer.start(head, handler, bodyFollows);
    } catch (error) {
      if (!(error instanceof HttpViolation)) throw error;
      if (error.status === 400) {
        this.resetByClient();
        stream.close(errorCode.protocolError);
      } else answer.refuse(error.status, error.message, bodyFollows);
    }
    turns.touch();
  }

  /** A stream has ended as it should. */
  streamEnded(stream: ServerStream): void {
    this.#streams.delete(stream);
    this.guard.completed();
    this.#rest();
  }

  /** A stream has ended before its answer was complete, by the client's doing. */
  streamReset(stream: ServerStream): void {
    this.#streams.delete(stream);
    this.resetByClient();
    this.#rest();
  }

  /** Counts a request that came to nothing. */
  resetByClient(): void {
    if (!this.guard.reset(this.context.clock.nowMs())) this.#cut();
  }

  /** Requests under way. */
  get requests(): number {
    return this.#streams.size;
  }

  #rest(): void {
    if (this.#streams.size === 0) this.#deadlineMs = this.context.clock.nowMs() + this.context.options.idleTimeoutMs;
  }

  /** Ends what is too late. */
  sweep(nowMs: number): void {
    if (this.#gone) return;
    if (!this.guard.octets(nowMs, this.#socket.bytesRead)) {
      this.#cut();
      return;
    }
    if (this.#isOpen && this.#streams.size > 0) {
      for (const stream of this.#streams) stream.sweep(nowMs);
      return;
    }
    if (nowMs < this.#deadlineMs) return;
    if (!this.#isOpen || this.#session.closed) {
      this.#session.destroy();
      return;
    }
    this.#deadlineMs = nowMs + this.context.options.headerTimeoutMs;
    this.#session.close();
  }

  retire(): void {
    if (this.#retired || this.#session.destroyed) return;
    this.#retired = true;
    this.#session.goaway(errorCode.noError, highestStream);
  }

  drain(): void {
    this.#session.close();
  }

  stop(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  /** A client that does harm. */
  #cut(): void {
    if (!this.#session.destroyed) this.#session.destroy(undefined, errorCode.enhanceYourCalm);
  }

  #closed(): void {
    if (this.#gone) return;
    this.#gone = true;
    for (const stream of this.#streams) stream.connectionLost();
    this.#streams.clear();
    this.#socket.destroy();
    this.context.ended(this);
    this.context.turns.touch();
  }
}
