import type { StreamSocket } from '../../base/stream-socket.ts';
import type { OctetPool } from '../http1/octet-pool.ts';
import { FrameFlag, FrameType, frameHeaderBytes, pingBytes, settingBytes } from './frames.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import type { ErrorCode } from './http2-violation.ts';
import { maxFrameBytes } from './limits.ts';

/** Octets of DATA up to this many are copied, so that they form one piece with the frames around them. */
const copiedDataBytes = 2_048;

/**
 * Writes frames. One for all connections of a listener or a pool: what one connection writes in a row stands in a row, and its socket passes it on
 * in one piece.
 */
export class FrameWriter {
  readonly #pool: OctetPool;

  constructor(pool: OctetPool) {
    this.#pool = pool;
  }

  /** Octets that stand for themselves. */
  raw(socket: StreamSocket, octets: Uint8Array): void {
    socket.write(octets, 0, octets.length);
  }

  /** Begins a head of at most `maxBytes` octets: `encoder` is to write it. */
  beginHead(encoder: HpackEncoder, maxBytes: number): void {
    const pool = this.#pool;
    pool.reserve(frameHeaderBytes + maxBytes);
    encoder.begin(pool.bytes, pool.start + frameHeaderBytes);
  }

  /** Sends the head that `encoder` wrote. */
  endHead(socket: StreamSocket, encoder: HpackEncoder, streamId: number, endStream: boolean): void {
    const pool = this.#pool;
    const { start } = pool;
    const end = encoder.at;
    const length = end - start - frameHeaderBytes;
    const flags = endStream ? FrameFlag.endStream : 0;
    pool.keep(end);
    if (length <= maxFrameBytes) {
      writeHeader(pool.bytes, start, length, FrameType.headers, flags | FrameFlag.endHeaders, streamId);
      socket.write(pool.bytes, start, end);
      return;
    }
    const { bytes } = pool;
    const first = start + frameHeaderBytes + maxFrameBytes;
    writeHeader(bytes, start, maxFrameBytes, FrameType.headers, flags, streamId);
    socket.write(bytes, start, first);
    for (let at = first; at < end; at += maxFrameBytes) {
      const next = Math.min(end, at + maxFrameBytes);
      this.#header(socket, next - at, FrameType.continuation, next === end ? FrameFlag.endHeaders : 0, streamId);
      socket.write(bytes, at, next);
    }
  }

  /** DATA of at most `maxFrameBytes` octets, which must not change afterwards. */
  data(socket: StreamSocket, streamId: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void {
    const pool = this.#pool;
    const length = end - start;
    const flags = endStream ? FrameFlag.endStream : 0;
    if (length > copiedDataBytes) {
      this.#header(socket, length, FrameType.data, flags, streamId);
      socket.write(bytes, start, end);
      return;
    }
    pool.reserve(frameHeaderBytes + length);
    const target = pool.bytes;
    const from = pool.start;
    writeHeader(target, from, length, FrameType.data, flags, streamId);
    let out = from + frameHeaderBytes;
    if (length > 64) {
      target.set(bytes.subarray(start, end), out);
      out += length;
    } else for (let at = start; at < end; at++) target[out++] = bytes[at];
    pool.keep(out);
    socket.write(target, from, out);
  }

  /** SETTINGS with pairs of identifier and value. */
  settings(socket: StreamSocket, entries: readonly (readonly [number, number])[]): void {
    const pool = this.#pool;
    const length = entries.length * settingBytes;
    const start = this.#begin(length, FrameType.settings, 0, 0);
    let at = start + frameHeaderBytes;
    for (const [identifier, value] of entries) {
      pool.bytes[at] = identifier >> 8;
      pool.bytes[at + 1] = identifier & 0xff;
      writeUint32(pool.bytes, at + 2, value);
      at += settingBytes;
    }
    this.#end(socket, start, at);
  }

  settingsAck(socket: StreamSocket): void {
    this.#header(socket, 0, FrameType.settings, FrameFlag.ack, 0);
  }

  /** PING or its answer, with the 8 octets of `bytes` from `from` on. */
  ping(socket: StreamSocket, isAck: boolean, bytes: Uint8Array, from: number): void {
    const start = this.#begin(pingBytes, FrameType.ping, isAck ? FrameFlag.ack : 0, 0);
    const target = this.#pool.bytes;
    for (let index = 0; index < pingBytes; index++) target[start + frameHeaderBytes + index] = bytes[from + index];
    this.#end(socket, start, start + frameHeaderBytes + pingBytes);
  }

  goaway(socket: StreamSocket, lastStreamId: number, code: ErrorCode): void {
    const start = this.#begin(8, FrameType.goaway, 0, 0);
    writeUint32(this.#pool.bytes, start + frameHeaderBytes, lastStreamId);
    writeUint32(this.#pool.bytes, start + frameHeaderBytes + 4, code);
    this.#end(socket, start, start + frameHeaderBytes + 8);
  }

  resetStream(socket: StreamSocket, streamId: number, code: ErrorCode): void {
    this.#number(socket, FrameType.resetStream, streamId, code);
  }

  windowUpdate(socket: StreamSocket, streamId: number, increment: number): void {
    this.#number(socket, FrameType.windowUpdate, streamId, increment);
  }

  #number(socket: StreamSocket, type: number, streamId: number, value: number): void {
    const start = this.#begin(4, type, 0, streamId);
    writeUint32(this.#pool.bytes, start + frameHeaderBytes, value);
    this.#end(socket, start, start + frameHeaderBytes + 4);
  }

  #header(socket: StreamSocket, length: number, type: number, flags: number, streamId: number): void {
    const pool = this.#pool;
    pool.reserve(frameHeaderBytes);
    const { start } = pool;
    writeHeader(pool.bytes, start, length, type, flags, streamId);
    this.#end(socket, start, start + frameHeaderBytes);
  }

  #begin(length: number, type: number, flags: number, streamId: number): number {
    const pool = this.#pool;
    pool.reserve(frameHeaderBytes + length);
    writeHeader(pool.bytes, pool.start, length, type, flags, streamId);
    return pool.start;
  }

  #end(socket: StreamSocket, start: number, end: number): void {
    const pool = this.#pool;
    pool.keep(end);
    socket.write(pool.bytes, start, end);
  }
}

function writeHeader(target: Uint8Array, at: number, length: number, type: number, flags: number, streamId: number): void {
  target[at] = length >> 16;
  target[at + 1] = length >> 8;
  target[at + 2] = length;
  target[at + 3] = type;
  target[at + 4] = flags;
  writeUint32(target, at + 5, streamId);
}

function writeUint32(target: Uint8Array, at: number, value: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}
