import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { TcpSocket } from '../host/tcp-socket.ts';
import { webSocketKeys } from '../host/websocket-keys.ts';
import type { TrafficMeter } from '../flows/metering.ts';
import type { HttpListenerEntity, HttpProtocol } from '../management/service-entities.ts';
import { errorAnswer } from '../services/http/network-error.ts';
import { Http1Listener } from '../services/http1/http1-listener.ts';
import { Http2Listener } from '../services/http2/http2-listener.ts';
import { HttpClientConnection } from './http-client-connection.ts';
import type { ConnectionHandler } from './http-client-connection.ts';
import type { ServiceContext } from './service.ts';

/** Timeouts of clients are looked at this often: little is added to the shortest of them, and 10,000 connections take a millisecond. */
const sweepMs = 250;
/** What clients of HTTP/2 say first (RFC 9113 §3.4); no method of HTTP/1 begins like this. */
const preface = Buffer.from('PRI');

/** Application protocols with TLS, in order of preference. */
export function tlsProtocols(protocol: HttpProtocol): readonly string[] {
  return protocol === 'http2' ? ['h2'] : ['h2', 'http/1.1'];
}

/** The connections of the clients of one httpListener: finds out which HTTP each speaks. */
export class HttpClients {
  readonly #context: ServiceContext;
  readonly #entity: HttpListenerEntity;
  readonly #http1: Http1Listener;
  readonly #http2: Http2Listener;
  readonly #handler: ConnectionHandler;
  readonly #meter: TrafficMeter;
  /** Those that have not said what they speak, with the time until which they may be silent. */
  readonly #silent = new Map<Socket, number>();
  #sweeping: NodeJS.Timeout | undefined;
  #draining = false;
  /** Connections since the start. */
  opened = 0;

  constructor(context: ServiceContext, entity: HttpListenerEntity, handler: ConnectionHandler, meter: TrafficMeter) {
    this.#context = context;
    this.#handler = handler;
    this.#meter = meter;
    this.#entity = entity;
    const { clock, turns, siteName } = context;
    const { address, maxHeaderBytes, headerTimeoutMs, idleTimeoutMs } = entity;
    const options = {
      scheme: entity.sslProfile === undefined ? 'http' : 'https',
      maxHeaderBytes,
      headerTimeoutMs,
      idleTimeoutMs,
      errorAnswer: (status: number, reason: string) => errorAnswer(status, reason, siteName, address),
    } as const;
    this.#http1 = new Http1Listener(handler, clock, options);
    this.#http2 = new Http2Listener(handler, { clock, turns, keys: webSocketKeys }, options);
  }

  /** Connections. */
  get active(): number {
    return this.#http1.active + this.#http2.active + this.#silent.size;
  }

  /** Takes a client: paused, half-open allowed; `transport` is what lies below TLS, or the same socket. */
  accept(socket: Socket, transport: Socket): void {
    const client = transport.remoteAddress;
    if (client === undefined) {
      // Gone again.
      socket.destroy();
      return;
    }
    this.opened++;
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs);
    const agreed = socket instanceof TLSSocket ? socket.alpnProtocol : false;
    if (this.#entity.protocol === 'http2' || agreed === 'h2') this.#acceptHttp2(socket, transport, plainAddress(client), undefined);
    else if (agreed === 'http/1.1') this.#acceptHttp1(socket, transport, plainAddress(client), undefined);
    else this.#listen(socket, transport, plainAddress(client));
  }

  #acceptHttp1(socket: Socket, transport: Socket, client: string, first: Buffer | undefined): void {
    this.#http1.accept(
      new TcpSocket(socket, this.#context.turns, transport, true),
      client,
      first,
      this.#handlerOf('HTTP/1.1', transport, client),
    );
  }

  #acceptHttp2(socket: Socket, transport: Socket, client: string, first: Buffer | undefined): void {
    this.#http2.accept(new TcpSocket(socket, this.#context.turns, transport), client, first, this.#handlerOf('HTTP/2', transport, client));
  }

  #handlerOf(protocol: string, transport: Socket, client: string): HttpClientConnection {
    return new HttpClientConnection(this.#handler, protocol, transport, client, this.#meter, this.#context.clock);
  }

  /** Waits for the octets that tell. */
  #listen(socket: Socket, transport: Socket, client: string): void {
    let heard: Buffer = Buffer.alloc(0);
    const leave = (): void => {
      socket.off('data', hear);
      socket.off('end', give);
      socket.off('close', leave);
      this.#silent.delete(socket);
    };
    const give = (): void => {
      leave();
      socket.destroy();
    };
    const hear = (bytes: Buffer): void => {
      heard = heard.length === 0 ? bytes : Buffer.concat([heard, bytes]);
      const known = Math.min(heard.length, preface.length);
      const isHttp2 = preface.compare(heard, 0, known, 0, known) === 0;
      if (isHttp2 && known < preface.length) return;
      leave();
      socket.pause();
      if (isHttp2) this.#acceptHttp2(socket, transport, client, heard);
      else this.#acceptHttp1(socket, transport, client, heard);
      this.#context.turns.touch();
    };
    this.#silent.set(socket, this.#context.clock.nowMs() + this.#entity.idleTimeoutMs);
    socket.on('data', hear);
    socket.on('end', give);
    socket.on('close', leave);
    // 'close' follows.
    socket.on('error', () => {});
    socket.resume();
    if (this.#draining) give();
  }

  #sweep(): void {
    const nowMs = this.#context.clock.nowMs();
    this.#http1.sweep(nowMs);
    this.#http2.sweep(nowMs);
    for (const [socket, untilMs] of this.#silent) if (untilMs <= nowMs) socket.destroy();
    this.#context.turns.touch();
    if (this.active === 0) this.#stopSweeping();
  }

  #stopSweeping(): void {
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }

  /** Tells clients to go elsewhere, as far as their protocol has words for it. */
  retire(): void {
    this.#http1.retire();
    this.#http2.retire();
  }

  /** Closes what is idle now, and the rest behind the answers in progress. */
  drain(): void {
    this.#draining = true;
    this.#http1.drain();
    this.#http2.drain();
    for (const socket of this.#silent.keys()) socket.destroy();
  }

  stop(): void {
    this.#http1.stop();
    this.#http2.stop();
    for (const socket of this.#silent.keys()) socket.destroy();
    this.#stopSweeping();
  }
}

/** Addresses of IPv4 that came to a socket of IPv6, as they are. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
