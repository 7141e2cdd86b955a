import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { atEndOfTest } from './end-of-test.ts';
import { until } from './until.ts';

const host = '127.0.0.1';

/** A TCP server of a test, on a free port; disposing ends it and its connections. */
export class TcpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly sockets: Set<Socket> = new Set();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `serve` gets each connection, half-open allowed and paused. */
  static async start(serve: (socket: Socket) => void, port = 0): Promise<TcpServer> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    const started = new TcpServer(server);
    server.on('connection', (socket) => {
      started.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => started.sockets.delete(socket));
      serve(socket);
    });
    server.listen(port, host, 4096);
    await once(server, 'listening');
    atEndOfTest(async () => await started[Symbol.asyncDispose]());
    return started;
  }

  /** Sends back what comes, and the end. */
  static async echo(): Promise<TcpServer> {
    return await TcpServer.start((socket) => void socket.pipe(socket));
  }

  /** Answers each connection with `text` and ends. */
  static async greeting(text: string, port = 0): Promise<TcpServer> {
    return await TcpServer.start((socket) => {
      socket.end(text);
      socket.resume();
    }, port);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

/** Connects, half-open allowed, paused. Rejects with the error of `connect`. */
export async function dial(port: number): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.pause();
  atEndOfTest(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => socket.destroy());
  return socket;
}

/** Sends `request` and an end, and gives everything that is answered; rejects when the connection fails or nothing has come for `timeoutMs`. */
export async function ask(port: number, request: string, timeoutMs = 5000): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    let answer = '';
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    socket.on('connect', () => socket.end(request));
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    socket.once('end', () => resolve(answer));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

/** Waits until a request through the port is answered: the whole way works, there and back. */
export async function answering(port: number, timeoutMs = 20_000): Promise<string> {
  let last = '';
  return await until(
    `an answer on port ${port}`,
    async () => {
      try {
        return (await ask(port, 'ready?', 2000)) || undefined;
      } catch (error) {
        last = (error as Error).message;
        return undefined;
      }
    },
    timeoutMs,
    () => last,
  );
}

/** Waits until the port refuses connections. */
export async function refusing(port: number, timeoutMs = 10_000): Promise<void> {
  await until(
    `port ${port} refuses connections`,
    async () => {
      try {
        (await dial(port)).destroy();
        return false;
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      }
    },
    timeoutMs,
  );
}
