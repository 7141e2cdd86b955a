import { TLSSocket } from 'node:tls';
import { TcpSocket } from '../host/tcp-socket.ts';
import { webSocketKeys } from '../host/websocket-keys.ts';
import type { HttpConnectorEntity } from '../management/service-entities.ts';
import { ConnectionPool, defaultIdleTimeoutMs } from '../services/http/connection-pool.ts';
import type { ConnectionPoolOptions } from '../services/http/connection-pool.ts';
import { maxFieldBytes } from '../services/http/exchange.ts';
import type { HttpHandler } from '../services/http/exchange.ts';
import { HeadWriter } from '../services/http1/head-writer.ts';
import { Http1Client } from '../services/http1/http1-client.ts';
import { OctetPool } from '../services/http1/octet-pool.ts';
import { Http2Pool, defaultIdleTimeoutMs as http2IdleTimeoutMs } from '../services/http2/http2-pool.ts';
import type { ServerDialler } from './server-dialler.ts';
import type { ServiceContext } from './service.ts';

/** The connections to one server. */
export interface ServerPool extends HttpHandler {
  readonly connections: number;
  handleTimeout(): void;
  stop(): void;
}

export interface ServerPoolOptions {
  readonly dialler: ServerDialler;
  readonly activation: ConnectionPoolOptions['activation'];
  readonly wakeAt: (dueMs: number) => void;
  /** A connection has been made. */
  readonly connected: () => void;
}

/** Application protocols to ask for with TLS. */
export function serverProtocols({ protocol }: HttpConnectorEntity): readonly string[] {
  return protocol === 'http2' ? ['h2'] : ['http/1.1'];
}

/** Makes the connections to a server in the protocol that the entity says. */
export function serverPool(context: ServiceContext, entity: HttpConnectorEntity, options: ServerPoolOptions): ServerPool {
  const { clock, turns } = context;
  const { dialler, wakeAt, connected: countConnection } = options;
  const activation = options.activation === undefined ? {} : { activation: options.activation };
  const host = entity.host.includes(':') ? `[${entity.host}]:${entity.port}` : `${entity.host}:${entity.port}`;
  if (entity.protocol === 'http2') {
    const scheme = entity.sslProfile === undefined ? 'http' : 'https';
    return new Http2Pool(
      { scheme, host, idleTimeoutMs: http2IdleTimeoutMs, ...activation },
      {
        connect: (connected, failed) =>
          dialler.dial((socket, transport) => {
            if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
              socket.on('error', () => {});
              socket.destroy();
              failed(new Error(`${host} does not offer HTTP/2`));
              return;
            }
            countConnection();
            connected(new TcpSocket(socket, turns, transport));
          }, failed),
        clock,
        turns,
        keys: webSocketKeys,
        wakeAt,
      },
    );
  }
  const pool = new OctetPool();
  const client = { pool, writer: new HeadWriter(pool), maxHeaderBytes: maxFieldBytes, host };
  return new ConnectionPool(
    { maxConnections: entity.maxRequests, idleTimeoutMs: defaultIdleTimeoutMs, ...activation },
    {
      connect: (connected, failed) =>
        dialler.dial((socket, transport) => {
          countConnection();
          connected(new TcpSocket(socket, turns, transport, true));
        }, failed),
      open: (owner, socket) => new Http1Client(client, owner, socket),
      clock,
      turns,
      wakeAt,
    },
  );
}
