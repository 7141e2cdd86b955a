import { createSocket, type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { loadInternetCalls, NamespaceSockets, type InternetCalls } from '../../src/kernel/netlink/namespace-sockets.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/** Opens sockets in the namespaces of pods from this process: no program has to be started there. */
export class PodSockets {
  readonly #calls: SocketCalls;
  readonly #internet: InternetCalls;

  constructor(calls: SocketCalls) {
    this.#calls = calls;
    this.#internet = loadInternetCalls(calls);
  }

  /** A socket for pings: a datagram is an ICMP message, whose checksum and identifier the kernel sets. */
  openPing(namespace: string, family: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
    using opened = new NetworkNamespace(pathOf(namespace));
    // Every user may ping.
    inNamespace(this.#calls, opened, () => writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647'));
    return this.#open(namespace, family, 'ping', 0);
  }

  openUdp(namespace: string, port: number, family: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
    return this.#open(namespace, family, 'udp', port);
  }

  async #open(namespace: string, family: 'udp4' | 'udp6', kind: 'udp' | 'ping', port: number): Promise<Socket> {
    using sockets = new NamespaceSockets(this.#calls, this.#internet, pathOf(namespace));
    const descriptor = sockets.bound(kind, family === 'udp4' ? '0.0.0.0' : '::', port);
    const socket = createSocket(family);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd: descriptor }, () => resolve());
    });
    socket.on('error', () => undefined);
    return socket;
  }
}
