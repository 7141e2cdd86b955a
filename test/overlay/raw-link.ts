/** Frames as they are, on a link of a namespace: what an honest kernel does not send. */
import { loadKoffi } from '../../src/kernel/ffi/foreign-library.ts';
import { findLink } from '../../src/kernel/netlink/find-link.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/netlink-socket.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import { loadSocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

const packetFamily = 17;
const raw = 3;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
/** ETH_P_ALL in network order. */
const allProtocols = 0x0300;
/** struct sockaddr_ll: u16 family | u16 protocol | i32 ifindex | 12 octets that bind does not read. */
const linkAddressBytes = 20;
const longestFrame = 9216;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(socket: number, address: Uint8Array, bytes: number): number;
  send(socket: number, frame: Uint8Array, bytes: number, flags: number): number;
  recv(socket: number, frame: Uint8Array, bytes: number, flags: number): number;
  close(socket: number): number;
}

export class RawLink implements Disposable {
  readonly mac: Uint8Array;
  readonly #calls: Calls;
  readonly #socket: number;

  constructor(namespaceName: string, linkName: string) {
    const library = loadKoffi().load(null as unknown as string);
    this.#calls = {
      socket: library.func('int socket(int domain, int type, int protocol)') as unknown as Calls['socket'],
      bind: library.func('int bind(int socket, const void *address, uint32_t bytes)') as unknown as Calls['bind'],
      send: library.func('int send(int socket, const void *frame, size_t bytes, int flags)') as unknown as Calls['send'],
      recv: library.func('int recv(int socket, void *frame, size_t bytes, int flags)') as unknown as Calls['recv'],
      close: library.func('int close(int socket)') as unknown as Calls['close'],
    };
    const namespaces = loadSocketCalls();
    using namespace = new NetworkNamespace(pathOf(namespaceName));
    using netlink = new NetlinkSocket(namespaces, namespace);
    const link = findLink(netlink, linkName);
    if (link === undefined) throw new Error(`${namespaceName} has no ${linkName}`);
    this.mac = link.mac;
    this.#socket = inNamespace(namespaces, namespace, () =>
      this.#calls.socket(packetFamily, raw | closeOnExec | nonBlocking, allProtocols),
    );
    const address = new Uint8Array(linkAddressBytes);
    const view = new DataView(address.buffer);
    view.setUint16(0, packetFamily, true);
    view.setUint16(2, allProtocols, true);
    view.setInt32(4, link.index, true);
    if (this.#calls.bind(this.#socket, address, address.length) < 0) throw new Error(`${linkName} cannot be opened`);
  }

  send(frame: Uint8Array): void {
    if (this.#calls.send(this.#socket, frame, frame.length, 0) !== frame.length) throw new Error('the frame was not sent');
  }

  /** Frames that have come or gone since the last call. */
  received(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    for (;;) {
      const frame = new Uint8Array(longestFrame);
      const bytes = this.#calls.recv(this.#socket, frame, frame.length, 0);
      if (bytes < 0) return frames;
      frames.push(frame.subarray(0, bytes));
    }
  }

  [Symbol.dispose](): void {
    this.#calls.close(this.#socket);
  }
}
