import { DeliveryState } from '../../amqp/performatives.ts';
import type { StreamSocket, StreamSocketHandler } from '../../base/stream-socket.ts';
import type { Downstream, Upstream } from '../../forwarding/leg.ts';
import { bodyMarkBytes } from './stream-message.ts';
import type { WindowBudget } from './window-budget.ts';

/**
 * Octets read from a socket and not yet acknowledged by the far side. With the largest read (64 KiB) on top, at most 1 MiB is held per
 * direction; below the 1,042,432 that skupper-router's receivers expect at most.
 */
export const windowBytes = 983_040;
/** The receiver tells how far it has written each time it is this much further. Small, so that windows can be. */
export const acknowledgeStepBytes = 65_536;
/** skupper-router tells after so much. A window must hold what a receiver waits for; it is less once the receiver has told earlier. */
const largestAcknowledgeStepBytes = 521_216;

const nothing = new Uint8Array(0);

/** Hears that both directions of a stream have ended. */
export interface TcpStreamOwner {
  ended(stream: TcpStream): void;
}

/**
 * One TCP connection at this router: octets from the socket go to `downstream`, octets from the network come in as a `Downstream`
 * of the far side and go to the socket.
 *
 *     socket ──received──► out: downstream.send          (stops at a full window, or when the way is congested)
 *     socket ◄──write───── in:  NetworkEnd.send          (acknowledges what the kernel took)
 *
 * Each direction ends by itself (half-close): end of the socket's input completes the outgoing message; a complete incoming message ends
 * the socket's output and is accepted.
 */
export class TcpStream implements StreamSocketHandler, Upstream {
  readonly #owner: TcpStreamOwner;
  readonly #budget: WindowBudget;
  #socket: StreamSocket | undefined;
  // Out: socket to network.
  #downstream: Downstream | undefined;
  #sentBytes = 0;
  #acknowledgedBytes = 0;
  /** The least that the receiver has told of at a time: it never waits for more. */
  #acknowledgeStep = largestAcknowledgeStepBytes;
  /** Nothing is read before the answer has started. */
  #flowing = false;
  #paused = true;
  #outComplete = false;
  #outSettled = false;
  // In: network to socket.
  #inUpstream: Upstream | undefined;
  #headBytes = 0;
  #inBytes = 0;
  #reportedBytes = 0;
  #inComplete = false;
  #inSettled = false;
  /** Outcome of the incoming message when it cannot be written to its end. */
  #brokenState: DeliveryState = DeliveryState.modified;
  #socketGone = false;
  #ended = false;
  /** Destroy the socket as soon as what came for it has been written. */
  #closeWhenWritten = false;

  constructor(owner: TcpStreamOwner, budget: WindowBudget) {
    this.#owner = owner;
    this.#budget = budget;
  }

  get bytesFromSocket(): number {
    return this.#sentBytes;
  }

  get bytesToSocket(): number {
    return this.#inBytes;
  }

  attachSocket(socket: StreamSocket): void {
    this.#socket = socket;
    socket.handler = this;
  }

  /** The message that carries the socket's octets has been started. */
  startOut(downstream: Downstream): void {
    this.#downstream = downstream;
  }

  /** That message is over before any octet was read for it; another may be started. */
  abandonOut(): void {
    this.#downstream = undefined;
  }

  /** As above for a message that is not over: it is taken back. */
  takeBackOut(): void {
    this.#downstream?.abort();
    this.#downstream = undefined;
  }

  /** The way of that message does not lead on, as far as is known. */
  get severed(): boolean {
    return this.#downstream?.severed ?? false;
  }

  /** Octets may flow from the socket. */
  flow(): void {
    this.#flowing = true;
    this.#checkWindow();
  }

  /** Neither gives nor takes octets any more. */
  get gone(): boolean {
    return this.#socketGone;
  }

  /** The message that carries octets to the socket arrives; `headBytes` come before its octets. */
  startIn(upstream: Upstream, headBytes: number): Downstream {
    this.#inUpstream = upstream;
    this.#headBytes = headBytes + bodyMarkBytes;
    return new NetworkEnd(this);
  }

  // ---- socket to network ----

