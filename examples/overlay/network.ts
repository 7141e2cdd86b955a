import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LinuxBpf } from '../../src/kernel/bpf/linux-bpf.ts';
import { findLink } from '../../src/kernel/netlink/find-link.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/netlink-socket.ts';
import {
  createNamedNamespace,
  deleteNamedNamespace,
  inNamespace,
  NetworkNamespace,
  pathOf,
} from '../../src/kernel/netlink/network-namespace.ts';
import { setOffload } from '../../src/kernel/netlink/offloads.ts';
import { loadSocketCalls, type SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';

/** A network namespace that stands for a host, behind the switch. */
export interface HostNamespace {
  readonly number: number;
  readonly namespace: string;
  readonly address: string;
  readonly uplink: string;
}

const run = promisify(execFile);

/**
 * Hosts and pods out of network namespaces, all with a prefix of their own:
 *
 *   h1 ─ u ── w1 ┐
 *   h2 ─ u ── w2 ┼ br0 in sw
 *   h3 ─ u ── w3 ┘
 */
export class DemoNetwork implements AsyncDisposable {
  readonly prefix: string;
  readonly #calls: SocketCalls = loadSocketCalls();
  readonly #bpf = new LinuxBpf();
  readonly #objectFile: string;
  readonly #names = new Set<string>();
  readonly hosts: HostNamespace[] = [];

  constructor(prefix: string, objectFile: string) {
    this.prefix = prefix;
    this.#objectFile = objectFile;
  }

  async build(hosts: number): Promise<void> {
    const sw = this.makeNamespace('sw');
    await ip(sw, 'link add br0 type bridge');
    await ip(sw, 'link set br0 up');
    using switchNamespace = new NetworkNamespace(pathOf(sw));
    const object = inNamespace(this.#calls, switchNamespace, () => this.#bpf.open(this.#objectFile));
    for (let number = 1; number <= hosts; number++) {
      const host = { number, namespace: this.makeNamespace(`h${number}`), address: `192.0.2.${number}`, uplink: 'u' };
      await ip(host.namespace, `link add u type veth peer name w${number} netns ${sw}`);
      await ip(sw, `link set w${number} master br0 up`);
      await ip(host.namespace, `address add ${host.address}/24 dev u`);
      await ip(host.namespace, 'link set u up');
      await ip(host.namespace, 'link set lo up');
      using hostNamespace = new NetworkNamespace(pathOf(host.namespace));
      using socket = new NetlinkSocket(this.#calls, hostNamespace);
      // Frames that XDP takes at the other end come without the checksums that were left to the device.
      await setOffload(this.#calls, socket, 'u', 'transmitChecksum', false);
      using switchSocket = new NetlinkSocket(this.#calls, switchNamespace);
      const port = findLink(switchSocket, `w${number}`);
      if (port === undefined) throw new Error(`w${number} is gone`);
      // A veth takes what XDP sends back only when its other end has a program too.
      inNamespace(this.#calls, switchNamespace, () => this.#bpf.attachXdp(object.program('pass'), port.index, 'native'));
      this.hosts.push(host);
    }
  }

  /** Its name; deleted at the end. */
  makeNamespace(name: string): string {
    const full = `${this.prefix}-${name}`;
    createNamedNamespace(this.#calls, full).close();
    this.#names.add(full);
    return full;
  }

  deleteNamespace(full: string): void {
    deleteNamedNamespace(this.#calls, full);
    this.#names.delete(full);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bpf.close();
    for (const name of this.#names) this.deleteNamespace(name);
    await Promise.resolve();
  }
}

/** `ip` in a namespace. */
export async function ip(namespace: string, parameters: string): Promise<string> {
  const { stdout } = await run('ip', ['-n', namespace, ...parameters.split(' ')]);
  return stdout;
}
