import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { TcpSocket } from '../host/tcp-socket.ts';

/** One open TCP connection of a service: a client's (`in`) or a server's (`out`). */
export interface TcpConnectionRow {
  readonly identity: string;
  /** The service address that it was opened for. */
  readonly address: string;
  /** Address and port of the other end. */
  readonly host: string;
  readonly direction: 'in' | 'out';
  /** From the client to the server. */
  readonly bytesIn: number;
  /** From the server to the client. */
  readonly bytesOut: number;
  readonly uptimeSeconds: number;
  /** Since octets last went from the client to the server; null when none have. */
  readonly lastInSeconds: number | null;
  /** Likewise from the server to the client. */
  readonly lastOutSeconds: number | null;
}

interface OpenConnection {
  readonly identity: string;
  readonly address: string;
  /** As it was connected: a socket that is being closed does not tell it any more. */
  readonly host: string;
  readonly openedMs: number;
  readonly tcp: TcpSocket;
}

/**
 * The sockets of a tcpListener (`in`: clients) or of a tcpConnector (`out`: servers) that are open, as management tells them. As many as the
 * limits of those allow.
 */
export class OpenConnections {
  readonly #direction: TcpConnectionRow['direction'];
  readonly #clock: Clock;
  readonly #open = new Set<OpenConnection>();

  constructor(direction: TcpConnectionRow['direction'], clock: Clock) {
    this.#direction = direction;
    this.#clock = clock;
  }

  /** Takes a connected socket, until it is closed. */
  add(identity: string, address: string, transport: Socket, tcp: TcpSocket): void {
    const { remoteAddress = '', remotePort = 0 } = transport;
    const host = remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
    const connection = { identity, address, host, openedMs: this.#clock.nowMs(), tcp };
    this.#open.add(connection);
    transport.once('close', () => this.#open.delete(connection));
  }

  rows(): readonly TcpConnectionRow[] {
    const nowMs = this.#clock.nowMs();
    const seconds = (sinceMs: number): number => Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
    return Array.from(this.#open, ({ identity, address, host, openedMs, tcp }) => {
      const { readBytes, writtenBytes, readMs, writtenMs } = tcp;
      const isClient = this.#direction === 'in';
      const lastInMs = isClient ? readMs : writtenMs;
      const lastOutMs = isClient ? writtenMs : readMs;
      return {
        identity,
        address,
        host,
        direction: this.#direction,
        bytesIn: isClient ? readBytes : writtenBytes,
        bytesOut: isClient ? writtenBytes : readBytes,
        uptimeSeconds: seconds(openedMs),
        lastInSeconds: lastInMs === undefined ? null : seconds(lastInMs),
        lastOutSeconds: lastOutMs === undefined ? null : seconds(lastOutMs),
      };
    });
  }
}
