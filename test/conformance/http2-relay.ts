import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { once } from 'node:events';
import { processClock } from '../../src/host/process-clock.ts';
import { TcpSocket } from '../../src/host/tcp-socket.ts';
import { TurnQueue } from '../../src/host/turn.ts';
import { webSocketKeys } from '../../src/host/websocket-keys.ts';
import type { HttpHandler } from '../../src/services/http/exchange.ts';
import { errorAnswer } from '../../src/services/http/network-error.ts';
import { Http2Listener } from '../../src/services/http2/http2-listener.ts';
import { Http2Pool } from '../../src/services/http2/http2-pool.ts';

export interface RelayOptions {
  readonly idleTimeoutMs?: number;
  readonly maxHeaderBytes?: number;
  /** Stands between the listener and the pool. */
  readonly wrap?: (pool: HttpHandler) => HttpHandler;
}

/** Clients of HTTP/2 on one side, one server on the other, and nothing between both ends. */
export class Relay {
  readonly turns: TurnQueue = new TurnQueue();
  readonly pool: Http2Pool;
  readonly listener: Http2Listener;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #wake: NodeJS.Timeout | undefined;
  readonly #sweeping: NodeJS.Timeout;

  constructor(serverPort: number, options: RelayOptions = {}) {
    const { idleTimeoutMs = 10_000, maxHeaderBytes = 16_384, wrap = (pool) => pool } = options;
    this.pool = new Http2Pool(
      { scheme: 'http', host: `127.0.0.1:${serverPort}`, idleTimeoutMs },
      {
        connect: (connected, failed) => {
          const socket = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
          socket.once('connect', () => {
            socket.off('error', failed);
            connected(new TcpSocket(socket, this.turns));
          });
          socket.once('error', failed);
          return () => socket.destroy();
        },
        clock: processClock,
        turns: this.turns,
        keys: webSocketKeys,
        wakeAt: (dueMs) => {
          clearTimeout(this.#wake);
          this.#wake = setTimeout(() => this.pool.handleTimeout(), dueMs - processClock.nowMs());
        },
      },
    );
    this.listener = new Http2Listener(
      wrap(this.pool),
      { clock: processClock, turns: this.turns, keys: webSocketKeys },
      {
        scheme: 'http',
        maxHeaderBytes,
        headerTimeoutMs: 5_000,
        idleTimeoutMs,
        errorAnswer: (status, reason) => errorAnswer(status, reason, 'site', 'service'),
      },
    );
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.listener.accept(new TcpSocket(socket, this.turns), '127.0.0.1', undefined);
    });
    this.#sweeping = setInterval(() => this.listener.sweep(processClock.nowMs()), 200);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    clearInterval(this.#sweeping);
    this.listener.stop();
    this.pool.stop();
    clearTimeout(this.#wake);
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
