import { type InterfaceAddress, type LinkAddress, addAddress, decodeAddress, dumpAddresses } from './address-message.ts';
import type { IpAddress } from './ip-address.ts';
import { setFeatures, tunnelSegmentation } from './features.ts';
import { findLink } from './find-link.ts';
import { findRoutes } from './find-routes.ts';
import { type Link, changeLink, createVeth, decodeLink, deleteLink, getLink } from './link-message.ts';
import { putNeighbour } from './neighbour-message.ts';
import { NetlinkError, errorNumbers, replyError } from './netlink-error.ts';
import { NetlinkSocket, type Outcome } from './netlink-socket.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { type Offloads, readOffloads } from './offloads.ts';
import { type KnownRoute, type Route, addRoute } from './route-message.ts';
import type { SocketCalls } from './socket-calls.ts';

/** A pod's interface: a veth pair with one end here and one in the pod. */
export interface PodInterfaceSpec {
  /** Of the end in the socket's namespace; at most 15 octets, unique there. */
  readonly hostName: string;
  /** Of the end in the pod, such as `eth0`. */
  readonly podName: string;
  readonly podNamespace: NetworkNamespace;
  /** 6 octets each; the host's is random when absent. */
  readonly podMac: Uint8Array;
  readonly hostMac?: Uint8Array | undefined;
  /** Of both ends, in octets: a frame that is longer than the other end's is lost without a word. */
  readonly mtu: number;
  /** Text at the host's end that dumps give back, to know later whose it is; at most 255 octets. */
  readonly alias?: string | undefined;
  readonly addresses: readonly InterfaceAddress[];
  readonly routes: readonly Omit<Route, 'linkIndex'>[];
  readonly neighbours?: readonly { readonly address: IpAddress; readonly mac: Uint8Array }[] | undefined;
  /**
   * Whether the pod's kernel may leave checksums of TCP and UDP to the device. Not when XDP takes the frames: they would come without one.
   */
  readonly transmitChecksumOffload: boolean;
}

export interface PodInterface {
  readonly hostIndex: number;
  /** In the pod's namespace. */
  readonly podIndex: number;
  readonly hostMac: Uint8Array;
}

/** GRO. Frames that XDP redirects into a veth are lost unless its other end takes them by polling, which this turns on. */
const takesByPolling = 'rx-gro';
const transmitChecksums = ['tx-checksum-ip-generic', 'tx-checksum-sctp'];

/**
 * Makes the pod's interface: one send for the pair, one for each end and an ioctl. Both ends are up then, and nothing is left when it
 * throws. Segmentation for tunnels that begin in the pod is off: what is in a tunnel and not cut yet cannot be put into ours. The kernel's
 * work is done on other threads, since every change of a link waits while another link is deleted, some 20 ms. `hostNamespace` is the
 * calling thread's when absent. The pod's namespace must stay open until the end.
 *
 * Throws WeatherError `host-link-exists` or `pod-link-exists`, or a NetlinkError that says which step was refused.
 */
export async function createPodInterface(
  calls: SocketCalls,
  spec: PodInterfaceSpec,
  hostNamespace?: NetworkNamespace,
): Promise<PodInterface> {
  using host = new NetlinkSocket(calls, hostNamespace);
  using pod = new NetlinkSocket(calls, spec.podNamespace);
  const link = await createPair(host, spec);
  try {
    const podIndex = link.peerIndex;
    if (podIndex === undefined) throw replyError(`veth ${spec.hostName}`, 'the kernel does not say which its other end is');
    // Before the host's end is up: it learns then, and only then, that XDP may redirect to it.
    await setFeatures(calls, pod, spec.podName, {
      on: [takesByPolling],
      off: spec.transmitChecksumOffload ? tunnelSegmentation : [...tunnelSegmentation, ...transmitChecksums],
    });
    await host.runAway([changeLink(link.index, { noGeneratedAddress: true, alias: spec.alias }), changeLink(link.index, { up: true })]);
    await pod.runAway([
      changeLink(podIndex, { noGeneratedAddress: true }),
      changeLink(podIndex, { up: true }),
      ...spec.addresses.map((address) => addAddress(podIndex, address)),
      ...(spec.neighbours ?? []).map(({ address, mac }) => putNeighbour(podIndex, address, mac)),
      ...spec.routes.map((route) => addRoute({ ...route, linkIndex: podIndex })),
    ]);
    return { hostIndex: link.index, podIndex, hostMac: link.mac };
  } catch (error) {
    throw within(error, spec, await undo(host, link));
  }
}

/** Gives what to say when it fails. */
async function undo(host: NetlinkSocket, link: Link): Promise<string> {
  try {
    await host.runAway([deleteLink(link.index)]);
  } catch (error) {
    if (error instanceof NetlinkError && error.errorNumber === errorNumbers.noDevice) return '';
    return `; link ${link.name} is left: ${(error as Error).message}`;
  }
  return '';
}

/** What a pod has behind the name of an interface. */
export interface PodInterfaceState {
  readonly link: Link;
  readonly offloads: Offloads;
  readonly addresses: readonly LinkAddress[];
  /** Through this interface, of the main table; those that come with addresses too. */
  readonly routes: readonly KnownRoute[];
}

/** Undefined when the pod has no interface of that name. Throws NetlinkError. */
export function readPodInterface(calls: SocketCalls, podNamespace: NetworkNamespace, podName: string): PodInterfaceState | undefined {
  using pod = new NetlinkSocket(calls, podNamespace);
  const link = findLink(pod, podName);
  if (link === undefined) return undefined;
  return {
    link,
    offloads: readOffloads(calls, pod, podName),
    addresses: pod.dump(dumpAddresses(link.index), decodeAddress),
    routes: findRoutes(pod, ({ linkIndex }) => linkIndex === link.index),
  };
}

/** The pair, both ends down. */
async function createPair(host: NetlinkSocket, spec: PodInterfaceSpec): Promise<Link> {
  const { hostName, podName, hostMac, podMac, mtu, podNamespace } = spec;
  const [created, found] = await host.exchangeAway([
    createVeth({ name: hostName, mac: hostMac, mtu }, { name: podName, mac: podMac, mtu }, podNamespace.descriptor),
    getLink(hostName),
  ]);
  if (created?.error !== undefined) throw nameTaken(created.error, found, spec);
  const link = found?.replies.map(decodeLink).find((candidate) => candidate !== undefined);
  if (link === undefined) throw within(found?.error ?? replyError(`veth ${hostName}`, 'it is gone'), spec);
  return link;
}

function nameTaken(error: NetlinkError, hostLink: Outcome | undefined, spec: PodInterfaceSpec): NetlinkError {
  if (error.errorNumber !== errorNumbers.exists) return within(error, spec) as NetlinkError;
  const [code, text] =
    hostLink?.error === undefined
      ? ['host-link-exists', `link ${spec.hostName} exists on the host`]
      : ['pod-link-exists', `interface ${spec.podName} exists in ${spec.podNamespace.path}`];
  return new NetlinkError(code, text, error.errorNumber, { cause: error, remedy: 'delete it first' });
}

function within(error: unknown, { podNamespace }: PodInterfaceSpec, more = ''): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const options = error.remedy === undefined ? { cause: error } : { cause: error, remedy: error.remedy };
  return new NetlinkError(error.code, `${podNamespace.path}: ${error.message}${more}`, error.errorNumber, options);
}
