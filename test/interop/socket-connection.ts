import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Connection } from '../../src/amqp/connection.ts';
import type { ConnectionHandler, ConnectionOptions } from '../../src/amqp/connection.ts';

/** An AMQP connection on a TCP socket: what it gives is written at the end of the turn, and its deadlines are kept by one timer. */
export class SocketConnection implements AsyncDisposable {
  readonly connection: Connection;
  readonly socket: Socket;
  #timer: NodeJS.Timeout | undefined;
  #scheduled = false;

  constructor(socket: Socket, options: ConnectionOptions, handler: ConnectionHandler) {
    this.socket = socket;
    this.connection = new Connection(options, handler);
    this.connection.start(performance.now());
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      this.connection.receive(bytes, performance.now());
      this.flush();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.connection.lost('the socket has closed');
    });
    this.flush();
  }

  /** Writes what waits when this turn of the event loop ends; called after commands. */
  flush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#write());
  }

  #write(): void {
    this.#scheduled = false;
    const { connection, socket } = this;
    for (let bytes = connection.nextTransmit(); bytes !== undefined; bytes = connection.nextTransmit()) {
      socket.write(bytes.slice());
      connection.transmitted();
    }
    if (connection.ended) socket.end();
    clearTimeout(this.#timer);
    const deadlineMs = connection.nextDeadlineMs();
    if (deadlineMs === Infinity || socket.destroyed) return;
    this.#timer = setTimeout(
      () => {
        connection.handleTimeout(performance.now());
        this.#write();
      },
      Math.max(1, deadlineMs - performance.now()),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.closed) return;
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }
}

/** Listens on a free port of 127.0.0.1 and hands over each socket. */
export async function listen(accept: (socket: Socket) => void): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    accept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Waits until `condition` holds; throws with `what` after ten seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const dataPrefix = 8;

/** A message with one data section (§3.2.6): `00 53 75 b0 length:4 bytes`. */
export function dataMessage(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(dataPrefix + body.length);
  message.set([0, 0x53, 0x75, 0xb0]);
  new DataView(message.buffer).setUint32(4, body.length);
  message.set(body, dataPrefix);
  return message;
}

/** `length` bytes that no compression or repetition would survive unnoticed. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0, state = seed >>> 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
