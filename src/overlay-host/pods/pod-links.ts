import { createHash } from 'node:crypto';
import { addAddress, type InterfaceAddress } from '../../kernel/netlink/address-message.ts';
import { decodeLink, dumpLinks, type Link } from '../../kernel/netlink/link-message.ts';
import { findLink } from '../../kernel/netlink/find-link.ts';
import { LinkRemover } from '../../kernel/netlink/link-remover.ts';
import { NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import type { NetworkNamespace } from '../../kernel/netlink/network-namespace.ts';
import { createPodInterface, readPodInterface, type PodInterface, type PodInterfaceState } from '../../kernel/netlink/pod-interface.ts';
import { addRoute, type Route } from '../../kernel/netlink/route-message.ts';
import type { SocketCalls } from '../../kernel/netlink/socket-calls.ts';
import { cniCode, CniError } from '../../overlay/cni/cni-error.ts';
import type { AttachmentKey } from '../../overlay/cni/cni-environment.ts';
import { keyText } from '../../overlay/cni/journal.ts';

/** A link of a pod at this host. */
export interface PodLink {
  readonly key: AttachmentKey;
  readonly link: Link;
}

/** Links of this number are being deleted. */
const removalGroup = 0x43_56_41_4e;
const hostNamePrefix = 'cv';
const hostNameDigits = 13;
const aliasPrefix = 'caravan ';
/** An alias has at most 255 octets; containers' ids have 64. */
const keyTextLimit = 240;

/** The links of pods: made by this daemon, and known by their aliases. */
export class PodLinks implements AsyncDisposable {
  readonly #calls: SocketCalls;
  readonly #remover: LinkRemover;

  constructor(calls: SocketCalls) {
    this.#calls = calls;
    this.#remover = new LinkRemover(calls, { group: removalGroup });
  }

  /** Both ends up, without addresses. Throws CniError or WeatherError. */
  create(
    key: AttachmentKey,
    podNamespace: NetworkNamespace,
    settings: { readonly mac: Uint8Array; readonly mtu: number; readonly transmitChecksumOffload: boolean },
  ): Promise<PodInterface> {
    const alias = aliasPrefix + keyText(key);
    if (alias.length > keyTextLimit) {
      throw new CniError(
        cniCode.invalidEnvironment,
        `a container id and the name of its interface must have at most ${keyTextLimit} characters`,
      );
    }
    return createPodInterface(this.#calls, {
      hostName: hostNameOf(key),
      podName: key.ifname,
      podNamespace,
      podMac: settings.mac,
      mtu: settings.mtu,
      alias,
      addresses: [],
      routes: [],
      transmitChecksumOffload: settings.transmitChecksumOffload,
    });
  }

  /** Gives the pod's end its addresses and routes. */
  async configure(
    podNamespace: NetworkNamespace,
    podIndex: number,
    addresses: readonly InterfaceAddress[],
    routes: readonly Omit<Route, 'linkIndex'>[],
  ): Promise<void> {
    using pod = new NetlinkSocket(this.#calls, podNamespace);
    await pod.runAway([
      ...addresses.map((address) => addAddress(podIndex, address)),
      ...routes.map((route) => addRoute({ ...route, linkIndex: podIndex })),
    ]);
  }

  /** What the pod has behind a name; undefined when there is none. */
  read(podNamespace: NetworkNamespace, ifname: string): PodInterfaceState | undefined {
    return readPodInterface(this.#calls, podNamespace, ifname);
  }

  find(key: AttachmentKey): Link | undefined {
    using socket = new NetlinkSocket(this.#calls);
    return findLink(socket, hostNameOf(key));
  }

  /** Resolves when the link of `key` is gone. */
  remove(key: AttachmentKey): Promise<void> {
    return this.#remover.remove(hostNameOf(key));
  }

  /** All that are there. */
  list(): PodLink[] {
    using socket = new NetlinkSocket(this.#calls);
    return socket.dump(dumpLinks(), (message) => {
      const link = decodeLink(message);
      const key = link?.alias === undefined ? undefined : keyOfAlias(link.alias);
      return link === undefined || key === undefined || link.name !== hostNameOf(key) ? undefined : { key, link };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remover.close();
  }
}

/** The name of the root side: follows from the key, so that it is found without any memory. */
export function hostNameOf(key: AttachmentKey): string {
  return hostNamePrefix + createHash('sha256').update(keyText(key)).digest('hex').slice(0, hostNameDigits);
}

function keyOfAlias(alias: string): AttachmentKey | undefined {
  if (!alias.startsWith(aliasPrefix)) return undefined;
  const [containerId, ifname, ...rest] = alias.slice(aliasPrefix.length).split(' ');
  return containerId === undefined || ifname === undefined || rest.length > 0 ? undefined : { containerId, ifname };
}
