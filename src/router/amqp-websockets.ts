import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { StreamSocket } from '../base/stream-socket.ts';
import type { TurnQueue } from '../host/turn.ts';
import { WebSocketStream } from '../host/websocket-socket.ts';

/** Names of AMQP as a subprotocol: the registered one, and that of clients from before it was. */
const subprotocols = ['amqp', 'AMQPWSB10'] as const;
/** Longest message: AMQP frames are far shorter, and may be cut anywhere. */
const maxMessageBytes = 1_048_576;
/** From the first octet to the end of the request. */
const requestTimeoutMs = 10_000;
/** Octets of a request's head. */
const maxHeaderBytes = 16_384;

/** The first octet of the header of AMQP, `AMQP`: no method of HTTP that can ask for a WebSocket begins so. */
const amqpFirstOctet = 0x41;

/**
 * WebSockets that carry AMQP, on the same port as AMQP itself.
 *
 * A browser tells where its page comes from, and lets any page connect anywhere: pages of other hosts than the one that is asked are refused.
 */
export class AmqpWebSockets {
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;

  /** `serve` takes a stream of octets, and the socket below it. */
  constructor(turns: TurnQueue, serve: (stream: StreamSocket, socket: Socket) => void) {
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols: (offered) => subprotocols.find((name) => offered.has(name)) ?? false,
    });
    this.#server = createServer({ maxHeaderSize: maxHeaderBytes, requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
    this.#server.on('request', (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' });
      response.end('AMQP over WebSocket is spoken here\n');
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const refusal = refusalOf(request);
      if (refusal !== undefined) {
        socket.end(`HTTP/1.1 ${refusal}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        serve(new WebSocketStream(webSocket, turns), request.socket);
        turns.touch();
      });
    });
  }

  /** Looks at the first octet of a paused socket: HTTP stays here, `amqp` is called for all else. */
  distinguish(socket: Socket, amqp: () => void): void {
    const failed = (): void => {
      socket.destroy();
    };
    const timer = setTimeout(failed, requestTimeoutMs);
    socket.on('error', failed);
    socket.once('close', () => clearTimeout(timer));
    socket.once('end', failed);
    socket.once('data', (first: Buffer) => {
      clearTimeout(timer);
      socket.pause();
      socket.off('end', failed);
      socket.off('error', failed);
      if (first[0] === amqpFirstOctet) {
        amqp();
        socket.unshift(first);
        return;
      }
      this.#server.emit('connection', socket);
      socket.unshift(first);
      process.nextTick(() => socket.resume());
    });
    socket.resume();
  }

  stop(): void {
    this.#webSockets.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Why a request gets no WebSocket, as a status line; undefined if it gets one. */
function refusalOf({ headers }: IncomingMessage): string | undefined {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(/[\s,]+/);
  if (!subprotocols.some((name) => offered.includes(name))) return '400 Bad Request';
  const { origin, host } = headers;
  if (origin === undefined) return undefined;
  try {
    if (new URL(origin).host === host) return undefined;
  } catch {
    // Not the URL of any page.
  }
  return '403 Forbidden';
}
