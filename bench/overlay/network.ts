/** Network namespaces, links and programs of one run: all gone at its end. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { LinuxBpf } from '../../src/kernel/bpf/linux-bpf.ts';
import { findLink } from '../../src/kernel/netlink/find-link.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/netlink-socket.ts';
import {
  createNamedNamespace,
  deleteNamedNamespace,
  inNamespace,
  pathOf,
  type NetworkNamespace,
} from '../../src/kernel/netlink/network-namespace.ts';
import { loadSocketCalls, type SocketCalls } from '../../src/kernel/netlink/socket-calls.ts';
import type { Link } from '../../src/kernel/netlink/link-message.ts';

/** ETHTOOL_S...: receive and transmit checksum, scatter/gather, TSO, GSO, GRO. */
const offloadCommands = [0x15, 0x17, 0x19, 0x1f, 0x24, 0x2c] as const;

/** A namespace by the name that `ip netns` knows. */
export interface Place {
  readonly name: string;
  readonly namespace: NetworkNamespace;
}

export class Network implements Disposable {
  readonly calls: SocketCalls = loadSocketCalls();
  readonly bpf: LinuxBpf = new LinuxBpf();
  readonly #prefix: string;
  readonly #places: Place[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A new namespace without IPv6, whose announcements would be in the way. */
  add(name: string): Place {
    const full = `${this.#prefix}-${name}`;
    const place = { name: full, namespace: createNamedNamespace(this.calls, full) };
    this.#places.push(place);
    inNamespace(this.calls, place.namespace, () => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
    return place;
  }

  link(place: Place, name: string): Link {
    using socket = new NetlinkSocket(this.calls, place.namespace);
    const link = findLink(socket, name);
    if (link === undefined) throw new Error(`${place.name} has no link ${name}`);
    return link;
  }

  /** Everything that a device may do in the kernel's place, off. */
  async withoutOffloads(place: Place, link: string): Promise<void> {
    using socket = new NetlinkSocket(this.calls, place.namespace);
    for (const command of offloadCommands) await this.calls.setEthtoolValueAway(socket.descriptor, link, command, 0);
  }

  [Symbol.dispose](): void {
    this.bpf.close();
    for (const { name, namespace } of this.#places) {
      namespace.close();
      deleteNamedNamespace(this.calls, name);
    }
  }
}

/** `ip`, `bridge` or `tc` in a namespace. Throws with what it wrote. */
export function configure(place: Place, program: 'ip' | 'bridge' | 'tc', parameters: string): void {
  execFileSync(program, ['-n', place.name, ...parameters.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The command in front of a program that is to run in a namespace: its process becomes the program itself. */
export function inside(place: Place): string[] {
  return ['nsenter', `--net=${pathOf(place.name)}`];
}
