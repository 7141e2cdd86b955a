import type { StreamSocketHandler } from '../../base/stream-socket.ts';
import { FrameEvent, FrameReader } from './frame-reader.ts';
import { FrameFlag, FrameType, pingBytes, priorityBytes, readUint31, readUint32, settingBytes } from './frames.ts';
import { HeadAssembly } from './head-assembly.ts';
import { ErrorCode, Http2Violation } from './http2-violation.ts';

/**
 * What is received becomes calls, one for each frame; of heads one for each head, and of DATA one for each piece. Frames that are wrong by
 * themselves or in their order (RFC 9113 §4, §6) end the connection.
 */
export abstract class FrameReceiver implements StreamSocketHandler {
  readonly #reader: FrameReader;
  readonly #assembly = new HeadAssembly();
  /** The peer's settings have come. */
  protected isOpen = false;

  constructor(isServer: boolean) {
    this.#reader = new FrameReader(isServer);
  }

  /** It is over: nothing more is read. */
  abstract readonly isGone: boolean;
  /** A head or trailers; they must be read whatever becomes of the stream. */
  protected abstract headReceived(streamId: number, endStream: boolean, bytes: Uint8Array, start: number, end: number): void;
  /** A piece of DATA, which the reader has. */
  protected abstract dataReceived(reader: FrameReader): void;
  /** A frame that concerns a stream alone is wrong (§5.4.2). */
  abstract streamError(streamId: number, code: ErrorCode, reason: string): void;
  protected abstract resetStreamReceived(streamId: number, code: ErrorCode): void;
  /** Entries of SETTINGS, complete. */
  protected abstract settingsReceived(bytes: Uint8Array, start: number, end: number): void;
  /** PING, whose octets are at `bytes[start]`. */
  protected abstract pingReceived(bytes: Uint8Array, start: number): void;
  protected abstract pingAnswered(): void;
  protected abstract goawayReceived(lastStreamId: number, code: ErrorCode): void;
  protected abstract windowUpdateReceived(streamId: number, increment: number): void;
  /** A frame has come that changes nothing. */
  protected abstract idleFrame(): void;
  /** All that came has been read. */
  protected abstract inputRead(): void;
  /** The peer broke the protocol. */
  protected abstract fail(code: ErrorCode, reason: string): void;
  abstract endReceived(): void;
  abstract written(): void;
  abstract closed(error: Error | undefined): void;

  received(bytes: Uint8Array): void {
    if (this.isGone) return;
    const reader = this.#reader;
    reader.push(bytes);
    try {
      for (;;) {
        const event = reader.next();
        if (event === FrameEvent.more) break;
        if (event === FrameEvent.data) this.#data(reader);
        else this.#frame(reader);
        if (this.isGone) return;
      }
    } catch (error) {
      if (!(error instanceof Http2Violation)) throw error;
      this.fail(error.code, error.message);
      return;
    }
    this.inputRead();
  }

