import type { StreamSocket } from '../../base/stream-socket.ts';
import type { FieldBlock } from '../http/exchange.ts';
import { ClosedAs, ClosedStreams } from './closed-streams.ts';
import { FloodGuard } from './flood-guard.ts';
import type { FrameReader } from './frame-reader.ts';
import { FrameReceiver, violation } from './frame-receiver.ts';
import { FrameFlag, Setting, defaultWindowBytes, readUint32, settingBytes } from './frames.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { Http2Shared } from './http2-shared.ts';
import type { Http2Stream } from './http2-stream.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';
import { connectionWindowBytes, maxFrameBytes, maxSocketPendingBytes, maxUnreadBytes, maxWindowBytes } from './limits.ts';

/** What has come is reported when it is so much. */
const reportedBytes: number = connectionWindowBytes / 2;
const largestFrameSize = 16_777_215;

/**
 * What both ends of HTTP/2 have in common (RFC 9113):
 *
 *     socket ─► FrameReader ─► head, DATA, RST_STREAM ─► streams          SETTINGS, PING, GOAWAY, WINDOW_UPDATE are dealt with here
 *     socket ◄─ FrameWriter ◄─ streams, in turns while the socket or the windows do not take everything
 *
 * Priorities are not looked at. Nothing is kept for a stream before its head nor after its end but its number.
 */
export abstract class Http2Connection extends FrameReceiver {
  readonly shared: Http2Shared;
  protected readonly socket: StreamSocket;
  protected readonly streams: Map<number, Http2Stream> = new Map();
  readonly guard: FloodGuard;
  protected readonly decoder: HpackDecoder = new HpackDecoder();
  readonly encoder: HpackEncoder = new HpackEncoder();
  readonly #closed = new ClosedStreams();
  /** Streams with octets that the connection could not take, the next first. */
  readonly #queue: Http2Stream[] = [];
  /** Octets that wait, over all streams. */
  waitingBytes = 0;
  /** How much may be sent and received, over all streams. */
  #sendWindow: number = defaultWindowBytes;
  #receiveWindow: number = connectionWindowBytes;
  #unreported = 0;
  /** Of new streams. */
  #streamWindow: number = defaultWindowBytes;
  /** Nothing is read or sent any more; and the socket is closed, too. */
  #gone = false;
  #isClosed = false;
  #paused = false;
  /** Why it is over, or will be. */
  reason = '';

  constructor(shared: Http2Shared, socket: StreamSocket, isServer: boolean) {
    super(isServer);
    this.shared = shared;
    this.socket = socket;
    this.guard = new FloodGuard(shared.clock);
  }

  /** Takes over the socket and says the settings. */
  protected begin(settings: readonly (readonly [number, number])[]): void {
    this.socket.handler = this;
    this.shared.writer.settings(this.socket, settings);
    this.shared.writer.windowUpdate(this.socket, 0, connectionWindowBytes - defaultWindowBytes);
    this.socket.resume();
  }

  /** Streams under way. */
  get requests(): number {
    return this.streams.size;
  }

  override get isGone(): boolean {
    return this.#gone;
  }

  // ---- what the two ends do differently ----

  /** Whether the stream has not been opened yet. */
  protected abstract isIdle(streamId: number): boolean;
  /** The peer allows so many streams at a time. */
  protected abstract limitReceived(maxStreams: number): void;
  /** The peer takes other protocols inside streams (RFC 8441). */
  protected abstract connectProtocolReceived(): void;
  /** The peer's settings have come for the first time. */
  protected abstract opened(): void;
  /** A stream has closed. */
  protected abstract streamClosed(stream: Http2Stream): void;
  /** A stream was reset by the peer, or had to be reset because of it, and has not been told yet. */
  protected abstract resetByPeer(): void;
  /** The connection is over, the streams have been told. Called once. */
  protected abstract ended(reason: string): void;

  // ---- from the socket ----

  protected override inputRead(): void {
    this.#pauseOrResume();
  }

  override endReceived(): void {
    this.destroy('the other end closed the connection');
  }

