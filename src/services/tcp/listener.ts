import type { Logger } from '../../base/log.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { encodeStreamStart, octetStream, streamHead } from './stream-message.ts';
import { TcpStream } from './tcp-stream.ts';

/** Connections one listener carries at a time. */
export const maxConnections = 65_536;

/**
 * The client's side of a TCP service: each accepted connection becomes a message to the service address, and the answer comes to an
 * address of its own. Nothing is read from the client before the answer has started, so a message that finds no server has lost nothing.
 */
export class TcpListener {
  readonly #forwarder: Forwarder;
  /** Chooses the service address for a new connection; undefined when none is reachable. */
  readonly #chooseAddress: () => string | undefined;
  readonly #correlationId: () => string;
  readonly #log: Logger;
  readonly #streams = new Set<ClientStream>();
  /** Streams whose link was lost before an answer: they are sent again when routes have changed. */
  readonly #stranded = new Set<ClientStream>();
  opened = 0;
  failed = 0;
  /** Octets of connections that have ended. */
  #endedBytesIn = 0;
  #endedBytesOut = 0;

  constructor(forwarder: Forwarder, chooseAddress: () => string | undefined, correlationId: () => string, log: Logger) {
    this.#forwarder = forwarder;
    this.#chooseAddress = chooseAddress;
    this.#correlationId = correlationId;
    this.#log = log;
  }

  /** Connections being carried. */
  get active(): number {
    return this.#streams.size;
  }

  /** Octets from clients. */
  get bytesIn(): number {
    let bytes = this.#endedBytesIn;
    for (const stream of this.#streams) bytes += stream.tcp.bytesFromSocket;
    return bytes;
  }

  /** Octets to clients. */
  get bytesOut(): number {
    let bytes = this.#endedBytesOut;
    for (const stream of this.#streams) bytes += stream.tcp.bytesToSocket;
    return bytes;
  }

  /** Takes an accepted connection. */
  accept(socket: StreamSocket): void {
    const address = this.#chooseAddress();
    if (address === undefined || this.#streams.size >= maxConnections) {
      this.failed++;
      socket.destroy(true);
      return;
    }
    this.opened++;
    const stream = new ClientStream(this.#forwarder, this.#stranded, (ended, failure) => this.#ended(ended, address, failure));
    this.#streams.add(stream);
    stream.start(socket, address, this.#correlationId());
  }

  #ended(stream: ClientStream, address: string, failure: string | undefined): void {
    this.#streams.delete(stream);
    this.#stranded.delete(stream);
    this.#endedBytesIn += stream.tcp.bytesFromSocket;
    this.#endedBytesOut += stream.tcp.bytesToSocket;
    if (failure === undefined) return;
    this.failed++;
    this.#log.info('connection failed', { address, reason: failure });
  }

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    for (const stream of [...this.#stranded]) {
      this.#stranded.delete(stream);
      stream.sendAgain();
    }
  }

  /** Ends all connections. */
  stop(): void {
    for (const stream of [...this.#streams]) stream.stop();
  }
}

/**
 * A stream that comes back released has been seen by no server: a router on the way had no route, as happens for moments while routes
 * change. It is sent again, this often at most; each try takes as long as the way there and back.
 */
const maxRetries = 8;

/** One client connection. */
class ClientStream implements Consumer, Upstream {
  readonly #forwarder: Forwarder;
  readonly #stranded: Set<ClientStream>;
  readonly #done: (stream: ClientStream, failure: string | undefined) => void;
  readonly tcp: TcpStream;
  readonly outstanding = 0;
  #address = '';
  #correlationId = '';
  #replyTo = '';
  #answered = false;
  #retries = 0;
  #failure: string | undefined;

  constructor(forwarder: Forwarder, stranded: Set<ClientStream>, done: (stream: ClientStream, failure: string | undefined) => void) {
    this.#forwarder = forwarder;
    this.#stranded = stranded;
    this.#done = done;
    this.tcp = new TcpStream(this);
  }

  start(socket: StreamSocket, address: string, correlationId: string): void {
    this.#address = address;
    this.#correlationId = correlationId;
    this.#replyTo = this.#forwarder.addTemporary(this);
    this.tcp.attachSocket(socket);
    this.#send();
  }

  /** An answer to this try may still come, and must find nobody. */
  #abandonTry(): void {
    this.#forwarder.removeTemporary(this.#replyTo);
    this.tcp.abandonOut();
  }

  /** Tries anew, with an address of its own for the answer. */
  sendAgain(): void {
    this.#abandonTry();
    this.#retries++;
    this.#replyTo = this.#forwarder.addTemporary(this);
    this.#send();
  }

  #send(): void {
    const start = encodeStreamStart(this.#address, this.#replyTo, this.#correlationId);
    const head = streamHead(this.#address, this.#replyTo, this.#correlationId, start);
    const downstream = this.#forwarder.forward(head, true, false, undefined, this);
    if (typeof downstream === 'number') {
      this.#failure = 'no server is reachable';
      this.tcp.stop();
      return;
    }
    this.tcp.startOut(downstream);
    downstream.send(start, 0, start.length, true);
  }

  /** The server's stream. */
  deliver(head: MessageHead, upstream: Upstream): Downstream {
    if (this.#answered || this.tcp.gone || head.contentType !== octetStream) return new Refusal(upstream);
    this.#answered = true;
    const downstream = this.tcp.startIn(upstream, head.bodyStart - head.annotationsEnd);
    this.tcp.flow();
    return downstream;
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (!this.#answered && settled && state !== DeliveryState.accepted) {
      // The client's octets are read only when the server has answered: nothing has been sent yet.
      if (!this.tcp.gone && this.#retries < maxRetries) {
        if (error === linkLost) {
          this.#abandonTry();
          this.#stranded.add(this);
          return;
        }
        if (state === DeliveryState.released) {
          this.sendAgain();
          return;
        }
      }
      this.#failure = error?.description ?? 'the server could not be reached';
    }
    this.tcp.update(state, settled, sectionOffset);
  }

  relieved(): void {
    this.tcp.relieved();
  }

  ended(): void {
    this.#forwarder.removeTemporary(this.#replyTo);
    this.#done(this, this.#failure);
  }

  stop(): void {
    this.tcp.stop();
  }
}

/** Takes a message that does not belong here and releases it. */
export class Refusal implements Downstream {
  readonly congested = false;
  readonly overloaded = false;
  #upstream: Upstream | undefined;

  constructor(upstream: Upstream) {
    this.#upstream = upstream;
  }

  send(): void {
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.update(DeliveryState.released, true, 0, undefined);
  }

  abort(): void {}

  forget(): void {}
}
