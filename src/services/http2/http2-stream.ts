import type { EndOfTurnTask } from '../http/end-of-turn.ts';
import type { FieldBlock } from '../http/exchange.ts';
import type { Octets } from '../http/message-writer.ts';
import type { Http2Connection } from './http2-connection.ts';
import type { ErrorCode } from './http2-violation.ts';
import { streamWindowBytes } from './limits.ts';

/** What has been taken is reported when it is so much, not piece by piece. */
const reportedBytes: number = streamWindowBytes / 2;
/** Octets that wait with a head for the end of the turn; with more the head goes at once. */
const heldBytes = 32_768;
/** Pieces that have gone are taken from the queue when they are so many. */
const staleHeldPieces = 64;

/**
 * One direction in and one out (RFC 9113 §5). Out go a head, octets and perhaps trailers:
 *
 *     startHead ─► (sendData)* ─► sendEnd
 *
 * The head waits for the end of the turn, or until the message is complete: then its last frame says so, and no empty one has to. Octets wait
 * here while windows or the socket do not take them.
 */
export abstract class Http2Stream implements EndOfTurnTask {
  /** 0 = not sent yet. */
  id = 0;
  /** How much may be sent. Below 0 after the peer has made its windows smaller (§6.9.2). */
  sendWindow = 0;
  /** How much may come. */
  receiveWindow: number = streamWindowBytes;
  /** The peer has ended its direction. */
  remoteEnded = false;
  /** Our direction has ended. */
  localEnded = false;
  /** It is in the connection's queue of streams that could send. */
  isQueued = false;
  /** Octets that wait. */
  waitingBytes = 0;
  /** Octets taken that the peer has not been told of. */
  #unreported = 0;
  #headHeld = false;
  #pieces: Octets[] = [];
  /** The first piece that has not gone as a whole, and how much of it has. */
  #next = 0;
  #gone = 0;
  #endAsked = false;
  #trailers: FieldBlock | undefined;

  /** The connection, unless there is none yet or any more. */
  protected abstract readonly connection: Http2Connection | undefined;
  /** Pieces that have gone are kept. */
  protected abstract readonly keepsPieces: boolean;

  // ---- what the connection tells ----

  /** Octets of the body. */
  abstract dataReceived(bytes: Uint8Array, start: number, end: number): void;
  /** The peer's direction has ended. */
  abstract endReceived(): void;
  /** The peer has reset it; it is closed. */
  abstract resetReceived(code: ErrorCode): void;
  /** What it received breaks rules: it has been reset with this code, and is closed. */
  abstract violated(code: ErrorCode, reason: string): void;
  /** The connection is over. */
  abstract connectionLost(): void;
  /** Fewer octets wait. */
  abstract dataSent(): void;
  /** Our direction has ended. */
  protected abstract allSent(): void;

  /** Writes the head. */
  protected abstract writeHead(endStream: boolean): void;

  // ---- sending ----

  protected startHead(): void {
    this.#headHeld = true;
  }

  protected get headHeld(): boolean {
    return this.#headHeld;
  }

  protected sendData(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push({ bytes, start, end });
    this.waitingBytes += end - start;
    const { connection } = this;
    if (connection === undefined) return;
    connection.waitingBytes += end - start;
    if (!this.#headHeld || this.waitingBytes > heldBytes) this.flush();
  }

  protected sendEnd(trailers: FieldBlock | undefined): void {
    this.#endAsked = true;
    this.#trailers = trailers;
    this.flush();
  }

  /** `sendEnd` has been called. */
  protected get endAsked(): boolean {
    return this.#endAsked;
  }

  /** Sends what may be sent now. */
  flush(): void {
    const { connection } = this;
    if (connection === undefined || this.localEnded) return;
    if (this.#headHeld) {
      this.#headHeld = false;
      const isAll = this.#endAsked && this.waitingBytes === 0 && this.#trailers === undefined;
      this.writeHead(isAll);
      if (isAll) {
        this.#ended(connection);
        return;
      }
    }
    while (this.sendFrame(connection));
  }

  endOfTurn(): void {
    if (this.#headHeld) this.flush();
  }

  /** Sends one frame. False when no other can follow now. */
  sendFrame(connection: Http2Connection): boolean {
    if (this.waitingBytes === 0) {
      if (this.#endAsked && !this.localEnded) {
        if (this.#trailers === undefined) connection.sendData(this, noOctets, 0, 0, true);
        else connection.sendTrailers(this, this.#trailers);
        this.#ended(connection);
      }
      return false;
    }
    if (this.sendWindow <= 0) return false;
    const room = connection.room;
    if (room <= 0) {
      connection.queue(this);
      return false;
    }
    const { bytes, start, end } = this.#pieces[this.#next];
    const from = start + this.#gone;
    const length = Math.min(end - from, room, this.sendWindow);
    this.waitingBytes -= length;
    connection.waitingBytes -= length;
    const isLast = this.#endAsked && this.waitingBytes === 0 && this.#trailers === undefined;
    connection.sendData(this, bytes, from, from + length, isLast);
    this.#gone += length;
    if (from + length === end) this.#pieceGone();
    if (isLast) this.#ended(connection);
    return !this.localEnded && (this.waitingBytes > 0 || this.#endAsked);
  }

  #pieceGone(): void {
    this.#gone = 0;
    this.#next++;
    if (this.keepsPieces) return;
    if (this.waitingBytes === 0) this.dropPieces();
    else if (this.#next > staleHeldPieces) {
      this.#pieces.splice(0, this.#next);
      this.#next = 0;
    }
  }

  #ended(connection: Http2Connection): void {
    this.localEnded = true;
    this.allSent();
    connection.closeIfOver(this);
  }

  /** Lets go of what has gone. */
  protected releaseSent(): void {
    if (this.#next > 0) {
      this.#pieces.splice(0, this.#next);
      this.#next = 0;
    }
  }

  /** Lets go of all octets. */
  protected dropPieces(): void {
    const { connection } = this;
    if (connection !== undefined) connection.waitingBytes -= this.waitingBytes;
    this.waitingBytes = 0;
    this.#pieces = [];
    this.#next = 0;
    this.#gone = 0;
  }

  /** Everything is to be sent again, on another stream; of octets, those that were kept. */
  protected rewind(): void {
    this.id = 0;
    this.receiveWindow = streamWindowBytes;
    this.remoteEnded = false;
    this.localEnded = false;
    this.isQueued = false;
    this.#unreported = 0;
    this.#headHeld = true;
    this.#next = 0;
    this.#gone = 0;
    this.waitingBytes = 0;
    for (const { start, end } of this.#pieces) this.waitingBytes += end - start;
  }

  // ---- receiving ----

  /** Octets of the body have been taken; unless `isHeld`, the peer may send as many more. */
  taken(count: number, isHeld: boolean): void {
    this.#unreported += count;
    if (!isHeld) this.report();
  }

  /** Tells the peer of what has been taken, when it is enough. */
  protected report(): void {
    if (this.#unreported < reportedBytes || this.remoteEnded) return;
    this.receiveWindow += this.#unreported;
    this.connection?.windowUpdate(this.id, this.#unreported);
    this.#unreported = 0;
  }
}

const noOctets = new Uint8Array(0);
