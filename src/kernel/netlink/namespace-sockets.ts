import koffi from 'koffi';
import { assert } from '../../base/errors.ts';
import { ipv4Octets, isIpv4, parseAddress } from '../../overlay/packet/address.ts';
import { netlinkError } from './netlink-error.ts';
import { inNamespace, NetworkNamespace } from './network-namespace.ts';
import { socketOptions, type SocketCalls } from './socket-calls.ts';

/** `ping`: of echo requests and their answers, whose port is their identifier. The namespace must allow it to this process's group. */
export type SocketKind = 'tcp' | 'udp' | 'ping';

/** Native calls of the C library for sockets of IPv4 and IPv6. Errors are thrown as NetlinkError. */
export interface InternetCalls {
  /** A socket that is bound to an address in its own text form and a port; 0 is any free one. Closed on exec, and never waits. */
  bound(kind: SocketKind, address: string, port: number): number;
}

const ipv4Family = 2;
const ipv6Family = 10;
const streamSocket = 1;
const datagramSocket = 2;
const closeOnExec = 0o2000000;
const neverWait = 0o4000;
const echoProtocols = { [ipv4Family]: 1, [ipv6Family]: 58 } as const;

/** Binds the calls. Once for a process. */
export function loadInternetCalls(calls: SocketCalls): InternetCalls {
  const library = koffi.load(null);
  const socket = library.func('int socket(int domain, int type, int protocol)') as (
    domain: number,
    type: number,
    protocol: number,
  ) => number;
  const bind = library.func('int bind(int socket, const void *address, uint32_t bytes)') as (
    descriptor: number,
    address: Uint8Array,
    bytes: number,
  ) => number;
  const checked = (result: number, what: string): number => {
    if (result < 0) throw netlinkError(what, koffi.errno());
    return result;
  };
  return {
    bound(kind, address, port) {
      const { family, octets } = socketAddressRecord(address, port);
      const what = `${kind} port ${port} of ${address}`;
      const type = (kind === 'tcp' ? streamSocket : datagramSocket) | closeOnExec | neverWait;
      const descriptor = checked(socket(family, type, kind === 'ping' ? echoProtocols[family] : 0), what);
      try {
        if (kind === 'tcp') calls.setOption(descriptor, socketOptions.reuseAddress, 1);
        if (family === ipv6Family) calls.setOption(descriptor, socketOptions.onlyIpv6, 1);
        // One of IPv6 may be there and not count yet, while the kernel looks for a twin.
        calls.setOption(descriptor, family === ipv4Family ? socketOptions.freeBindIpv4 : socketOptions.freeBindIpv6, 1);
        checked(bind(descriptor, octets, octets.length), what);
      } catch (error) {
        calls.close(descriptor);
        throw error;
      }
      return descriptor;
    },
  };
}

/**
 * ```text
 * struct sockaddr_in:  family 2 (host order) | port 2 | address 4 | zeros 8
 * struct sockaddr_in6: family 2 (host order) | port 2 | flow 4 | address 16 | scope 4
 * ```
 */
function socketAddressRecord(text: string, port: number): { family: typeof ipv4Family | typeof ipv6Family; octets: Uint8Array } {
  const address = parseAddress(text);
  assert(address !== undefined, `${text} is no address`);
  const family = isIpv4(address) ? ipv4Family : ipv6Family;
  const octets = new Uint8Array(family === ipv4Family ? 16 : 28);
  const view = new DataView(octets.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  octets.set(family === ipv4Family ? ipv4Octets(address) : address, family === ipv4Family ? 4 : 8);
  return { family, octets };
}

/**
 * Sockets of a network namespace, opened from another one: a socket belongs to the namespace that its thread was in when it was made, for good.
 * Descriptors are given to `net` and `dgram`, which close them.
 */
export class NamespaceSockets implements Disposable {
  readonly #calls: SocketCalls;
  readonly #internet: InternetCalls;
  readonly #namespace: NetworkNamespace;

  /** Throws WeatherError `namespace-missing` or `namespace`. */
  constructor(calls: SocketCalls, internet: InternetCalls, namespacePath: string) {
    this.#calls = calls;
    this.#internet = internet;
    this.#namespace = new NetworkNamespace(namespacePath);
  }

  /** The descriptor of a bound socket. Throws NetlinkError, and what entering a namespace does. */
  bound(kind: SocketKind, address: string, port: number): number {
    return inNamespace(this.#calls, this.#namespace, () => this.#internet.bound(kind, address, port));
  }

  [Symbol.dispose](): void {
    this.#namespace.close();
  }
}
