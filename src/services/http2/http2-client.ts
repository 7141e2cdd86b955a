import type { StreamSocket } from '../../base/stream-socket.ts';
import { maxFieldBytes } from '../http/exchange.ts';
import { ClientStream } from './client-stream.ts';
import { preface } from './frame-reader.ts';
import { Setting, pingBytes } from './frames.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Http2Shared } from './http2-shared.ts';
import type { Http2Stream } from './http2-stream.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import {
  longSilenceMs,
  maxInterimAnswers,
  maxResetsPerSession,
  maxWindowBytes,
  openTimeoutMs,
  pingTimeoutMs,
  silenceMs,
  streamWindowBytes,
} from './limits.ts';

/** Hears of a connection. */
export interface Http2ClientOwner {
  /** The server has said its settings: it takes requests. Called once. */
  opened(client: Http2Client): void;
  /** A request less, or more are allowed. */
  hasRoom(client: Http2Client): void;
  /** It takes no more requests, and ends with its last one. */
  closing(client: Http2Client): void;
  /** It is over. Called once, also if it never opened, behind the ends of its requests. */
  ended(client: Http2Client, reason: string): void;
}

export interface Http2ClientOptions {
  readonly scheme: 'http' | 'https';
  /** `host:port`. */
  readonly host: string;
  /** A connection without requests is closed after this time. */
  readonly idleTimeoutMs: number;
}

const State = { opening: 0, open: 1, closing: 2, ended: 3 } as const;
type State = (typeof State)[keyof typeof State];

/** What PINGs from here hold. */
const pingOctets = new Uint8Array(pingBytes);
/** Numbers of streams go no further. */
const lastStreamId: number = maxWindowBytes;

/** A connection to a server that speaks HTTP/2. */
export class Http2Client extends Http2Connection {
  readonly #owner: Http2ClientOwner;
  readonly #options: Http2ClientOptions;
  #state: State = State.opening;
  #wasOpen = false;
  /** Requests that it has or is to have, and those of which nothing has been sent. */
  #reserved = 0;
  readonly #starting = new Set<ClientStream>();
  #maxStreams = Infinity;
  #nextStreamId = 1;
  #resets = 0;
  /** The server takes other protocols inside (RFC 8441). */
  takesUpgrades = false;
  /** When it ends, or is asked if it is there: depends on the state. */
  #deadlineMs: number;
  #heardMs: number;
  #pingedMs = -Infinity;
  #pingPending = false;

  /** Takes over a connected socket. */
  constructor(owner: Http2ClientOwner, options: Http2ClientOptions, shared: Http2Shared, socket: StreamSocket) {
    super(shared, socket, false);
    this.#owner = owner;
    this.#options = options;
    this.#heardMs = shared.clock.nowMs();
    this.#deadlineMs = this.#heardMs + openTimeoutMs;
    shared.writer.raw(socket, preface);
    this.begin([
      [Setting.enablePush, 0],
      [Setting.initialWindowSize, streamWindowBytes],
      [Setting.maxHeaderListSize, maxFieldBytes],
    ]);
  }

  // ---- requests ----

  /** How many more requests it takes. */
  get places(): number {
    return this.takesRequests ? this.#maxStreams - this.#reserved : 0;
  }

  get takesRequests(): boolean {
    return this.#state === State.open && !this.isGone && this.#nextStreamId <= lastStreamId;
  }

  /** Requests under way. */
  override get requests(): number {
    return this.#reserved;
  }

  get isOpening(): boolean {
    return this.#state === State.opening;
  }

  /** The server never took a request on it. */
  get wasOpening(): boolean {
    return !this.#wasOpen;
  }