  override written(): void {
    if (this.#gone) return;
    this.#pump();
    if (this.#paused) this.#pauseOrResume();
  }

  override closed(error: Error | undefined): void {
    this.#finish(error === undefined ? 'the other end closed the connection' : error.message);
  }

  #pauseOrResume(): void {
    if (this.#gone) return;
    const pause = this.socket.pendingBytes > maxUnreadBytes;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }

  // ---- frames ----

  protected override idleFrame(): void {
    if (!this.guard.idleFrame()) this.cut();
  }

  protected override resetStreamReceived(streamId: number, code: ErrorCode): void {
    if (streamId === 0 || this.isIdle(streamId)) throw violation('RST_STREAM without a stream');
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      this.idleFrame();
      return;
    }
    this.#forget(stream, false);
    this.resetByPeer();
    stream.resetReceived(code);
    this.streamClosed(stream);
  }

  protected override pingReceived(bytes: Uint8Array, start: number): void {
    if (this.guard.ping()) this.shared.writer.ping(this.socket, true, bytes, start);
    else this.cut();
  }

  protected override settingsReceived(bytes: Uint8Array, start: number, end: number): void {
    if (!this.guard.settings()) {
      this.cut();
      return;
    }
    for (let at = start; at < end; at += settingBytes) this.#setting((bytes[at] << 8) | bytes[at + 1], readUint32(bytes, at + 2));
    this.shared.writer.settingsAck(this.socket);
    if (this.isOpen) return;
    this.isOpen = true;
    this.opened();
  }

  #setting(identifier: number, value: number): void {
    switch (identifier) {
      case Setting.headerTableSize:
        this.encoder.resize(value);
        return;
      case Setting.enablePush:
        if (value > 1) throw violation('ENABLE_PUSH that is neither 0 nor 1');
        return;
      case Setting.maxConcurrentStreams:
        this.limitReceived(value);
        return;
      case Setting.initialWindowSize:
        if (value > maxWindowBytes) throw new Http2Violation(ErrorCode.flowControlError, 'a window that is too large');
        this.#streamWindows(value);
        return;
      case Setting.maxFrameSize:
        if (value < maxFrameBytes || value > largestFrameSize) throw violation('MAX_FRAME_SIZE that may not be');
        return;
      case Setting.enableConnectProtocol:
        if (value > 1) throw violation('ENABLE_CONNECT_PROTOCOL that is neither 0 nor 1');
        if (value === 1) this.connectProtocolReceived();
        return;
      default:
    }
  }

