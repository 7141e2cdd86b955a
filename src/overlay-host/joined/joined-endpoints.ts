import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect, createServer, isIPv6, Socket } from 'node:net';
import { WeatherError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { CountedWarnings } from '../../host/counted-warnings.ts';
import { NamespaceSockets, type InternetCalls } from '../../kernel/netlink/namespace-sockets.ts';
import {
  createNamedNamespace,
  deleteNamedNamespace,
  inNamespace,
  namespaceNames,
  NetworkNamespace,
  pathOf,
} from '../../kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import type { EndpointForward, EndpointOffer } from '../../overlay/resources/resource-types.ts';
import { socketAddressOf } from '../../overlay/resources/socket-address.ts';
import type { JoinedEndpoints } from '../pods/endpoint-keeper.ts';
import { JoinedDatagrams } from './joined-datagrams.ts';
import { joinStreams } from './joined-stream.ts';
import { ownNamespaceTag } from '../pods/own-namespace.ts';

export interface HostJoinedEndpointsOptions {
  readonly calls: SocketCalls;
  readonly internet: InternetCalls;
  readonly nowMs: () => number;
  readonly log: Logger;
}

type PlacedEndpoint = Parameters<JoinedEndpoints['placed']>[0];

interface Joined {
  readonly sockets: NamespaceSockets;
  /** Of the namespace. */
  readonly inode: number;
  /** What closes each port that is open, by what it was opened for. */
  readonly ports: Map<string, () => void>;
}

const namespacePrefix = 'caravan-endpoint-';
/** Connections of one port at a time. */
const connectionsLimit = 1024;
/** Of all endpoints of this host: each is two descriptors. */
const hostConnectionsLimit = 8192;

/**
 * Ports of endpoints that this process serves.
 *
 *   forward:  pod ── VPC ──► endpoint's address:port ──► program on the host (a Listener of the application network)
 *   offer:    program on the host (a Connector) ──► port of the host ──► from the endpoint's address ── VPC ──► pod
 */
export class HostJoinedEndpoints implements JoinedEndpoints, Disposable {
  readonly #options: HostJoinedEndpointsOptions;
  readonly #warnings: CountedWarnings;
  readonly #joined = new Map<string, Joined>();
  readonly #connections = new Set<Socket>();

  constructor(options: HostJoinedEndpointsOptions) {
    this.#options = options;
    this.#warnings = new CountedWarnings(options.log);
  }

  namespaceOf(name: string): Promise<string> {
    const { calls } = this.#options;
    const fileName = namespaceName(name);
    const path = pathOf(fileName);
    if (!this.#isNamespace(path)) {
      deleteNamedNamespace(calls, fileName);
      createNamedNamespace(calls, fileName).close();
    }
    return Promise.resolve(path);
  }

  async placed({ name, netns, addresses, forward, offer }: PlacedEndpoint): Promise<string | undefined> {
    const { calls, internet } = this.#options;
    const inode = statSync(netns, { throwIfNoEntry: false })?.ino ?? 0;
    let joined = this.#joined.get(name);
    if (joined !== undefined && joined.inode !== inode) {
      this.#close(name);
      joined = undefined;
    }
    joined ??= { sockets: new NamespaceSockets(calls, internet, netns), inode, ports: new Map() };
    this.#joined.set(name, joined);
    const { ports, sockets } = joined;

    const wanted = new Map<string, () => Promise<() => void>>();
    for (const one of forward) {
      for (const address of addresses) {
        wanted.set(JSON.stringify(['forward', address, one]), () => this.#forward(name, sockets, address, one));
      }
    }
    for (const one of offer) {
      const source = addresses.find((address) => isIPv6(address) === isIPv6(socketAddressOf(one.to).address));
      wanted.set(JSON.stringify(['offer', source, one]), () => this.#offer(name, sockets, source, one));
    }
    for (const [key, close] of ports) {
      if (wanted.has(key)) continue;
      ports.delete(key);
      close();
    }
    const problems: string[] = [];
    for (const [key, open] of wanted) {
      if (ports.has(key)) continue;
      try {
        ports.set(key, await open());
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    return problems.length === 0 ? undefined : problems.join('; ');
  }

  gone(name: string): Promise<void> {
    this.#close(name);
    return Promise.resolve();
  }

  removed(name: string): void {
    deleteNamedNamespace(this.#options.calls, namespaceName(name));
  }

  #forward(name: string, sockets: NamespaceSockets, address: string, { protocol, port, to }: EndpointForward): Promise<() => void> {
    const target = socketAddressOf(to);
    const failed = this.#failedAt(`${name}: ${to}`);
    if (protocol === 'tcp') {
      const bound = { fd: sockets.bound('tcp', address, port) };
      return this.#serve(bound, () => connect({ host: target.address, port: target.port, allowHalfOpen: true }), failed);
    }
    const server = createSocket(familyOf(address));
    server.bind({ fd: sockets.bound('udp', address, port) });
    return Promise.resolve(
      this.#serveDatagrams(server, failed, () => {
        const socket = createSocket(familyOf(target.address));
        socket.connect(target.port, target.address);
        return socket;
      }),
    );
  }

  async #offer(
    name: string,
    sockets: NamespaceSockets,
    source: string | undefined,
    { protocol, listen, to }: EndpointOffer,
  ): Promise<() => void> {
    const [host, target] = [socketAddressOf(listen), socketAddressOf(to)];
    if (source === undefined)
      throw new WeatherError('joined-family', `${to} cannot be reached: the endpoint has no address of that family`);
    const failed = this.#failedAt(`${name}: ${to}`);
    if (protocol === 'tcp') {
      const open = (): Socket => {
        const socket = new Socket({ fd: sockets.bound('tcp', source, 0), allowHalfOpen: true });
        return socket.connect({ host: target.address, port: target.port });
      };
      return this.#serve({ host: host.address, port: host.port }, open, failed);
    }
    const server = createSocket(familyOf(host.address));
    try {
      server.bind({ address: host.address, port: host.port, exclusive: true });
      await once(server, 'listening');
    } catch (cause) {
      server.close();
      throw new WeatherError('joined-port', `${listen}: ${(cause as Error).message}`, { cause });
    }
    return this.#serveDatagrams(server, failed, () => {
      const socket = createSocket(familyOf(source));
      socket.bind({ fd: sockets.bound('udp', source, 0) });
      socket.connect(target.port, target.address);
      return socket;
    });
  }

  async #serve(
    listen: { readonly fd: number } | { readonly host: string; readonly port: number },
    open: () => Socket,
    failed: (reason: string) => void,
  ): Promise<() => void> {
    const accepted = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (client) => {
      if (accepted.size >= connectionsLimit || this.#connections.size >= hostConnectionsLimit) {
        failed(`${accepted.size} connections are open at this port, ${this.#connections.size} at this host`);
        client.resetAndDestroy();
        return;
      }
      try {
        const made = open();
        for (const [set, socket] of [
          [accepted, client],
          [this.#connections, client],
          [this.#connections, made],
        ] as const) {
          set.add(socket);
          socket.once('close', () => set.delete(socket));
        }
        joinStreams(client, made, failed);
      } catch (error) {
        failed((error as Error).message);
        client.resetAndDestroy();
      }
    });
    try {
      server.listen(listen);
      await once(server, 'listening');
    } catch (cause) {
      server.close();
      throw new WeatherError('joined-port', (cause as Error).message, { cause });
    }
    server.on('error', (error) => failed(error.message));
    return () => {
      server.close();
      for (const socket of accepted) socket.resetAndDestroy();
    };
  }

  #serveDatagrams(server: DatagramSocket, failed: (reason: string) => void, open: () => DatagramSocket): () => void {
    const datagrams = new JoinedDatagrams({ server, open, failed, nowMs: this.#options.nowMs });
    return () => datagrams[Symbol.dispose]();
  }

  #failedAt(where: string): (reason: string) => void {
    return (reason) => this.#warnings.warn('a joined endpoint cannot carry what came', `${where}: ${reason}`);
  }

  #close(name: string): void {
    const joined = this.#joined.get(name);
    if (joined === undefined) return;
    this.#joined.delete(name);
    for (const close of joined.ports.values()) close();
    joined.sockets[Symbol.dispose]();
  }

  #isNamespace(path: string): boolean {
    try {
      using namespace = new NetworkNamespace(path);
      inNamespace(this.#options.calls, namespace, () => undefined);
      return true;
    } catch (error) {
      if (error instanceof WeatherError && error.code === 'namespace-missing') return false;
      throw error;
    }
  }

  /** Connections end; namespaces and interfaces stay, and with them the addresses. */
  [Symbol.dispose](): void {
    for (const name of this.#joined.keys()) this.#close(name);
    this.#warnings[Symbol.dispose]();
  }
}

/** Names of endpoints have no dots. */
function namespaceName(name: string): string {
  const tag = ownNamespaceTag();
  return `${namespacePrefix}${name}${tag === '' ? '' : `.${tag}`}`;
}

/** Takes away the namespaces of all endpoints of this host. No daemon must run. */
export function removeJoinedNamespaces(calls: SocketCalls): void {
  for (const fileName of namespaceNames()) {
    const [name = ''] = fileName.slice(namespacePrefix.length).split('.');
    if (fileName.startsWith(namespacePrefix) && fileName === namespaceName(name)) deleteNamedNamespace(calls, fileName);
  }
}

function familyOf(address: string): 'udp4' | 'udp6' {
  return isIPv6(address) ? 'udp6' : 'udp4';
}