  /** A request is to go out. Only while there are places. */
  reserve(stream: ClientStream): void {
    // Silence counts from the first request on.
    if (this.#reserved === 0) this.#heardMs = this.shared.clock.nowMs();
    this.#reserved++;
    this.#starting.add(stream);
  }

  /** A request is not to go out. */
  release(stream: ClientStream): void {
    if (this.#starting.delete(stream)) this.#released();
  }

  /** Sends the head of a request. */
  open(stream: ClientStream, endStream: boolean): void {
    this.#starting.delete(stream);
    stream.id = this.#nextStreamId;
    this.#nextStreamId += 2;
    this.addStream(stream);
    const { scheme, host } = this.#options;
    this.shared.headWriter.request(this.socket, this.encoder, stream.id, stream.request, scheme, host, endStream);
  }

  /** A request has been given up. */
  giveUp(stream: ClientStream): void {
    if (stream.id === 0) {
      this.release(stream);
      return;
    }
    this.resetStream(stream, ErrorCode.cancel);
    if (++this.#resets === maxResetsPerSession) this.close('too many requests were given up on it');
  }

  protected override streamClosed(_stream: Http2Stream): void {
    this.#released();
  }

  #released(): void {
    this.#reserved--;
    if (this.isGone) return;
    if (this.#reserved === 0) {
      this.#deadlineMs = this.shared.clock.nowMs() + this.#options.idleTimeoutMs;
      if (this.#state === State.closing) {
        this.destroy(this.reason);
        return;
      }
    }
    if (this.#state === State.open) this.#owner.hasRoom(this);
  }

  // ---- from the server ----

  override received(bytes: Uint8Array): void {
    this.#heardMs = this.shared.clock.nowMs();
    super.received(bytes);
  }

  protected override headReceived(streamId: number, endStream: boolean, bytes: Uint8Array, start: number, end: number): void {
    const { heads } = this.shared;
    const stream = this.streams.get(streamId);
    if (!(stream instanceof ClientStream)) {
      if (this.isIdle(streamId)) throw new Http2Violation(ErrorCode.protocolError, 'an answer to no request');
      heads.skip(this.decoder, bytes, start, end);
      return;
    }
    if (stream.remoteEnded) {
      heads.skip(this.decoder, bytes, start, end);
      this.streamError(streamId, ErrorCode.streamClosed, 'a head behind the end');
      return;
    }
    if (stream.isAnswering) {
      const trailers = heads.trailers(this.decoder, bytes, start, end);
      if (heads.problem !== undefined) this.streamError(streamId, ErrorCode.protocolError, heads.problem.message);
      else if (!endStream) this.streamError(streamId, ErrorCode.protocolError, 'a second head');
      else {
        stream.remoteEnded = true;
        stream.trailersReceived(trailers);
        this.closeIfOver(stream);
      }
      return;
    }
    heads.response(this.decoder, bytes, start, end);
    const { problem, status } = heads;
    if (problem !== undefined) this.streamError(streamId, ErrorCode.protocolError, problem.message);
    else if (status >= 200) {
      stream.remoteEnded = endStream;
      stream.headReceived(heads.answerTo(stream.request, !endStream));
      if (!endStream) return;
      stream.endReceived();
      this.closeIfOver(stream);
    } else if (endStream) this.streamError(streamId, ErrorCode.protocolError, 'an end before the answer');
    else if (!stream.interimReceived(status, heads.interimFields)) {
      this.streamError(streamId, ErrorCode.enhanceYourCalm, `more than ${maxInterimAnswers} answers before the answer`);
    }
  }

  protected override isIdle(streamId: number): boolean {
    return streamId >= this.#nextStreamId || (streamId & 1) === 0;
  }

  protected override get lastProcessed(): number {
    return 0;
  }

  protected override limitReceived(maxStreams: number): void {
    this.#maxStreams = maxStreams;
    if (this.#state === State.open) this.#owner.hasRoom(this);
  }

  protected override connectProtocolReceived(): void {
    this.takesUpgrades = true;
  }

  protected override opened(): void {
    if (this.#state !== State.opening) return;
    this.#state = State.open;
    this.#wasOpen = true;
    this.#deadlineMs = this.#heardMs + this.#options.idleTimeoutMs;
    this.#owner.opened(this);
  }

  protected override goawayReceived(lastStreamId: number, code: ErrorCode): void {
    this.#close(code === ErrorCode.noError ? 'the server takes no more requests' : `the server ends the connection with code ${code}`);
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStreamId || !(stream instanceof ClientStream) || stream.isAnswering) continue;
      this.forget(stream);
      stream.unprocessed();
    }
    if (this.#reserved === 0) this.destroy(this.reason);
  }

  protected override pingAnswered(): void {
    this.#pingPending = false;
    this.#pingedMs = this.#heardMs;
  }

  protected override resetByPeer(): void {
    if (!this.guard.reset(0)) this.cut();
  }

  // ---- time ----

  nextDeadlineMs(): number {
    if (this.#state === State.ended) return Infinity;
    if (this.#state === State.opening || this.#reserved === 0) return this.#deadlineMs;
    if (this.#pingPending) return this.#pingedMs + pingTimeoutMs;
    return this.#nextPingMs();
  }

  #nextPingMs(): number {
    const pingMs = this.#heardMs + silenceMs;
    return this.#pingedMs >= this.#heardMs ? Math.max(pingMs, this.#pingedMs + longSilenceMs) : pingMs;
  }

  handleTimeout(nowMs: number): void {
    if (nowMs < this.nextDeadlineMs()) return;
    if (this.#state === State.opening) this.destroy('the server does not speak HTTP/2');
    else if (this.#reserved === 0) this.close('the connection was idle');
    else if (this.#pingPending) {
      if (this.#heardMs > this.#pingedMs) this.#pingPending = false;
      else this.destroy('the server does not answer any more');
    } else {
      this.#pingedMs = nowMs;
      this.#pingPending = true;
      this.shared.writer.ping(this.socket, false, pingOctets, 0);
    }
  }

  // ---- ends ----

  protected override failed(): void {
    this.destroy(this.reason);
  }

  /** Takes no more requests and ends behind the last one. */
  close(reason: string): void {
    this.#close(reason);
    if (this.#reserved > 0 || this.isGone) return;
    this.shared.writer.goaway(this.socket, 0, ErrorCode.noError);
    this.destroy(reason, true);
  }

  /** Ends now: its requests fail. */
  stop(): void {
    this.destroy('the connection was closed');
  }

  #close(reason: string): void {
    if (this.#state >= State.closing) return;
    const wasOpen = this.#state === State.open;
    this.reason = reason;
    if (!wasOpen) {
      this.destroy(reason);
      return;
    }
    this.#state = State.closing;
    this.#deadlineMs = this.shared.clock.nowMs() + this.#options.idleTimeoutMs;
    this.#owner.closing(this);
  }

  protected override ended(reason: string): void {
    if (this.#state === State.ended) return;
    this.#state = State.ended;
    this.#reserved = 0;
    for (const stream of this.#starting) stream.connectionLost();
    this.#starting.clear();
    this.#owner.ended(this, reason);
  }
}
