import type { RawData, WebSocket } from 'ws';
import type { StreamSocket, StreamSocketHandler } from '../base/stream-socket.ts';
import type { TurnQueue, TurnTask } from './turn.ts';

/** Close codes, RFC 6455 §7.4.1. */
const normalClosure = 1000;
const unsupportedData = 1003;

/**
 * A WebSocket whose binary messages carry a stream of octets, as in the WebSocket binding of AMQP: where a message begins or ends says
 * nothing. Paused at first; what is written in a turn is one message.
 */
export class WebSocketStream implements StreamSocket, TurnTask {
  handler: StreamSocketHandler | undefined;
  readonly #webSocket: WebSocket;
  readonly #turns: TurnQueue;
  #pieces: Uint8Array[] = [];
  #turnBytes = 0;
  #inFlightBytes = 0;
  #queued = false;
  #endAsked = false;
  #error: Error | undefined;

  constructor(webSocket: WebSocket, turns: TurnQueue) {
    this.#webSocket = webSocket;
    this.#turns = turns;
    webSocket.pause();
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) this.handler?.received(octetsOf(data));
      else webSocket.close(unsupportedData, 'binary messages are expected');
      turns.touch();
    });
    webSocket.on('error', (error) => (this.#error = error));
    webSocket.on('close', () => {
      this.handler?.closed(this.#error);
      turns.touch();
    });
  }

  get pendingBytes(): number {
    return this.#turnBytes + this.#inFlightBytes;
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    this.#pieces.push(bytes.subarray(start, end));
    this.#turnBytes += end - start;
    this.#queue();
  }

  #queue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#turns.add(this);
  }

  endOfTurn(): void {
    this.#queued = false;
    const webSocket = this.#webSocket;
    if (webSocket.readyState !== webSocket.OPEN) return;
    if (this.#turnBytes > 0) this.#send();
    if (this.#endAsked) webSocket.close(normalClosure);
  }

  #send(): void {
    const bytes = this.#turnBytes;
    const [first] = this.#pieces;
    const message = this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces, bytes);
    this.#pieces = [];
    this.#turnBytes = 0;
    this.#inFlightBytes += bytes;
    this.#webSocket.send(message, { binary: true }, () => {
      this.#inFlightBytes -= bytes;
      this.handler?.written();
      this.#turns.touch();
    });
  }

  /** There is no half-open WebSocket: the peer is told that this is the end, and answers it. */
  end(): void {
    this.#endAsked = true;
    this.#queue();
  }

  destroy(reset: boolean): void {
    if (reset) this.#webSocket.terminate();
    else {
      this.endOfTurn();
      this.#webSocket.close(normalClosure);
      this.#webSocket.terminate();
    }
  }

  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }
}

function octetsOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