  /** All windows change by what new ones differ (§6.9.2). */
  #streamWindows(value: number): void {
    const change = value - this.#streamWindow;
    this.#streamWindow = value;
    for (const stream of this.streams.values()) {
      stream.sendWindow += change;
      if (stream.sendWindow > maxWindowBytes) throw new Http2Violation(ErrorCode.flowControlError, 'a window that is too large');
    }
    if (change <= 0) return;
    for (const stream of this.streams.values()) this.#sendMore(stream);
  }

  protected override windowUpdateReceived(streamId: number, increment: number): void {
    if (streamId === 0) {
      if (increment === 0) throw violation('a window that does not grow');
      this.#sendWindow += increment;
      if (this.#sendWindow > maxWindowBytes) throw new Http2Violation(ErrorCode.flowControlError, 'a window that is too large');
      this.idleFrame();
      if (!this.#gone) this.#pump();
      return;
    }
    if (this.isIdle(streamId)) throw violation('WINDOW_UPDATE without a stream');
    this.idleFrame();
    const stream = this.streams.get(streamId);
    if (stream === undefined || this.#gone) return;
    if (increment === 0) this.streamError(streamId, ErrorCode.protocolError, 'a window that does not grow');
    else {
      stream.sendWindow += increment;
      if (stream.sendWindow > maxWindowBytes) this.streamError(streamId, ErrorCode.flowControlError, 'a window that is too large');
      else this.#sendMore(stream);
    }
  }

  protected override dataReceived(reader: FrameReader): void {
    const { streamId, start, end, length } = reader;
    if (reader.isFirst) {
      if (this.isIdle(streamId)) throw violation('DATA without a stream');
      this.#receiveWindow -= length;
      if (this.#receiveWindow < 0) throw new Http2Violation(ErrorCode.flowControlError, 'more than the window of the connection');
      this.#took(length);
    }
    const stream = this.streams.get(streamId);
    if (stream === undefined) {
      if (reader.isFirst) this.#dataBehindEnd(streamId);
      return;
    }
    if (reader.isFirst) {
      stream.receiveWindow -= length;
      if (stream.remoteEnded) {
        this.streamError(streamId, ErrorCode.streamClosed, 'DATA behind the end');
        return;
      }
      if (stream.receiveWindow < 0) {
        this.streamError(streamId, ErrorCode.flowControlError, 'more than the window of a stream');
        return;
      }
      if (length === 0 && (reader.flags & FrameFlag.endStream) === 0) this.idleFrame();
      // Padding is taken as soon as it comes.
      else if (length > reader.payloadBytes) stream.taken(length - reader.payloadBytes, false);
    }
    if (end > start) stream.dataReceived(reader.bytes, start, end);
    if (reader.isLast && (reader.flags & FrameFlag.endStream) !== 0 && this.streams.get(streamId) === stream) this.#remoteEnd(stream);
  }

  /** The peer's direction of a stream has ended, by DATA or by a head. */
  #remoteEnd(stream: Http2Stream): void {
    stream.remoteEnded = true;
    stream.endReceived();
    this.closeIfOver(stream);
  }

  #dataBehindEnd(streamId: number): void {
    this.idleFrame();
    if (!this.#gone && this.#closed.find(streamId) !== ClosedAs.resetHere)
      this.shared.writer.resetStream(this.socket, streamId, ErrorCode.streamClosed);
  }

  /** Octets of DATA have come: the window of the connection is for what is under way only. */
  #took(length: number): void {
    this.#unreported += length;
    if (this.#unreported < reportedBytes) return;
    this.shared.writer.windowUpdate(this.socket, 0, this.#unreported);
    this.#receiveWindow += this.#unreported;
    this.#unreported = 0;
  }

  /** How a stream ended that a head has come for. */
  protected closedAs(streamId: number): ClosedAs {
    return this.#closed.find(streamId);
  }

  // ---- streams ----

  /** Takes in a stream that has its number. */
  protected addStream(stream: Http2Stream): void {
    stream.sendWindow = this.#streamWindow;
    this.waitingBytes += stream.waitingBytes;
    this.streams.set(stream.id, stream);
  }

  /** Forgets a stream whose directions have both ended. */
  closeIfOver(stream: Http2Stream): void {
    if (!stream.localEnded || !stream.remoteEnded || this.streams.get(stream.id) !== stream) return;
    this.#forget(stream, false);
    this.streamClosed(stream);
  }

  /** Ends a stream from here. Nothing is said to it. */
  resetStream(stream: Http2Stream, code: ErrorCode): void {
    if (this.#gone || this.streams.get(stream.id) !== stream) return;
    this.shared.writer.resetStream(this.socket, stream.id, code);
    this.#forget(stream, true);
    this.streamClosed(stream);
  }

  /** Forgets a stream that the peer does not know. */
  protected forget(stream: Http2Stream): void {
    this.#forget(stream, true);
    this.streamClosed(stream);
  }

  #forget(stream: Http2Stream, resetHere: boolean): void {
    this.streams.delete(stream.id);
    this.waitingBytes -= stream.waitingBytes;
    stream.waitingBytes = 0;
    stream.localEnded = true;
    stream.remoteEnded = true;
    this.#closed.add(stream.id, resetHere);
  }

  /** What came for a stream breaks rules that concern it alone (§5.4.2). */
  override streamError(streamId: number, code: ErrorCode, reason: string): void {
    if (this.#gone) return;
    this.shared.writer.resetStream(this.socket, streamId, code);
    const stream = this.streams.get(streamId);
    if (stream !== undefined) this.#forget(stream, true);
    this.resetByPeer();
    if (stream === undefined) return;
    stream.violated(code, reason);
    this.streamClosed(stream);
  }

  // ---- sending ----

  /** Octets that the connection takes now. */
  get room(): number {
    return this.socket.pendingBytes >= maxSocketPendingBytes ? 0 : Math.min(this.#sendWindow, maxFrameBytes);
  }

  sendData(stream: Http2Stream, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    stream.sendWindow -= end - start;
    this.#sendWindow -= end - start;
    this.guard.dataSent();
    this.shared.writer.data(this.socket, stream.id, bytes, start, end, endStream);
  }

  sendTrailers(stream: Http2Stream, trailers: FieldBlock): void {
    this.shared.headWriter.trailers(this.socket, this.encoder, stream.id, trailers);
  }

  windowUpdate(streamId: number, increment: number): void {
    if (!this.#gone) this.shared.writer.windowUpdate(this.socket, streamId, increment);
  }

  /** The stream has more to send as soon as the connection takes it. */
  queue(stream: Http2Stream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#queue.push(stream);
  }

  #sendMore(stream: Http2Stream): void {
    const before = stream.waitingBytes;
    if (before === 0) return;
    stream.flush();
    if (stream.waitingBytes < before) stream.dataSent();
  }

  /** Streams that wait send a frame each, in turns. */
  #pump(): void {
    while (this.#queue.length > 0 && this.room > 0) {
      const stream = this.#queue.shift();
      if (stream === undefined) return;
      stream.isQueued = false;
      if (this.streams.get(stream.id) !== stream) continue;
      const before = stream.waitingBytes;
      if (stream.sendFrame(this)) this.queue(stream);
      if (stream.waitingBytes < before) stream.dataSent();
    }
  }

  // ---- ends ----

  /** A peer that does harm. */
  protected cut(): void {
    this.fail(ErrorCode.enhanceYourCalm, 'the other end sends too much of what is of no use');
  }

  /** Says why, and ends. */
  protected override fail(code: ErrorCode, reason: string): void {
    if (this.#gone) return;
    this.shared.writer.goaway(this.socket, this.lastProcessed, code);
    this.#leave(reason);
    this.failed(code);
  }

  /** The peer has been told why the connection ends, and the streams that it is over: the socket is to be closed. */
  protected abstract failed(code: ErrorCode): void;

  /** The last stream of the peer that something was done for. */
  protected abstract readonly lastProcessed: number;

  /**
   * Closes the socket now. What the other end has not taken is lost, as it may never take it; unless `isOrderly`, for when there is hardly
   * anything.
   */
  protected destroy(reason: string, isOrderly = false): void {
    if (this.#isClosed) return;
    this.socket.destroy(!isOrderly && this.socket.pendingBytes > 0);
    this.#finish(reason);
  }

  #finish(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#leave(reason);
    this.ended(this.reason);
  }

  /** Nothing is read or sent any more. */
  #leave(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    if (this.reason === '') this.reason = reason;
    const streams = [...this.streams.values()];
    this.streams.clear();
    this.#queue.length = 0;
    this.waitingBytes = 0;
    for (const stream of streams) {
      stream.waitingBytes = 0;
      stream.localEnded = true;
      stream.remoteEnded = true;
      stream.connectionLost();
    }
  }
}
