import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { FlowSupplement } from '../../flows/metering.ts';
import { silentSupplement } from '../../flows/silent-metering.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import { GatheredBytes } from '../../forwarding/gathered-bytes.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { ConnectionSupplement } from './connection-supplement.ts';
import { Refusal } from './listener.ts';
import { bodyMarkBytes, encodeStreamStart, octetStream, streamHead } from './stream-message.ts';
import { TcpStream } from './tcp-stream.ts';
import { WindowBudget } from './window-budget.ts';

/** Opens a connection to the server; exactly one of the callbacks is called, later. The returned function gives up. */
export type ConnectServer = (connected: (socket: StreamSocket) => void, failed: (error: Error) => void) => () => void;

/** The server's side of a TCP service: each message of the address becomes a connection to the server. */
export class TcpConnector implements Consumer {
  readonly #forwarder: Forwarder;
  readonly #connect: ConnectServer;
  readonly #log: Logger;
  readonly #windows: WindowBudget;
  readonly #supplement: FlowSupplement;
  readonly #clock: Clock | undefined;
  readonly #streams = new Set<ServerStream>();
  opened = 0;
  failed = 0;
  /** Octets of connections that have ended. */
  #endedBytesIn = 0;
  #endedBytesOut = 0;
  /** Why the last connection to the server failed; undefined after a success. */
  lastFailure: string | undefined;

  constructor(
    forwarder: Forwarder,
    connect: ConnectServer,
    log: Logger,
    windows: WindowBudget = new WindowBudget(),
    supplement: FlowSupplement = silentSupplement,
    clock?: Clock,
  ) {
    this.#windows = windows;
    this.#supplement = supplement;
    this.#clock = clock;
    this.#forwarder = forwarder;
    this.#connect = connect;
    this.#log = log;
  }

  get outstanding(): number {
    return this.#streams.size;
  }

  /** Octets from clients, that is to the server. */
  get bytesIn(): number {
    let bytes = this.#endedBytesIn;
    for (const stream of this.#streams) bytes += stream.tcp.bytesToSocket;
    return bytes;
  }

  /** Octets from the server. */
  get bytesOut(): number {
    let bytes = this.#endedBytesOut;
    for (const stream of this.#streams) bytes += stream.tcp.bytesFromSocket;
    return bytes;
  }

  deliver(head: MessageHead, upstream: Upstream): Downstream {
    if (head.contentType !== octetStream || head.replyTo === null) return new Refusal(upstream);
    this.opened++;
    const clock = this.#clock;
    const told = clock !== undefined && this.#supplement.active ? ConnectionSupplement.of(this.#supplement, head, clock) : undefined;
    const stream = new ServerStream(this.#forwarder, head.replyTo, upstream, this.#windows, (ended, failure) => {
      if (failure !== undefined) told?.failed(failure);
      this.#ended(ended, failure);
    });
    this.#streams.add(stream);
    return stream.start(head.bodyStart - head.annotationsEnd, this.#connect, () => {
      this.lastFailure = undefined;
      told?.connected();
    });
  }

