import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Stands between two routers: passes everything on until the link is cut or goes silent. */
export class LinkProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #silent = false;
  #refusing = false;
  /** Octets that were passed on, both directions together. */
  passedBytes = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(targetPort: number): Promise<LinkProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new LinkProxy(server);
    server.on('connection', (near) => {
      if (proxy.#refusing) {
        near.destroy();
        return;
      }
      const far = connect({ host: '127.0.0.1', port: targetPort, allowHalfOpen: true, noDelay: true });
      proxy.#join(near, far);
      proxy.#join(far, near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (this.#silent) return;
      this.passedBytes += bytes.length;
      to.write(bytes);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.once('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts what stands; with `forGood` new connections are cut as well. */
  cut(forGood: boolean): void {
    this.#refusing = forGood;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Passes nothing on any more and tells nobody. */
  silence(): void {
    this.#silent = true;
  }

  /** Passes on again; what was lost meanwhile breaks the connections that stood. */
  restore(): void {
    this.#refusing = false;
    this.#silent = false;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}
