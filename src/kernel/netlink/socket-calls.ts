import koffi from 'koffi';
import { AwayCalls } from './away-calls.ts';
import { readFeatureNames } from './features.ts';
import { errorNumbers, netlinkError } from './netlink-error.ts';

/** Native calls of the C library that netlink and namespaces need. Errors are thrown as NetlinkError. */
export interface SocketCalls {
  /** A netlink socket of the calling thread's network namespace, closed on exec. */
  netlinkSocket(protocol: number): number;
  setOption(socket: number, option: SocketOption, value: number): void;
  /** Octets that were sent, all of them. */
  send(socket: number, bytes: Uint8Array, what: string): void;
  /** The same on a thread of its own: `bytes` must not change until then. */
  sendAway(socket: number, bytes: Uint8Array, what: string): Promise<void>;
  /** Full length of the next datagram, of which as much as fits is put into `buffer`; undefined when there is none now. */
  receive(socket: number, buffer: Uint8Array, what: string): number | undefined;
  /** ioctl SIOCETHTOOL with a `struct ethtool_value`, on a thread of its own. */
  setEthtoolValueAway(socket: number, linkName: string, command: number, value: number): Promise<void>;
  getEthtoolValue(socket: number, linkName: string, command: number): number;
  /** The same call with another record, whose first word is the command. The kernel may write into it. */
  ethtool(socket: number, linkName: string, record: Uint8Array<ArrayBuffer>): void;
  ethtoolAway(socket: number, linkName: string, record: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Names of the features of links, at their bits: the same for all links, so the kernel is asked once, about this one. */
  featureNames(socket: number, linkName: string): readonly string[];
  /** The calling thread enters the network namespace of `descriptor`. */
  enterNetworkNamespace(descriptor: number): void;
  /** The calling thread enters a new network namespace. */
  unshareNetworkNamespace(): void;
  mount(source: string, target: string, flags: number): void;
  unmount(target: string, flags: number): void;
  close(descriptor: number): void;
}

export const socketOptions = {
  /** SO_RCVBUFFORCE: above net.core.rmem_max, needs CAP_NET_ADMIN. */
  receiveBufferForce: { level: 1, name: 33 },
  sendBufferForce: { level: 1, name: 32 },
  /** SO_REUSEADDR: connections of a server that is gone do not keep its port. */
  reuseAddress: { level: 1, name: 2 },
  /** IPV6_V6ONLY: a port of IPv6 is not one of IPv4 too. */
  onlyIpv6: { level: 41, name: 26 },
  /** IP_FREEBIND and IPV6_FREEBIND: the address may come later. */
  freeBindIpv4: { level: 0, name: 15 },
  freeBindIpv6: { level: 41, name: 78 },
  /** NETLINK_CAP_ACK: acknowledgements do not repeat the request. */
  cappedAcknowledgement: { level: 270, name: 10 },
  /** NETLINK_EXT_ACK: errors come with text. */
  extendedAcknowledgement: { level: 270, name: 11 },
  /** NETLINK_GET_STRICT_CHK: dumps are filtered by what the request says. */
  strictCheck: { level: 270, name: 12 },
} as const;

export type SocketOption = (typeof socketOptions)[keyof typeof socketOptions];

const netlinkFamily = 16;
const rawSocket = 3;
const closeOnExec = 0o2000000;
const dontWait = 0x40;
const truncate = 0x20;
const tryAgain = 11;
const interrupted = 4;
const networkNamespace = 0x40000000;
const ethtoolCall = 0x8946;
/** struct ifreq: 16 octets of name, a union of 24. */
const interfaceRequestBytes = 40;
const nameBytes = 16;

type Async<Parameters extends unknown[]> = (...parameters: [...Parameters, (error: Error | null, result: number) => void]) => void;

/** Binds the calls. Once for a process: a composition root makes it and passes it on. */
export function loadSocketCalls(): SocketCalls {
  // The process itself: the C library is loaded already, whichever it is.
  const library = koffi.load(null);
  const bind = <Parameters extends unknown[]>(prototype: string) =>
    library.func(prototype) as unknown as ((...parameters: Parameters) => number) & { readonly async: Async<Parameters> };

  const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');
  const setsockopt = bind<[number, number, number, Uint8Array, number]>(
    'int setsockopt(int socket, int level, int name, const void *value, uint32_t bytes)',
  );
  const send = bind<[number, Uint8Array, number, number]>('intptr_t send(int socket, const void *bytes, size_t count, int flags)');
  const recv = bind<[number, Uint8Array, number, number]>('intptr_t recv(int socket, void *bytes, size_t count, int flags)');
  const ioctl = bind<[number, number, Uint8Array]>('int ioctl(int descriptor, unsigned long request, void *value)');
  const setns = bind<[number, number]>('int setns(int descriptor, int kind)');
  const unshare = bind<[number]>('int unshare(int flags)');
  const mount = bind<[string, string, string, number, null]>(
    'int mount(const char *source, const char *target, const char *kind, unsigned long flags, const void *data)',
  );
  const umount2 = bind<[string, number]>('int umount2(const char *target, int flags)');
  const close = bind<[number]>('int close(int descriptor)');

  const away = new AwayCalls();
  const checked = (result: number, what: string): number => {
    if (result < 0) throw netlinkError(what, koffi.errno());
    return result;
  };

  let featureNames: readonly string[] | undefined;
  const ethtool: SocketCalls['ethtool'] = (descriptor, linkName, record) => {
    const { request, what } = ethtoolRequest(linkName, record);
    checked(ioctl(descriptor, ethtoolCall, request), what);
  };
  const ethtoolAway: SocketCalls['ethtoolAway'] = async (descriptor, linkName, record) => {
    const { request, what } = ethtoolRequest(linkName, record);
    await away.run(what, () => ended(record, what, (done) => ioctl.async(descriptor, ethtoolCall, request, done)));
  };

  return {
    netlinkSocket: (protocol) => checked(socket(netlinkFamily, rawSocket | closeOnExec, protocol), 'opening a netlink socket'),
    setOption(descriptor, { level, name }, value) {
      const octets = new Uint8Array(4);
      new DataView(octets.buffer).setInt32(0, value, true);
      checked(setsockopt(descriptor, level, name, octets, octets.length), `socket option ${name}`);
    },
    send(descriptor, bytes, what) {
      checked(send(descriptor, bytes, bytes.length, 0), what);
    },
    sendAway: (descriptor, bytes, what) =>
      away.run(what, () => ended(bytes, what, (done) => send.async(descriptor, bytes, bytes.length, 0, done))),
    receive(descriptor, buffer, what) {
      for (;;) {
        const length = recv(descriptor, buffer, buffer.length, dontWait | truncate);
        if (length >= 0) return length;
        const errorNumber = koffi.errno();
        if (errorNumber === tryAgain) return undefined;
        if (errorNumber !== interrupted) throw netlinkError(what, errorNumber);
      }
    },
    setEthtoolValueAway: (descriptor, linkName, command, value) => ethtoolAway(descriptor, linkName, ethtoolValue(command, value)),
    getEthtoolValue(descriptor, linkName, command) {
      const record = ethtoolValue(command, 0);
      ethtool(descriptor, linkName, record);
      return new DataView(record.buffer).getUint32(4, true);
    },
    ethtool,
    ethtoolAway,
    featureNames(descriptor, linkName) {
      featureNames ??= readFeatureNames((record) => ethtool(descriptor, linkName, record));
      return featureNames;
    },
    enterNetworkNamespace(descriptor) {
      checked(setns(descriptor, networkNamespace), 'entering a network namespace');
    },
    unshareNetworkNamespace() {
      checked(unshare(networkNamespace), 'making a network namespace');
    },
    mount(source, target, flags) {
      checked(mount(source, target, 'none', flags, null), `mounting ${target}`);
    },
    unmount(target, flags) {
      checked(umount2(target, flags), `unmounting ${target}`);
    },
    close(descriptor) {
      close(descriptor);
    },
  };
}

type Done = (error: Error | null, result: number) => void;

/** The end of a call on another thread. `held` is memory that the call uses: it is named here so that it stays until then. */
function ended(held: object, what: string, call: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error !== null) reject(error);
      else if (result < 0) reject(netlinkError(what, koffi.errno()));
      else resolve(void held);
    });
  });
}

/** struct ethtool_value { u32 command; u32 value } */
function ethtoolValue(command: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Uint32Array.of(command, value).buffer);
}

/** The struct ifreq that points to the record of a call to ethtool. */
function ethtoolRequest(linkName: string, record: Uint8Array<ArrayBuffer>): { request: Uint8Array; what: string } {
  const command = new DataView(record.buffer).getUint32(0, true);
  const what = `offload 0x${command.toString(16)} of ${linkName}`;
  const name = new TextEncoder().encode(linkName);
  if (name.length >= nameBytes) throw netlinkError(what, errorNumbers.noDevice);
  const request = new Uint8Array(interfaceRequestBytes);
  request.set(name);
  new DataView(request.buffer).setBigUint64(nameBytes, koffi.address(record.buffer), true);
  return { request, what };
}
