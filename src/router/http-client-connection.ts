import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { FlowDetail, TrafficMeter } from '../flows/metering.ts';
import { Attribute } from '../flows/record-types.ts';
import type { HttpHandler, RequestHead, RequestSink, Responder } from '../services/http/exchange.ts';
import type { ClientConnection } from '../services/http/request-metering.ts';

/** Takes requests with the connection that they came by. */
export interface ConnectionHandler {
  handle(head: RequestHead, responder: Responder, client?: ClientConnection): RequestSink;
}

/** One connection of an HTTP client: what its requests say of it, and its own record if somebody wants one. */
export class HttpClientConnection implements HttpHandler, ClientConnection {
  readonly protocol: string;
  readonly port: number;
  readonly #handler: ConnectionHandler;
  readonly #detail: FlowDetail | undefined;

  constructor(handler: ConnectionHandler, protocol: string, transport: Socket, host: string, meter: TrafficMeter, clock: Clock) {
    this.#handler = handler;
    this.protocol = protocol;
    this.port = transport.remotePort ?? 0;
    if (!meter.active) return;
    const detail = meter.begin({ kind: 'connection', startWallMicroseconds: Math.round(clock.wallMs() * 1000) });
    if (detail === undefined) return;
    this.#detail = detail;
    detail.set(Attribute.sourceHost, host);
    detail.set(Attribute.sourcePort, String(this.port));
    transport.once('close', () => {
      detail.set(Attribute.octets, transport.bytesRead);
      detail.set(Attribute.octetsReverse, transport.bytesWritten);
      detail.end(Math.round(clock.wallMs() * 1000));
    });
  }

  get identity(): string | undefined {
    return this.#detail?.identity;
  }

  handle(head: RequestHead, responder: Responder): RequestSink {
    return this.#handler.handle(head, responder, this);
  }
}
