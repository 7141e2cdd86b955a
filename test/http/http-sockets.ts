import type { Application } from '../../src/sim/virtual-socket.ts';
import { VirtualSocket } from '../../src/sim/virtual-socket.ts';
import { ConnectionPool, defaultIdleTimeoutMs } from '../../src/services/http/connection-pool.ts';
import type { ConnectionPoolOptions } from '../../src/services/http/connection-pool.ts';
import type { HttpIngress, HttpIngressOptions } from '../../src/services/http/http-ingress.ts';
import type { HttpServer, HttpServerOptions } from '../../src/services/http/http-server.ts';
import { errorAnswer } from '../../src/services/http/network-error.ts';
import { HeadWriter } from '../../src/services/http1/head-writer.ts';
import { Http1Client } from '../../src/services/http1/http1-client.ts';
import { Http1Listener } from '../../src/services/http1/http1-listener.ts';
import { OctetPool } from '../../src/services/http1/octet-pool.ts';
import { HttpRouter as HandlerRouter } from './virtual-http.ts';

/** A port that clients connect to. */
export interface Port {
  readonly ingress: HttpIngress;
  readonly listener: Http1Listener;
}

/** An answer as a server of HTTP/1.1 writes it. */
export function reply(body: string, ...lines: string[]): Uint8Array {
  return new TextEncoder().encode(
    ['HTTP/1.1 200 OK', 'content-type: text/plain', `content-length: ${body.length}`, ...lines, '', body].join('\r\n'),
  );
}

/** HTTP/1.1 from socket to socket: the protocol at both ends, the network between them. */
export class HttpRouter extends HandlerRouter {
  listenSockets(address: string, options: Partial<HttpIngressOptions> = {}): Port {
    const ingress = this.listen(address, options);
    const listener = new Http1Listener(ingress, this.context(() => {}).clock, {
      scheme: 'http',
      maxHeaderBytes: 16_384,
      headerTimeoutMs: 10_000,
      idleTimeoutMs: 60_000,
      errorAnswer: (status, reason) => errorAnswer(status, reason, this.router.id, address),
    });
    return { ingress, listener };
  }

  #socket(): VirtualSocket {
    return new VirtualSocket(this.router.later);
  }

  connectTo({ listener }: Port, prepare?: (application: Application) => void): Application {
    const socket = this.#socket();
    prepare?.(socket.application);
    listener.accept(socket, '192.0.2.7', undefined);
    this.router.touch();
    return socket.application;
  }

  /** Offers a server of sockets; without `serve` it refuses connections. */
  serveSockets(
    name: string,
    serve: ((application: Application) => void) | undefined,
    { isRunning, ...options }: Partial<HttpServerOptions> & { readonly isRunning?: () => boolean } = {},
    pooling: Partial<ConnectionPoolOptions> = {},
  ): { readonly server: HttpServer; readonly pool: ConnectionPool } {
    const octets = new OctetPool();
    const client = { pool: octets, writer: new HeadWriter(octets), maxHeaderBytes: 16_384, host: 'server' };
    const pool: ConnectionPool = new ConnectionPool(
      { maxConnections: 1024, idleTimeoutMs: defaultIdleTimeoutMs, ...pooling },
      {
        ...this.context(() => pool.handleTimeout()),
        connect: (connected, failed) => {
          let given = true;
          this.router.later(() => {
            if (!given) return;
            if (serve === undefined || isRunning?.() === false) {
              failed(new Error('connection refused'));
              return;
            }
            const socket = this.#socket();
            serve(socket.application);
            connected(socket);
          });
          return () => {
            given = false;
          };
        },
        open: (owner, socket) => new Http1Client(client, owner, socket),
      },
    );
    return { server: this.serve(name, pool, options), pool };
  }
}
