import { connect } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { maxFieldBytes } from '../services/http/exchange.ts';
import {
  connectionWindowBytes,
  errorCode,
  localSettings,
  longSilenceMs,
  maxConcurrentStreams,
  maxResetsPerSession,
  openTimeoutMs,
  pingTimeoutMs,
  sessionOptions,
  silenceMs,
} from './http2-limits.ts';

/** Hears of a connection. */
export interface ClientSessionOwner {
  /** The server has said its settings: it takes requests. Called once. */
  opened(session: ClientSession): void;
  /** A request less, or more are allowed. */
  hasRoom(session: ClientSession): void;
  /** It takes no more requests, and ends with its last one. */
  closing(session: ClientSession, reason: string): void;
  /** It is over. Called once, also if it never opened. Its streams close by themselves. */
  ended(session: ClientSession, reason: string): void;
}

export interface ClientSessionOptions {
  readonly scheme: 'http' | 'https';
  /** `host:port`. */
  readonly host: string;
  /** A connection without requests is closed after this time. */
  readonly idleTimeoutMs: number;
}

const State = { opening: 0, open: 1, closing: 2, ended: 3 } as const;
type State = (typeof State)[keyof typeof State];

/** A connection to a server that speaks HTTP/2; `node:http2` reads and writes its frames. */
export class ClientSession {
  readonly #owner: ClientSessionOwner;
  readonly #options: ClientSessionOptions;
  readonly #clock: Clock;
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  #state: State = State.opening;
  #streams = 0;
  #maxStreams = 0;
  #resets = 0;
  #wasOpen = false;
  #lastStreamId = Infinity;
  #reason = 'the server closed the connection';
  /** When it ends, or is asked if it is there: depends on the state. */
  #deadlineMs: number;
  #heardMs: number;
  #pingedMs = -Infinity;
  #pingPending = false;

  /** Takes over a connected socket, half-open allowed. */
  constructor(owner: ClientSessionOwner, options: ClientSessionOptions, clock: Clock, socket: Socket) {
    this.#owner = owner;
    this.#options = options;
    this.#clock = clock;
    this.#socket = socket;
    this.#heardMs = clock.nowMs();
    this.#deadlineMs = this.#heardMs + openTimeoutMs;
    const { scheme, host } = options;
    const session = connect(`${scheme}://${host}`, {
      ...sessionOptions,
      settings: localSettings(maxFieldBytes),
      peerMaxConcurrentStreams: maxConcurrentStreams,
      createConnection: () => socket,
    });
    this.#session = session;
    session.setLocalWindowSize(connectionWindowBytes);
    session.on('remoteSettings', ({ maxConcurrentStreams: allowed }) => this.#settings(allowed ?? Infinity));
    session.on('goaway', (code, lastStreamId) => {
      // Zero says that nothing was processed.
      this.#lastStreamId = lastStreamId;
      this.#close(code === errorCode.noError ? 'the server takes no more requests' : `the server ends the connection with code ${code}`);
    });
    session.on('error', (error) => (this.#reason = error.message));
    session.on('close', () => this.#ended());
    socket.on('end', () => session.destroy());
    socket.on('error', (error) => (this.#reason = error.message));
    socket.on('close', () => session.destroy());
    // The session reads below the socket, whose handle must do so.
    socket.read(0);
  }

  #settings(allowed: number): void {
    this.heard();
    this.#maxStreams = allowed;
    if (this.#state === State.opening) {
      this.#state = State.open;
      this.#wasOpen = true;
      this.#deadlineMs = this.#heardMs + this.#options.idleTimeoutMs;
      this.#owner.opened(this);
    } else this.#owner.hasRoom(this);
  }

  /** How many more requests it takes. */
  get room(): number {
    return this.#state === State.open && !this.#session.closed ? this.#maxStreams - this.#streams : 0;
  }

  /** Requests under way. */
  get requests(): number {
    return this.#streams;
  }

  get isOpening(): boolean {
    return this.#state === State.opening;
  }

  /** The server never took a request on it. */
  get wasOpening(): boolean {
    return !this.#wasOpen;
  }

  /** Why it ended. */
  get reason(): string {
    return this.#reason;
  }

  /** The server takes other protocols inside (RFC 8441). */
  get takesUpgrades(): boolean {
    return this.#session.remoteSettings.enableConnectProtocol === true;
  }

  /** Sends the head of a request. Only while there is room. `released` is to be called when the stream has closed. */
  request(raw: string[], endStream: boolean, waitForTrailers: boolean): ClientHttp2Stream {
    // Silence counts from the first request on.
    if (this.#streams === 0) this.heard();
    this.#streams++;
    return this.#session.request(raw, { endStream, waitForTrailers });
  }

  /** A request has been given up. */
  reset(): void {
    if (++this.#resets === maxResetsPerSession) this.close('too many requests were given up on it');
  }

  released(): void {
    this.#streams--;
    if (this.#streams === 0) this.#deadlineMs = this.#clock.nowMs() + this.#options.idleTimeoutMs;
    if (this.#state === State.open) this.#owner.hasRoom(this);
  }

  /** The server has said that it has not looked at this stream. */
  isUnprocessed(streamId: number | undefined): boolean {
    return streamId === undefined || streamId > this.#lastStreamId;
  }

  /** Something came from the server. */
  heard(): void {
    this.#heardMs = this.#clock.nowMs();
  }

  // ---- time ----

  nextDeadlineMs(): number {
    if (this.#state === State.ended) return Infinity;
    if (this.#state === State.opening || this.#streams === 0) return this.#deadlineMs;
    if (this.#pingPending) return this.#pingedMs + pingTimeoutMs;
    return this.#nextPingMs();
  }

  #nextPingMs(): number {
    const pingMs = this.#heardMs + silenceMs;
    return this.#pingedMs >= this.#heardMs ? Math.max(pingMs, this.#pingedMs + longSilenceMs) : pingMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.nextDeadlineMs()) return;
    if (this.#state === State.opening) {
      this.#destroy('the server does not speak HTTP/2');
    } else if (this.#streams === 0) {
      if (this.#session.closed) this.#destroy(this.#reason);
      else this.close('the connection was idle');
    } else if (this.#pingPending) {
      if (this.#heardMs > this.#pingedMs) this.#pingPending = false;
      else this.#destroy('the server does not answer any more');
    } else this.#ping(nowMs);
  }

  #ping(nowMs: number): void {
    this.#pingedMs = nowMs;
    this.#pingPending = this.#session.ping((error) => {
      this.#pingPending = false;
      if (error === null) this.#pingedMs = this.#clock.nowMs();
    });
  }

  // ---- ends ----

  /** Takes no more requests and ends behind the last one. */
  close(reason: string): void {
    this.#close(reason);
    this.#session.close();
  }

  /** Ends now: its streams close. */
  stop(): void {
    this.#destroy('the connection was closed');
  }

  #close(reason: string): void {
    if (this.#state >= State.closing) return;
    const wasOpen = this.#state === State.open;
    this.#reason = reason;
    if (!wasOpen) {
      this.#destroy(reason);
      return;
    }
    this.#state = State.closing;
    this.#deadlineMs = this.#clock.nowMs() + this.#options.idleTimeoutMs;
    this.#owner.closing(this, reason);
  }

  #destroy(reason: string): void {
    this.#reason = reason;
    this.#session.destroy();
    this.#socket.destroy();
  }

  #ended(): void {
    if (this.#state === State.ended) return;
    this.#state = State.ended;
    this.#socket.destroy();
    this.#owner.ended(this, this.#reason);
  }
}
