import { release } from 'node:os';
import { WeatherError } from '../base/errors.ts';
import type { WithVeth } from '../kernel/bpf/features.ts';
import { addressText, macText } from '../kernel/netlink/ip-address.ts';
import { createVeth } from '../kernel/netlink/link-message.ts';
import { findLink } from '../kernel/netlink/find-link.ts';
import { replaceIngressProgram } from '../kernel/netlink/ingress-program.ts';
import { NetlinkSocket } from '../kernel/netlink/netlink-socket.ts';
import { readOffloads } from '../kernel/netlink/offloads.ts';
import { createNamedNamespace, deleteNamedNamespace, inNamespace } from '../kernel/netlink/network-namespace.ts';
import { resolveNextHop } from '../kernel/netlink/next-hop.ts';
import { loadSocketCalls } from '../kernel/netlink/socket-calls.ts';
import { findUplink, type Uplink } from '../kernel/netlink/uplink.ts';
import { usualPlace } from '../overlay-host/data-path/uplink-transit.ts';
import { type HostCheck, failed, skipped } from './host-check.ts';

/** Outer headers of 50 octets, and 32 kept free for options. */
const overheadBytes = 82;
/** What IPv6 asks of a link, and the least that a subnet may have. */
const leastPodMtu = 1280;
/** With a larger MTU, native XDP on a veth is refused. */
const mostVethXdpMtu = 3506;
/** The kernel asks a neighbour three times, a second apart. */
const neighbourTimeoutMs = 3500;

const descriptions = {
  uplink: 'The link to the other hosts is found',
  address: 'That link has an IPv4 address',
  mtu: 'Packets of pods fit into packets of that link',
  nextHop: 'The way to the other hosts is known',
  transit: 'There is a place for packets from other hosts at that link',
  xdp: 'That link takes native XDP',
} as const;

export interface UplinkOptions {
  /** The link to the other hosts; that of the default route when absent. Only a link that is named gets a program for a moment. */
  readonly uplink: string | undefined;
  /** Another host, 4 or 16 octets. */
  readonly peer: Uint8Array | undefined;
}

/** The uplink, its address, its MTU, the way to another host, and XDP there. `attach` tries native XDP at a link and throws WeatherError. */
export async function checkUplink({ uplink: name, peer }: UplinkOptions, attach: (ifindex: number) => void): Promise<HostCheck[]> {
  const calls = loadSocketCalls();
  using socket = new NetlinkSocket(calls);
  let uplink: Uplink;
  try {
    uplink = findUplink(socket, name);
  } catch (error) {
    const failure = failed('uplink', descriptions.uplink, error);
    const isGuessed = name === undefined && error instanceof WeatherError && error.code === 'uplink-missing';
    return [isGuessed ? { ...failure, remedy: 'van overlay doctor --uplink NAME; ip link lists the names.' } : failure];
  }
  const { link } = uplink;
  const found = `${link.name}${link.kind === undefined ? '' : ` (${link.kind})`}, ${macText(link.mac)}`;
  return [
    { code: 'uplink', description: descriptions.uplink, result: 'ok', since: null, seen: found, remedy: null },
    addressCheck(uplink),
    mtuCheck(uplink),
    transitCheck(uplink, link.kind === 'veth' && readOffloads(calls, socket, link.name).transmitChecksum),
    await nextHopCheck(socket, uplink, peer),
    name === undefined
      ? skipped(
          'xdp-native-uplink',
          descriptions.xdp,
          `not tried: van overlay doctor --uplink ${link.name} attaches a program to it for a moment`,
        )
      : xdpCheck(uplink, attach),
  ];
}

function addressCheck({ link, addresses }: Uplink): HostCheck {
  const ipv4 = addresses.find(({ address }) => address.length === 4);
  const check = { code: 'uplink-address', description: descriptions.address, since: null } as const;
  if (ipv4 !== undefined) return { ...check, result: 'ok', seen: addressText(ipv4.address), remedy: null };
  const others = addresses.map(({ address }) => addressText(address)).join(', ');
  const remedy = `ip address add ADDRESS/LENGTH dev ${link.name}`;
  return { ...check, result: 'error', seen: `${link.name} has only ${others}, and hosts reach each other by IPv4`, remedy };
}

function mtuCheck({ link }: Uplink): HostCheck {
  const podMtu = link.mtu - overheadBytes;
  const check = { code: 'uplink-mtu', description: descriptions.mtu, since: null } as const;
  const seen = `MTU ${link.mtu}: pods get ${podMtu}, ${overheadBytes} less for the outer headers and the largest option`;
  if (podMtu < leastPodMtu) {
    return {
      ...check,
      result: 'error',
      seen: `${seen}; they need ${leastPodMtu}`,
      remedy: `ip link set ${link.name} mtu ${leastPodMtu + overheadBytes}, or more, on every host and on all between them.`,
    };
  }
  if (link.kind === 'veth' && link.mtu > mostVethXdpMtu) {
    const remedy = `Only with "transit: xdp": ip link set ${link.name} mtu ${mostVethXdpMtu}, or less`;
    return { ...check, result: 'warning', seen: `${seen}; a veth takes native XDP up to ${mostVethXdpMtu}`, remedy };
  }
  return { ...check, result: 'ok', seen, remedy: null };
}

