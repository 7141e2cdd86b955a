import { createSocket, type Socket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { loadKoffi } from '../../src/kernel/ffi/foreign-library.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/*
 * struct sockaddr_in, 16 octets: u16 family (host order) | u16 port | 4 octets of address | zeros; sockaddr_in6, 28 octets:
 * u16 family | u16 port | u32 flow | 16 octets of address | u32 scope
 */

const families = { udp4: 2, udp6: 10 } as const;
const datagram = 2;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const icmp = { udp4: 1, udp6: 58 } as const;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(socket: number, address: Uint8Array, bytes: number): number;
}

/** Opens sockets in the namespaces of pods from this process: no program has to be started there. */
export class PodSockets {
  readonly #namespaces: SocketCalls;
  readonly #calls: Calls;

  constructor(namespaces: SocketCalls) {
    this.#namespaces = namespaces;
    const library = loadKoffi().load(null as unknown as string);
    this.#calls = {
      socket: library.func('int socket(int domain, int type, int protocol)') as unknown as Calls['socket'],
      bind: library.func('int bind(int socket, const void *address, uint32_t bytes)') as unknown as Calls['bind'],
    };
  }

  /** A socket for pings: a datagram is an ICMP message, whose checksum and identifier the kernel sets. */
  openPing(namespace: string, family: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
    return this.#open(namespace, family, icmp[family], 0);
  }

  openUdp(namespace: string, port: number, family: 'udp4' | 'udp6' = 'udp4'): Promise<Socket> {
    return this.#open(namespace, family, 0, port);
  }

  async #open(namespace: string, family: 'udp4' | 'udp6', protocol: number, port: number): Promise<Socket> {
    using opened = new NetworkNamespace(pathOf(namespace));
    const descriptor = inNamespace(this.#namespaces, opened, () => {
      // Every user may ping.
      if (protocol !== 0) writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647');
      const fd = this.#calls.socket(families[family], datagram | closeOnExec | nonBlocking, protocol);
      if (fd < 0) throw new Error(`no socket in ${namespace}`);
      const address = new Uint8Array(family === 'udp4' ? 16 : 28);
      const view = new DataView(address.buffer);
      view.setUint16(0, families[family], true);
      view.setUint16(2, port);
      if (this.#calls.bind(fd, address, address.length) < 0) throw new Error(`port ${port} is taken in ${namespace}`);
      return fd;
    });
    const socket = createSocket(family);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd: descriptor }, () => resolve());
    });
    socket.on('error', () => undefined);
    return socket;
  }
}
