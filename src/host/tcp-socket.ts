import type { Socket } from 'node:net';
import type { StreamSocket, StreamSocketHandler } from '../base/stream-socket.ts';
import type { TurnQueue, TurnTask } from './turn.ts';

const nothing = new Uint8Array(0);

/** What is not taken within this time after an orderly end is given up. No more than a window waits then, 1 MiB: slow readers have time. */
const lastOctetsMs = 300_000;

/** Octets to be written: those of `bytes` from `start` to `end`. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly start: number;
  end: number;
}

/** Pieces up to this many octets are copied into one buffer with their neighbours: several buffers in one call cost more than that. */
const joinedPieceBytes = 4_096;
/** So many octets are copied into one buffer at most; larger ones would come from the system, and go back to it. */
const maxJoinedBytes = 16_384;

/** A `node:net` or `node:tls` socket as the layers without I/O see it: paused at first, half-open allowed, one write per turn. */
export class TcpSocket implements StreamSocket, TurnTask {
  handler: StreamSocketHandler | undefined;
  /** When octets last came, and when some last went to the kernel, by the process's clock; undefined before the first. */
  readMs: number | undefined;
  writtenMs: number | undefined;
  /** How many came, and how many were given to the kernel. */
  readBytes = 0;
  writtenBytes = 0;
  readonly #socket: Socket;
  readonly #transport: Socket;
  readonly #turns: TurnQueue;
  /** Written in this turn: the first piece, and all of them if there are several. */
  #first: Uint8Array = nothing;
  #firstStart = 0;
  #firstEnd = 0;
  #pieces: Piece[] | undefined;
  #turnBytes = 0;
  #queued = false;
  #endAsked = false;
  #reported = false;
  #error: Error | undefined;

  /**
   * Takes over a connected socket that was made with `allowHalfOpen` and is paused; `transport` is what lies below a socket of TLS.
   * `bringsMessages`: what is read at a time is mostly one message, which goes on by a link.
   */
  constructor(socket: Socket, turns: TurnQueue, transport: Socket = socket, bringsMessages = false) {
    this.#socket = socket;
    this.#transport = transport;
    this.#turns = turns;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.readMs = turns.nowMs;
      this.readBytes += bytes.length;
      this.handler?.received(bytes);
      if (bringsMessages) turns.messageArrived();
      else turns.touch();
    });
    socket.on('end', () => {
      this.handler?.endReceived();
      turns.touch();
    });
    socket.on('drain', () => this.#written());
    socket.on('error', (error) => (this.#error = error));
    socket.on('close', () => {
      this.handler?.closed(this.#error);
      turns.touch();
    });
    // 'data' listeners make a socket flow; it starts when the handler asks.
    socket.pause();
  }

  get pendingBytes(): number {
    return this.#turnBytes + this.#socket.writableLength;
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.#turnBytes === 0) {
      this.#first = bytes;
      this.#firstStart = start;
      this.#firstEnd = end;
    } else if (!this.#adjoins(bytes, start, end)) {
      const pieces = (this.#pieces ??= [{ bytes: this.#first, start: this.#firstStart, end: this.#firstEnd }]);
      pieces.push({ bytes, start, end });
    }
    this.#turnBytes += end - start;
    this.#queue();
  }

  /** Octets that follow the last ones in memory make one piece with them. */
  #adjoins(bytes: Uint8Array, start: number, end: number): boolean {
    const last = this.#pieces?.at(-1);
    if (last !== undefined) {
      if (last.bytes !== bytes || last.end !== start) return false;
      last.end = end;
      return true;
    }
    if (this.#first !== bytes || this.#firstEnd !== start) return false;
    this.#firstEnd = end;
    return true;
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#turns.add(this);
  }

  endOfTurn(): void {
    this.#queued = false;
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (this.#turnBytes > 0) {
      this.writtenMs = this.#turns.nowMs;
      this.writtenBytes += this.#turnBytes;
      const first = this.#first;
      const pieces = this.#pieces;
      const bytes = this.#turnBytes;
      this.#turnBytes = 0;
      this.#first = nothing;
      this.#pieces = undefined;
      if (pieces === undefined) socket.write(bufferOf(first, this.#firstStart, this.#firstEnd));
      else writePieces(socket, pieces, bytes);
    }
    if (this.#endAsked && !socket.writableEnded) socket.end();
    if (socket.writableLength === 0) this.#written();
    else if (!this.#reported) {
      // Below the high-water mark no 'drain' comes: an empty write tells when the kernel has taken everything.
      if (!socket.writableNeedDrain && !socket.writableEnded) {
        this.#reported = true;
        socket.write(nothing, () => {
          this.#reported = false;
          this.#written();
        });
      } else if (socket.writableEnded) {
        this.#reported = true;
        socket.once('finish', () => this.#written());
      }
    }
  }

  #written(): void {
    if (this.#socket.destroyed) return;
    this.handler?.written();
    this.#turns.touch();
  }

  end(): void {
    this.#endAsked = true;
    this.#queue();
  }

  destroy(reset: boolean): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (reset) {
      this.#transport.resetAndDestroy();
      return;
    }
    if (this.#turnBytes > 0 && !socket.writableEnded) {
      // Orderly: what was written in this turn still goes out.
      this.endOfTurn();
    }
    if (socket.writableLength === 0) socket.destroy();
    else {
      const timer = setTimeout(() => this.#transport.resetAndDestroy(), lastOctetsMs).unref();
      socket.once('close', () => clearTimeout(timer));
      socket.end(() => socket.destroy());
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }
}

/** Writes pieces in order; neighbours that are small go as one. */
function writePieces(socket: Socket, pieces: readonly Piece[], bytes: number): void {
  if (bytes <= joinedPieceBytes) {
    socket.write(joined(pieces, bytes));
    return;
  }
  socket.cork();
  let run: Piece[] = [];
  let runBytes = 0;
  for (const piece of pieces) {
    const length = piece.end - piece.start;
    const isSmall = length <= joinedPieceBytes;
    if (runBytes > 0 && (!isSmall || runBytes + length > maxJoinedBytes)) {
      socket.write(joined(run, runBytes));
      run = [];
      runBytes = 0;
    }
    if (isSmall) {
      run.push(piece);
      runBytes += length;
    } else socket.write(bufferOf(piece.bytes, piece.start, piece.end));
  }
  if (runBytes > 0) socket.write(joined(run, runBytes));
  socket.uncork();
}

function joined(pieces: readonly Piece[], length: number): Buffer {
  const whole = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { bytes, start, end } of pieces) {
    whole.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at);
    at += end - start;
  }
  return whole;
}

/** A view as the stream wants it: what is no Buffer would get another view. */
function bufferOf(bytes: Uint8Array, start: number, end: number): Buffer {
  if (bytes instanceof Buffer && start === 0 && end === bytes.length) return bytes;
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset + start, end - start);
}