/** Where the daemon puts transit by itself. A veth makes no checksums: XDP at its other end would take packets without one. */
function transitCheck({ link }: Uplink, isWithoutChecksums: boolean): HostCheck {
  const { mode, reason } = usualPlace(link, release());
  const check = { code: 'uplink-transit', description: descriptions.transit, since: null } as const;
  const remedy = `ethtool -K ${link.name} tx off`;
  const seen = mode === 'xdp' ? `XDP, or tc if it takes none: ${reason}` : `tc: ${reason}`;
  if (!isWithoutChecksums) return { ...check, result: 'ok', seen, remedy: null };
  const loss = 'pods of hosts with "transit: xdp" throw away TCP and UDP that comes from it without checksums';
  if (mode === 'xdp') return { ...check, result: 'error', seen: `${seen}; ${loss}`, remedy };
  return { ...check, result: 'ok', seen: `${seen}; ${loss}, unless: ${remedy}`, remedy: null };
}

/** To the peer, or to the gateway in its place. */
async function nextHopCheck(socket: NetlinkSocket, { link, gateway }: Uplink, peer: Uint8Array | undefined): Promise<HostCheck> {
  const check = { code: 'next-hop', description: descriptions.nextHop, since: null } as const;
  const target = peer ?? gateway;
  if (target === undefined) {
    return skipped(check.code, check.description, 'this link has no gateway: van overlay doctor --peer ADDRESS tries another host');
  }
  try {
    const hop = await resolveNextHop(socket, target, { timeoutMs: neighbourTimeoutMs });
    const through = findLink(socket, hop.linkIndex)?.name ?? String(hop.linkIndex);
    const seen = `${addressText(target)} by ${addressText(hop.address)}, ${macText(hop.mac)} at ${through}`;
    if (hop.linkIndex !== link.index) {
      const remedy = `van overlay doctor --uplink ${through}, or a route to the other hosts through ${link.name}.`;
      return { ...check, result: 'error', seen: `${seen}, not at ${link.name}`, remedy };
    }
    if (hop.mtu !== undefined && hop.mtu < link.mtu) {
      const remedy = `Give the subnets an MTU of ${hop.mtu - overheadBytes} or less.`;
      return { ...check, result: 'warning', seen: `${seen}; the route has an MTU of ${hop.mtu}, less than the link`, remedy };
    }
    return { ...check, result: 'ok', seen, remedy: null };
  } catch (error) {
    // A gateway that nobody needs may be silent; another host may not.
    return failed(check.code, check.description, error, peer === undefined ? 'warning' : 'error');
  }
}

function xdpCheck({ link }: Uplink, attach: (ifindex: number) => void): HostCheck {
  try {
    attach(link.index);
  } catch (error) {
    const failure = failed('xdp-native-uplink', descriptions.xdp, error, 'warning');
    return {
      ...failure,
      remedy:
        `${failure.remedy ?? ''} Nothing has to be done: packets from other hosts are taken by tc then. Generic XDP ("xdpMode: generic") does not work at a veth.`.trim(),
    };
  }
  const seen = `a program was attached to ${link.name} and taken off`;
  return { code: 'xdp-native-uplink', description: descriptions.xdp, result: 'ok', since: null, seen, remedy: null };
}

/** The agent as a filter of tc, at a link that is gone afterwards. `program`: a descriptor. */
export function filterCheck(program: number): HostCheck {
  const check = {
    code: 'tc-filter',
    description: 'Programs can be filters of tc, which is how the agent is attached unless told otherwise, and transit at virtual links',
  } as const;
  try {
    temporaryVeth((ifindex) => replaceIngressProgram(loadSocketCalls(), ifindex, program, 'caravan-doctor'));
  } catch (error) {
    const remedy =
      'Use a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF, or write "agent: tcx" and "transit: xdp" into the configuration.';
    return { ...failed(check.code, check.description, error, 'warning'), since: 'Linux 4.5', remedy };
  }
  return { ...check, result: 'ok', since: 'Linux 4.5', seen: 'found', remedy: null };
}

/** A veth pair in a network namespace of its own, so that nobody on this machine takes notice of it. */
export const temporaryVeth: WithVeth = (use) => {
  const calls = loadSocketCalls();
  const name = `caravan-doctor-${process.pid}`;
  using namespace = createNamedNamespace(calls, name);
  try {
    return inNamespace(calls, namespace, () => {
      using socket = new NetlinkSocket(calls);
      const end = (linkName: string): { readonly name: string; readonly mtu: number } => ({ name: linkName, mtu: 1500 });
      socket.run([createVeth(end('near'), end('far'), namespace.descriptor)]);
      const near = findLink(socket, 'near');
      if (near === undefined) throw new WeatherError('veth', 'a veth pair that was made is gone');
      return use(near.index);
    });
  } finally {
    deleteNamedNamespace(calls, name);
  }
};
