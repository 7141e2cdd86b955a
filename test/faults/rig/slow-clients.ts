import { connect } from 'node:net';
import type { Socket } from 'node:net';

const host = '127.0.0.1';
/** Each does so little so often. */
const dripMs = 500;

/** One way to hold a connection at next to no cost. */
export interface SlowKind {
  readonly name: string;
  readonly tls?: boolean;
  /** Reads nothing. */
  readonly deaf?: boolean;
  readonly first: Buffer;
  readonly drip: Buffer;
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1');

/** A record of TLS that announces a ClientHello of 512 octets, and its first few. */
const clientHello = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);

export const slowKinds: readonly SlowKind[] = [
  { name: 'header', first: text('GET / HTTP/1.1\r\nHost: h\r\n'), drip: text('X-A: b\r\n') },
  { name: 'body', first: text('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n'), drip: text('b') },
  { name: 'read', deaf: true, first: text('GET /large HTTP/1.1\r\nHost: h\r\n\r\n'), drip: text('G') },
  { name: 'TLS', tls: true, first: clientHello, drip: Buffer.from([0]) },
];

/** Clients of one kind. Each stands until the other end cuts it; those that are left end with `end`. */
export class SlowClients {
  readonly #kind: SlowKind;
  readonly #sockets = new Set<Socket>();
  readonly #timer: NodeJS.Timeout;
  /** Of those that were cut: how long they stood. */
  readonly stoodMs: number[] = [];

  constructor(kind: SlowKind, port: number, count: number) {
    this.#kind = kind;
    for (let index = 0; index < count; index++) this.#open(port);
    this.#timer = setInterval(() => this.#drip(), dripMs);
  }

  #open(port: number): void {
    const socket = connect({ host, port, noDelay: true });
    const startMs = performance.now();
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => {
      if (this.#sockets.delete(socket)) this.stoodMs.push(performance.now() - startMs);
    });
    if (this.#kind.deaf === true) socket.pause();
    else socket.resume();
    socket.write(this.#kind.first);
  }

  /** Also the way in which one that reads nothing learns that it was cut. */
  #drip(): void {
    for (const socket of this.#sockets) if (socket.writableLength === 0) socket.write(this.#kind.drip);
  }

  get standing(): number {
    return this.#sockets.size;
  }

  /** Gives how many stood to the end. */
  end(): number {
    clearInterval(this.#timer);
    const standing = [...this.#sockets];
    this.#sockets.clear();
    for (const socket of standing) socket.destroy();
    return standing.length;
  }
}