  #ended(stream: ServerStream, failure: string | undefined): void {
    this.#streams.delete(stream);
    this.#endedBytesIn += stream.tcp.bytesToSocket;
    this.#endedBytesOut += stream.tcp.bytesFromSocket;
    if (failure === undefined) return;
    this.failed++;
    this.lastFailure = failure;
    this.#log.info('connection to the server failed', { reason: failure });
  }

  stop(): void {
    for (const stream of [...this.#streams]) stream.stop();
  }
}

/** One connection to the server. */
class ServerStream implements Upstream, Downstream {
  readonly #forwarder: Forwarder;
  readonly #replyTo: string;
  readonly #upstream: Upstream;
  readonly #done: (stream: ServerStream, failure: string | undefined) => void;
  readonly tcp: TcpStream;
  #network: Downstream | undefined;
  #giveUp: (() => void) | undefined;
  #connected = false;
  #finished = false;
  /** What comes before the octets of a client. */
  #headBytes = 0;
  /** Head and octets that came before the server was connected. A client sends none before the answer: only a foreign peer may. */
  #early = new GatheredBytes();
  #earlyComplete = false;

  constructor(
    forwarder: Forwarder,
    replyTo: string,
    upstream: Upstream,
    windows: WindowBudget,
    done: (stream: ServerStream, failure: string | undefined) => void,
  ) {
    this.#forwarder = forwarder;
    this.#replyTo = replyTo;
    this.#upstream = upstream;
    this.#done = done;
    this.tcp = new TcpStream(this, windows);
  }

  start(headBytes: number, connect: ConnectServer, succeeded: () => void): Downstream {
    this.#headBytes = headBytes + bodyMarkBytes;
    this.#network = this.tcp.startIn(this.#upstream, headBytes);
    this.#giveUp = connect(
      (socket) => {
        if (this.#finished) socket.destroy(true);
        else {
          succeeded();
          this.#established(socket);
        }
      },
      (error) => this.#finish(error.message, DeliveryState.modified, { condition: 'qd:connection-refused', description: error.message }),
    );
    return this;
  }

  #established(socket: StreamSocket): void {
    this.#connected = true;
    this.#giveUp = undefined;
    this.tcp.attachSocket(socket);
    const start = encodeStreamStart(this.#replyTo, null, null);
    const downstream = this.#forwarder.forward(streamHead(this.#replyTo, null, null, start), true, false, undefined, this);
    if (typeof downstream === 'number') {
      // Routes are changing: the client's router does not read before it has the answer, and may try again.
      if (this.#early.length <= this.#headBytes) this.tcp.disown();
      this.tcp.stop();
      return;
    }
    this.tcp.startOut(downstream);
    downstream.send(start, 0, start.length, true);
    this.tcp.flow();
    const early = this.#early.bytes;
    this.#early = new GatheredBytes();
    this.#network?.send(early, 0, early.length, !this.#earlyComplete);
  }

  send(bytes: Uint8Array, start: number, end: number, more: boolean): void {
    if (this.#finished) return;
    if (this.#connected) {
      this.#network?.send(bytes, start, end, more);
      return;
    }
    if (this.#early.length + end - start > maxEarlyBytes) {
      const description = 'octets came before the connection to the server was open';
      this.#finish(description, DeliveryState.rejected, { condition: 'amqp:resource-limit-exceeded', description });
      return;
    }
    this.#early.add(bytes, start, end);
    if (!more) this.#earlyComplete = true;
  }

  abort(): void {
    if (this.#connected) this.#network?.abort();
    else this.#finish(undefined);
  }

  forget(): void {
    if (this.#connected) this.#network?.forget();
  }

  readonly congested = false;
  readonly overloaded = false;

  /** Ends before the server was connected. */
  #finish(failure: string | undefined, state?: DeliveryState, error?: AmqpError): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#early = new GatheredBytes();
    this.#giveUp?.();
    this.#giveUp = undefined;
    if (state !== undefined) this.#upstream.update(state, true, 0, error);
    this.#done(this, failure);
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    const isLost = state === DeliveryState.released || error?.condition === linkLost.condition;
    // The answer has been lost on its way, before the client's router could have read anything.
    if (settled && isLost && this.tcp.bytesToSocket === 0) this.tcp.disown();
    this.tcp.update(state, settled, sectionOffset);
  }

  relieved(): void {
    this.tcp.relieved();
  }

  ended(): void {
    this.#finish(undefined);
  }

  stop(): void {
    if (this.#connected) this.tcp.stop();
    else this.#finish(undefined, DeliveryState.released);
  }
}

/** A window's worth: what a sender may send before it must have been acknowledged. */
const maxEarlyBytes = 1_048_576;