  received(bytes: Uint8Array): void {
    const downstream = this.#downstream;
    if (downstream === undefined || this.#outComplete) return;
    this.#sentBytes += bytes.length;
    this.#budget.sent(bytes.length);
    downstream.send(bytes, 0, bytes.length, true);
    this.#checkWindow();
  }

  #checkWindow(): void {
    if (!this.#flowing || this.#socketGone || this.#outSettled) return;
    const window = Math.max(this.#acknowledgeStep, this.#budget.windowOf(this.#acknowledgedBytes));
    const full = this.#sentBytes - this.#acknowledgedBytes >= window || (this.#downstream?.congested ?? true);
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#socket?.pause();
    else this.#socket?.resume();
  }

  relieved(): void {
    if (this.#paused) this.#checkWindow();
  }

  endReceived(): void {
    this.#completeOut();
  }

  #completeOut(): void {
    if (this.#outComplete || this.#downstream === undefined) return;
    this.#outComplete = true;
    this.#downstream.send(nothing, 0, 0, false);
  }

  /** The far side's state of the outgoing message. */
  update(state: DeliveryState, settled: boolean, sectionOffset: number): void {
    if (this.#outSettled) return;
    if (state === DeliveryState.received) {
      if (sectionOffset > this.#acknowledgedBytes && sectionOffset <= this.#sentBytes) {
        const step = sectionOffset - this.#acknowledgedBytes;
        this.#acknowledgeStep = Math.max(acknowledgeStepBytes, Math.min(this.#acknowledgeStep, step));
        this.#acknowledgedBytes = sectionOffset;
        this.#budget.acknowledged(step);
        if (this.#paused) this.#checkWindow();
      }
      if (!settled) return;
    }
    if (!settled && state === DeliveryState.none) return;
    this.#settleOut();
    if (!settled) this.#downstream?.forget();
    this.#downstream = undefined;
    if (state === DeliveryState.accepted && this.#outComplete) {
      this.#checkEnded();
      return;
    }
    // The far connection is gone. What it sent before is still written.
    this.#outComplete = true;
    if (this.#socketGone) this.#checkEnded();
    else if (this.#inComplete) this.#closeAfterWriting();
    else this.#destroy(true);
  }

  /** No outcome of the outgoing message follows any more: it holds nothing of the shared windows. */
  #settleOut(): void {
    if (this.#outSettled) return;
    this.#outSettled = true;
    this.#budget.acknowledged(this.#sentBytes - this.#acknowledgedBytes);
  }

  // ---- network to socket ----

  /** A frame of the incoming message. */
  fromNetwork(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#inSettled) return;
    if (this.#headBytes > 0) {
      const skipped = Math.min(this.#headBytes, end - start);
      this.#headBytes -= skipped;
      start += skipped;
    }
    const socket = this.#socket;
    if (socket === undefined || this.#socketGone) return;
    if (end > start) {
      this.#inBytes += end - start;
      socket.write(bytes, start, end);
    }
    if (more) return;
    this.#inComplete = true;
    socket.end();
    if (socket.pendingBytes === 0) this.written();
  }

  written(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#inSettled) return;
    const written = this.#inBytes - socket.pendingBytes;
    if (this.#inComplete && written === this.#inBytes) {
      this.#settleIn(DeliveryState.accepted);
      if (this.#closeWhenWritten) this.#destroy(false);
      else this.#checkEnded();
    } else if (written - this.#reportedBytes >= acknowledgeStepBytes) {
      this.#reportedBytes = written;
      this.#inUpstream?.update(DeliveryState.received, false, written, undefined);
    }
  }

  #settleIn(state: DeliveryState): void {
    if (this.#inSettled) return;
    this.#inSettled = true;
    const upstream = this.#inUpstream;
    this.#inUpstream = undefined;
    upstream?.update(state, true, 0, undefined);
  }

  /** The incoming message was cut off. */
  abortedByNetwork(): void {
    this.#inSettled = true;
    this.#inUpstream = undefined;
    this.#destroy(true);
  }

  /** The sender of the incoming message wants no outcome. What it has sent still comes. */
  forgottenByNetwork(): void {
    this.#inUpstream = undefined;
  }

  // ---- end ----

  #closeAfterWriting(): void {
    if (this.#inSettled || this.#socketGone) this.#destroy(false);
    else this.#closeWhenWritten = true;
  }

  /** From now on the end of this stream is told as one that never was: the sender may try elsewhere. Only while no octet has come. */
  disown(): void {
    this.#brokenState = DeliveryState.released;
  }

  /** Ends everything now, e.g. at the drain deadline. */
  stop(): void {
    this.#destroy(true);
    if (this.#outSettled) return;
    this.#settleOut();
    const downstream = this.#downstream;
    this.#downstream = undefined;
    downstream?.forget();
    this.#checkEnded();
  }

  #destroy(reset: boolean): void {
    if (!this.#socketGone) this.#socket?.destroy(reset);
    this.#gone(reset);
  }

  closed(error: Error | undefined): void {
    this.#gone(error !== undefined);
  }

  /**
   * The socket is gone: both messages end. One that is complete is left alone until the far side has written it: its octets may still be on
   * their way.
   */
  #gone(broken: boolean): void {
    if (this.#socketGone) return;
    this.#socketGone = true;
    const downstream = this.#downstream;
    if (downstream === undefined) this.#settleOut();
    else if (!this.#outComplete) {
      this.#outComplete = true;
      if (broken) {
        this.#settleOut();
        this.#downstream = undefined;
        downstream.abort();
      } else downstream.send(nothing, 0, 0, false);
    }
    this.#settleIn(this.#inComplete && !broken ? DeliveryState.accepted : this.#brokenState);
    this.#checkEnded();
  }

  #checkEnded(): void {
    if (this.#ended || !this.#outSettled || !this.#inSettled) return;
    this.#ended = true;
    this.#owner.ended(this);
  }
}

/** The network's view of the socket. */
class NetworkEnd implements Downstream {
  readonly #stream: TcpStream;
  readonly congested = false;
  readonly overloaded = false;

  constructor(stream: TcpStream) {
    this.#stream = stream;
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    this.#stream.fromNetwork(bytes, start, end, more);
  }

  abort(): void {
    this.#stream.abortedByNetwork();
  }

  forget(): void {
    this.#stream.forgottenByNetwork();
  }
}
