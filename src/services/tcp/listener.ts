import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { StreamSocket } from '../../base/stream-socket.ts';
import { DeliveryState } from '../../amqp/performatives.ts';
import type { AmqpError } from '../../amqp/performatives.ts';
import type { FlowDetail, TrafficMeter } from '../../flows/metering.ts';
import { Attribute } from '../../flows/record-types.ts';
import { silentMeter } from '../../flows/silent-metering.ts';
import type { Forwarder } from '../../forwarding/forwarder.ts';
import type { Consumer, Downstream, Upstream } from '../../forwarding/leg.ts';
import { linkLost } from '../../forwarding/remote-leg.ts';
import type { MessageHead } from '../../forwarding/message-head.ts';
import { ConnectionFlow } from './connection-flow.ts';
import { RetryQueue } from './retry-queue.ts';
import { encodeStreamStart, octetStream, streamHead } from './stream-message.ts';
import { TcpStream } from './tcp-stream.ts';
import { WindowBudget } from './window-budget.ts';

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
  readonly #windows: WindowBudget;
  readonly #clock: Clock;
  readonly #meter: TrafficMeter;
  readonly #streams = new Set<ClientStream>();
  readonly #retries: RetryQueue<ClientStream>;
  opened = 0;
  failed = 0;
  /** Octets of connections that have ended. */
  #endedBytesIn = 0;
  #endedBytesOut = 0;

  /** `retryAt` asks for a call of `retryDue` at that time; a later call of it takes the place of the one before. */
  constructor(
    forwarder: Forwarder,
    chooseAddress: () => string | undefined,
    correlationId: () => string,
    clock: Clock,
    retryAt: (dueMs: number) => void,
    log: Logger,
    windows: WindowBudget = new WindowBudget(),
    meter: TrafficMeter = silentMeter,
  ) {
    this.#windows = windows;
    this.#clock = clock;
    this.#meter = meter;
    this.#forwarder = forwarder;
    this.#chooseAddress = chooseAddress;
    this.#correlationId = correlationId;
    this.#retries = new RetryQueue(clock, retryAt);
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

  /** Takes an accepted connection of a client at `host`; the address that it is for, or undefined when it is refused. */
  accept(socket: StreamSocket, host = '', port = 0): string | undefined {
    const address = this.#chooseAddress();
    if (address === undefined || this.#streams.size >= maxConnections) {
      this.failed++;
      socket.destroy(true);
      return undefined;
    }
    this.opened++;
    const stream = new ClientStream(this.#forwarder, this.#retries, this.#windows, (ended, failure) =>
      this.#ended(ended, address, failure),
    );
    this.#streams.add(stream);
    const detail = this.#meter.active ? this.#record(stream, address, host, port) : undefined;
    stream.start(socket, address, detail?.identity ?? this.#correlationId());
    return address;
  }

  /** Somebody listens: the record of a new connection, if it may have one. */
  #record(stream: ClientStream, address: string, host: string, port: number): FlowDetail | undefined {
    const detail = this.#meter.begin({ kind: 'connection', startWallMicroseconds: Math.round(this.#clock.wallMs() * 1000) });
    detail?.set(Attribute.sourceHost, host);
    detail?.set(Attribute.sourcePort, String(port));
    stream.flow = new ConnectionFlow(this.#meter, detail, address, this.#clock.nowMs());
    return detail;
  }

  /** Tells the octets of connections that go on. To be called about once a second while the meter is active. */
  report(): void {
    for (const stream of this.#streams) stream.report(this.#meter);
  }

  #ended(stream: ClientStream, address: string, failure: string | undefined): void {
    this.#streams.delete(stream);
    this.#endedBytesIn += stream.tcp.bytesFromSocket;
    this.#endedBytesOut += stream.tcp.bytesToSocket;
    const { bytesFromSocket: fromClient, bytesToSocket: toClient } = stream.tcp;
    stream.flow?.ended({ failure, fromClient, toClient, wallMs: this.#clock.wallMs() });
    if (failure === undefined) return;
    this.failed++;
    this.#log.info('connection failed', { address, reason: failure });
  }

  /** Routes or local consumers have changed. */
  routesChanged(): void {
    for (const stream of [...this.#retries.unanswered]) stream.leaveSevered();
    for (const stream of this.#retries.take(Infinity)) stream.sendAgain();
  }

  /** Sends again what is due. */
  retryDue(): void {
    for (const stream of this.#retries.take(this.#retries.nowMs())) stream.sendAgain();
  }

  /** Ends all connections. */
  stop(): void {
    for (const stream of [...this.#streams]) stream.stop();
  }
}

/**
 * Pauses before a stream is sent again: the first is the way of routes that change this moment, the last one reaches over the loss of a
 * silent link. A change of routes ends a pause early.
 */
const retryPausesMs: readonly number[] = [1, 5, 10, 20, 50, 100, 200];
/** A client waits this long for a way at most, from the first failure: longer than a router takes to start again. */
const patienceMs = 4_000;
/** Tries of one stream at most, however often routes change. */
const maxRetries = 64;

/** One client connection. */
class ClientStream implements Consumer, Upstream {
  readonly #forwarder: Forwarder;
  readonly #retries: RetryQueue<ClientStream>;
  readonly #done: (stream: ClientStream, failure: string | undefined) => void;
  readonly tcp: TcpStream;
  readonly outstanding = 0;
  /** What is recorded of it; undefined when it began before anybody listened. */
  flow: ConnectionFlow | undefined = undefined;
  #address = '';
  /** Where the server is. */
  #routerId = '';
  #correlationId = '';
  #replyTo = '';
  #answered = false;
  #tries = 0;
  #failedFirstMs = Infinity;
  #failure: string | undefined;

  constructor(
    forwarder: Forwarder,
    retries: RetryQueue<ClientStream>,
    windows: WindowBudget,
    done: (stream: ClientStream, failure: string | undefined) => void,
  ) {
    this.#forwarder = forwarder;
    this.#retries = retries;
    this.#done = done;
    this.tcp = new TcpStream(this, windows);
  }

  start(socket: StreamSocket, address: string, correlationId: string): void {
    this.#address = address;
    this.#correlationId = correlationId;
    this.#replyTo = this.#forwarder.addTemporary(this);
    this.tcp.attachSocket(socket);
    this.#retries.unanswered.add(this);
    this.#send();
  }

  /** Tries anew, with an address of its own for the answer: that to an earlier try may still come, and must find nobody. */
  sendAgain(): void {
    this.#replyTo = this.#forwarder.addTemporary(this);
    this.#send();
  }

  #send(): void {
    this.#tries++;
    const start = encodeStreamStart(this.#address, this.#replyTo, this.#correlationId);
    const head = streamHead(this.#address, this.#replyTo, this.#correlationId, start);
    const downstream = this.#forwarder.forward(head, true, false, undefined, this);
    if (typeof downstream === 'number') {
      if (this.#mayWait()) return;
      this.#failure = 'no server is reachable';
      this.tcp.stop();
      return;
    }
    this.tcp.startOut(downstream);
    downstream.send(start, 0, start.length, true);
  }

  /** This try has failed, and nobody can have seen an octet of the client. False if it was the last. */
  #mayWait(): boolean {
    const nowMs = this.#retries.nowMs();
    this.#failedFirstMs = Math.min(this.#failedFirstMs, nowMs);
    if (this.tcp.gone || this.#tries > maxRetries || nowMs - this.#failedFirstMs >= patienceMs) return false;
    this.#forwarder.removeTemporary(this.#replyTo);
    this.tcp.abandonOut();
    this.#retries.add(this, nowMs + (retryPausesMs[this.#tries - 1] ?? retryPausesMs.at(-1) ?? 0));
    return true;
  }

  /** Leaves a way that has fallen silent, while no answer has come. */
  leaveSevered(): void {
    if (!this.tcp.severed || this.tcp.gone) return;
    this.#forwarder.removeTemporary(this.#replyTo);
    this.tcp.takeBackOut();
    this.sendAgain();
  }

  /** The server's stream. */
  deliver(head: MessageHead, upstream: Upstream, origin: string): Downstream {
    if (this.#answered || this.tcp.gone || head.contentType !== octetStream) return new Refusal(upstream);
    this.#answered = true;
    this.#routerId = origin;
    this.flow?.answered(origin, this.#retries.nowMs());
    this.#retries.remove(this);
    const downstream = this.tcp.startIn(upstream, head.bodyStart - head.annotationsEnd);
    this.tcp.flow();
    return downstream;
  }

  update(state: DeliveryState, settled: boolean, sectionOffset: number, error: AmqpError | undefined): void {
    if (!this.#answered && settled && state !== DeliveryState.accepted) {
      // The client's octets are read only when the server has answered: nothing has been sent yet.
      const isLost = state === DeliveryState.released || error?.condition === linkLost.condition;
      if (isLost && this.#mayWait()) return;
      this.#failure = error?.description || error?.condition || 'the server could not be reached';
    }
    this.tcp.update(state, settled, sectionOffset);
  }

  relieved(): void {
    this.tcp.relieved();
  }

  report(meter: TrafficMeter): void {
    const { bytesFromSocket, bytesToSocket } = this.tcp;
    if (this.flow !== undefined) this.flow.report(bytesFromSocket, bytesToSocket);
    else if (this.#answered) this.flow = ConnectionFlow.resumed(meter, this.#address, this.#routerId, bytesFromSocket, bytesToSocket);
  }

  ended(): void {
    this.#retries.remove(this);
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