  /**
   * What has begun and is not complete: a frame other than DATA, or a head of several frames; 0 = nothing. Another number each time, so that
   * what comes too slowly is found out.
   */
  protected get insideOf(): number {
    if (this.#assembly.isOpen) return -this.#assembly.streamId;
    return this.#reader.isInside ? this.#reader.frames + 1 : 0;
  }

  #frame(reader: FrameReader): void {
    const { type, streamId, length } = reader;
    if (this.#assembly.isOpen && (type !== FrameType.continuation || streamId !== this.#assembly.streamId)) {
      throw violation('another frame within a head');
    }
    if (!this.isOpen && type !== FrameType.settings) throw violation('another frame before SETTINGS');
    switch (type) {
      case FrameType.headers:
        this.#headers(reader);
        return;
      case FrameType.continuation:
        if (!this.#assembly.isOpen) throw violation('CONTINUATION without a head');
        this.#assembly.add(reader.bytes, reader.start, reader.end);
        if ((reader.flags & FrameFlag.endHeaders) !== 0) this.#assembled();
        return;
      case FrameType.priority:
        this.#priority(reader);
        return;
      case FrameType.resetStream:
        if (length !== 4) throw sizeViolation();
        this.resetStreamReceived(streamId, readUint32(reader.bytes, reader.start) as ErrorCode);
        return;
      case FrameType.settings:
        this.#settings(reader);
        return;
      case FrameType.pushPromise:
        throw violation('a promise, which nobody asked for');
      case FrameType.ping:
        if (streamId !== 0) throw violation('PING of a stream');
        if (length !== pingBytes) throw sizeViolation();
        if ((reader.flags & FrameFlag.ack) !== 0) this.pingAnswered();
        else this.pingReceived(reader.bytes, reader.start);
        return;
      case FrameType.goaway:
        if (streamId !== 0) throw violation('GOAWAY of a stream');
        if (length < 8) throw sizeViolation();
        this.goawayReceived(readUint31(reader.bytes, reader.start), readUint32(reader.bytes, reader.start + 4) as ErrorCode);
        return;
      case FrameType.windowUpdate:
        if (length !== 4) throw sizeViolation();
        this.windowUpdateReceived(streamId, readUint31(reader.bytes, reader.start));
        return;
      default:
        this.idleFrame();
    }
  }

  #data(reader: FrameReader): void {
    if (reader.isFirst) {
      if (this.#assembly.isOpen) throw violation('another frame within a head');
      if (!this.isOpen) throw violation('another frame before SETTINGS');
      if (reader.streamId === 0) throw violation('DATA without a stream');
    }
    this.dataReceived(reader);
  }

  #headers(reader: FrameReader): void {
    const { streamId, flags, bytes } = reader;
    if (streamId === 0) throw violation('HEADERS without a stream');
    let { start, end } = reader;
    if ((flags & FrameFlag.padded) !== 0) {
      if (start === end) throw sizeViolation();
      end -= bytes[start++];
      if (end < start) throw violation('more padding than there is place for');
    }
    if ((flags & FrameFlag.priority) !== 0) {
      if (end - start < priorityBytes) throw sizeViolation();
      if (readUint31(bytes, start) === streamId) throw violation('a stream that depends on itself');
      start += priorityBytes;
    }
    const endStream = (flags & FrameFlag.endStream) !== 0;
    if ((flags & FrameFlag.endHeaders) !== 0) this.headReceived(streamId, endStream, bytes, start, end);
    else {
      this.#assembly.begin(streamId, endStream);
      this.#assembly.add(bytes, start, end);
    }
  }

  #assembled(): void {
    const { streamId, endStream } = this.#assembly;
    const octets = this.#assembly.take();
    this.headReceived(streamId, endStream, octets, 0, octets.length);
  }

  #priority({ streamId, length, bytes, start }: FrameReader): void {
    if (streamId === 0) throw violation('PRIORITY without a stream');
    if (length !== priorityBytes) {
      this.streamError(streamId, ErrorCode.frameSizeError, 'PRIORITY of another length');
    } else if (readUint31(bytes, start) === streamId) {
      this.streamError(streamId, ErrorCode.protocolError, 'a stream that depends on itself');
    } else this.idleFrame();
  }

  #settings({ streamId, length, flags, bytes, start, end }: FrameReader): void {
    if (streamId !== 0) throw violation('SETTINGS of a stream');
    if ((flags & FrameFlag.ack) === 0) {
      if (length % settingBytes !== 0) throw sizeViolation();
      this.settingsReceived(bytes, start, end);
      return;
    }
    if (length !== 0) throw sizeViolation();
    if (!this.isOpen) throw violation('SETTINGS that begin with an answer');
    this.idleFrame();
  }
}

/** The peer broke a rule that has no code of its own. */
export function violation(description: string): Http2Violation {
  return new Http2Violation(ErrorCode.protocolError, description);
}

function sizeViolation(): Http2Violation {
  return new Http2Violation(ErrorCode.frameSizeError, 'a frame of another length than its type has');
}
