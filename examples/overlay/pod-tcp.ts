import { createServer, Socket, type Server } from 'node:net';
import { loadKoffi } from '../../src/kernel/ffi/foreign-library.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { ipv4Octets, isIpv4, parseAddress } from '../../src/overlay/packet/address.ts';

const stream = 1;
const closeOnExec = 0o2000000;
const families = { ipv4: 2, ipv6: 10 } as const;
const socketLevel = 1;
const reuseAddress = 2;
/** SO_SNDTIMEO: connect gives up after it too. */
const sendTimeout = 21;
const backlog = 64;

type Done = (error: Error | null, result: number) => void;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(socket: number, level: number, option: number, value: Uint8Array, bytes: number): number;
  bind(socket: number, address: Uint8Array, bytes: number): number;
  listen(socket: number, backlog: number): number;
  close(socket: number): number;
  readonly connect: { async(socket: number, address: Uint8Array, bytes: number, done: Done): void };
}

/** TCP in the namespaces of pods, from this process. */
export class PodTcp {
  readonly #namespaces: SocketCalls;
  readonly #calls: Calls;

  constructor(namespaces: SocketCalls) {
    this.#namespaces = namespaces;
    const library = loadKoffi().load(null as unknown as string);
    this.#calls = {
      socket: library.func('int socket(int domain, int type, int protocol)') as unknown as Calls['socket'],
      setsockopt: library.func(
        'int setsockopt(int socket, int level, int option, const void *value, uint32_t bytes)',
      ) as unknown as Calls['setsockopt'],
      bind: library.func('int bind(int socket, const void *address, uint32_t bytes)') as unknown as Calls['bind'],
      listen: library.func('int listen(int socket, int backlog)') as unknown as Calls['listen'],
      close: library.func('int close(int socket)') as unknown as Calls['close'],
      connect: library.func('int connect(int socket, const void *address, uint32_t bytes)') as unknown as Calls['connect'],
    };
  }

  /** Listens at `address` of the pod; without it, at all of IPv4. */
  async listen(namespace: string, port: number, served: (socket: Socket) => void, address = '0.0.0.0'): Promise<Server> {
    const descriptor = this.#open(namespace, address, port);
    if (this.#calls.listen(descriptor, backlog) < 0) throw new Error(`port ${port} cannot be listened at in ${namespace}`);
    const server = createServer((socket) => {
      // A client that gave up before it was heard resets its connection.
      socket.on('error', () => socket.destroy());
      served(socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ fd: descriptor }, resolve);
    });
    return server;
  }

  /** Rejects when nobody listens there, or nobody answers in time: without `timeoutMs`, for as long as the kernel tries. */
  async connect(namespace: string, address: string, port: number, fromPort = 0, timeoutMs = 0): Promise<Socket> {
    const descriptor = this.#open(namespace, address.includes(':') ? '::' : '0.0.0.0', fromPort);
    // struct timeval: seconds and microseconds, 8 octets each.
    const limit = new Uint8Array(BigInt64Array.of(BigInt(Math.floor(timeoutMs / 1000)), BigInt(timeoutMs % 1000) * 1000n).buffer);
    this.#calls.setsockopt(descriptor, socketLevel, sendTimeout, limit, limit.length);
    const to = socketAddress(address, port);
    const result = await new Promise<number>((resolve, reject) =>
      this.#calls.connect.async(descriptor, to, to.length, (error, value) => (error === null ? resolve(value) : reject(error))),
    );
    if (result === 0) return new Socket({ fd: descriptor, readable: true, writable: true });
    this.#calls.close(descriptor);
    throw new Error(`${address}:${port} is not reached from ${namespace}`);
  }

  #open(namespace: string, address: string, port: number): number {
    using opened = new NetworkNamespace(pathOf(namespace));
    return inNamespace(this.#namespaces, opened, () => {
      const descriptor = this.#calls.socket(address.includes(':') ? families.ipv6 : families.ipv4, stream | closeOnExec, 0);
      this.#calls.setsockopt(descriptor, socketLevel, reuseAddress, Uint8Array.of(1, 0, 0, 0), 4);
      const own = socketAddress(address, port);
      if (this.#calls.bind(descriptor, own, own.length) < 0) throw new Error(`port ${port} is taken in ${namespace}`);
      return descriptor;
    });
  }
}

/*
 * struct sockaddr_in, 16 octets: u16 family (host order) | u16 port | 4 octets of address | zeros; sockaddr_in6, 28 octets:
 * u16 family | u16 port | u32 flow | 16 octets of address | u32 scope
 */
function socketAddress(text: string, port: number): Uint8Array {
  const octets = parseAddress(text);
  if (octets === undefined) throw new Error(`${text} is no address`);
  const isOld = !text.includes(':') && isIpv4(octets);
  const address = new Uint8Array(isOld ? 16 : 28);
  const view = new DataView(address.buffer);
  view.setUint16(0, isOld ? families.ipv4 : families.ipv6, true);
  view.setUint16(2, port);
  address.set(isOld ? ipv4Octets(octets) : octets, isOld ? 4 : 8);
  return address;
}
