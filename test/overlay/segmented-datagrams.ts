/** UDP that the kernel cuts: one send, many datagrams. */
import { loadKoffi } from '../../src/kernel/ffi/foreign-library.ts';
import { inNamespace, NetworkNamespace, pathOf } from '../../src/kernel/netlink/network-namespace.ts';
import type { SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import { ipv4Octets, parseAddress } from '../../src/overlay/packet/address.ts';

const internet = 2;
const datagram = 2;
const udpLevel = 17;
/** UDP_SEGMENT: octets of each datagram. */
const segment = 103;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(socket: number, level: number, option: number, value: Uint8Array, bytes: number): number;
  sendto(socket: number, data: Uint8Array, bytes: number, flags: number, to: Uint8Array, toBytes: number): number;
  close(socket: number): number;
}

/** Sends `times` buffers of `bytes` octets from a namespace, each of which the kernel cuts into datagrams of `segmentBytes`. */
export function sendSegmented(
  namespaces: SocketCalls,
  from: string,
  to: { readonly address: string; readonly port: number },
  { times, bytes, segmentBytes }: { readonly times: number; readonly bytes: number; readonly segmentBytes: number },
): void {
  const library = loadKoffi().load(null as unknown as string);
  const socket = library.func('int socket(int domain, int type, int protocol)') as unknown as Calls['socket'];
  const setOption = library.func(
    'int setsockopt(int socket, int level, int option, const void *value, uint32_t bytes)',
  ) as unknown as Calls['setsockopt'];
  const send = library.func(
    'intptr_t sendto(int socket, const void *data, size_t bytes, int flags, const void *to, uint32_t to_bytes)',
  ) as unknown as Calls['sendto'];
  const close = library.func('int close(int socket)') as unknown as Calls['close'];
  using opened = new NetworkNamespace(pathOf(from));
  inNamespace(namespaces, opened, () => {
    const descriptor = socket(internet, datagram, 0);
    try {
      setOption(descriptor, udpLevel, segment, new Uint8Array(Uint32Array.of(segmentBytes).buffer), 4);
      // struct sockaddr_in: u16 family in the host's order | u16 port | 4 octets of address | zeros
      const address = new Uint8Array(16);
      const view = new DataView(address.buffer);
      view.setUint16(0, internet, true);
      view.setUint16(2, to.port);
      address.set(ipv4Octets(parseAddress(to.address)!), 4);
      const data = new Uint8Array(bytes).fill(0x78);
      for (let sent = 0; sent < times; sent++) {
        if (send(descriptor, data, data.length, 0, address, address.length) !== bytes) throw new Error('it was not sent');
      }
    } finally {
      close(descriptor);
    }
  });
}
