import { once } from 'node:events';
import { createServer, Socket, type Server } from 'node:net';
import { loadInternetCalls, NamespaceSockets, type InternetCalls } from '../../src/kernel/netlink/namespace-sockets.ts';
import { pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/** TCP in the namespaces of pods, from this process. */
export class PodTcp {
  readonly #calls: SocketCalls;
  readonly #internet: InternetCalls;

  constructor(calls: SocketCalls) {
    this.#calls = calls;
    this.#internet = loadInternetCalls(calls);
  }

  /** Listens at `address` of the pod; without it, at all of IPv4. */
  async listen(namespace: string, port: number, served: (socket: Socket) => void, address = '0.0.0.0'): Promise<Server> {
    const server = createServer((socket) => {
      // A client that gave up before it was heard resets its connection.
      socket.on('error', () => socket.destroy());
      served(socket);
    });
    server.listen({ fd: this.#bound(namespace, address, port) });
    await once(server, 'listening');
    return server;
  }

  /** Rejects when nobody listens there, or nobody answers in time: without `timeoutMs`, for as long as the kernel tries. */
  async connect(namespace: string, address: string, port: number, fromPort = 0, timeoutMs = 0): Promise<Socket> {
    const socket = new Socket({ fd: this.#bound(namespace, address.includes(':') ? '::' : '0.0.0.0', fromPort) });
    const reached = once(socket, 'connect');
    socket.connect({ host: address, port });
    const late = timeoutMs === 0 ? undefined : setTimeout(() => socket.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    try {
      await reached;
    } catch (cause) {
      throw new Error(`${address}:${port} is not reached from ${namespace}`, { cause });
    } finally {
      clearTimeout(late);
    }
    return socket;
  }

  #bound(namespace: string, address: string, port: number): number {
    using sockets = new NamespaceSockets(this.#calls, this.#internet, pathOf(namespace));
    return sockets.bound('tcp', address, port);
  }
}
