import type { NetlinkSocket } from './netlink-socket.ts';
import type { SocketCalls } from './socket-calls.ts';

/*
 * ETHTOOL_GSSET_INFO: u32 command | u32 0 | u64 mask of sets | u32 number of names, for the one set of the mask
 * ETHTOOL_GSTRINGS:   u32 command | u32 set | u32 number of names | names of 32 octets, with zeros behind
 * ETHTOOL_GFEATURES:  u32 command | u32 number of blocks | of 32 features each: u32 can be changed | wanted | on | never changes
 * ETHTOOL_SFEATURES:  u32 command | u32 number of blocks | of 32 features each: u32 mask of what is changed | u32 wanted
 *
 * The bit of a feature is the place of its name, which differs between kernels.
 */
const commands = { getSetInfo: 0x37, getStrings: 0x1b, getFeatures: 0x3a, setFeatures: 0x3b } as const;
const featureSet = 4;
const nameBytes = 32;
const headerBytes = 8;
/** Linux 6.18 has 64. */
const maxNames = 1024;

/** Segmentation of packets that are in a tunnel already when they come to the link. */
export const tunnelSegmentation: readonly string[] = [
  'tx-gre-segmentation',
  'tx-gre-csum-segmentation',
  'tx-ipxip4-segmentation',
  'tx-ipxip6-segmentation',
  'tx-udp_tnl-segmentation',
  'tx-udp_tnl-csum-segmentation',
];

/**
 * What joins datagrams of UDP behind one outer header, or sends them so: must be off at an uplink where a tc program takes tunnels apart. The
 * kernel would still see the tunnel in such a packet, cut it in the wrong place at the pod, and lose it. TCP is not concerned: it takes what
 * it gets as one.
 */
export const datagramBatching: readonly string[] = ['tx-udp-segmentation', 'rx-udp-gro-forwarding', 'rx-gro-list'];

/** Switches features of a link on and off in one call, on another thread; those that the kernel does not know are left out. Throws NetlinkError. */
export async function setFeatures(
  calls: SocketCalls,
  socket: NetlinkSocket,
  linkName: string,
  { on, off }: { readonly on: readonly string[]; readonly off: readonly string[] },
): Promise<void> {
  const names = calls.featureNames(socket.descriptor, linkName);
  const record = blocksOf(commands.setFeatures, names.length, 8);
  const view = new DataView(record.buffer);
  for (const [bit, name] of names.entries()) {
    if (!on.includes(name) && !off.includes(name)) continue;
    const at = headerBytes + (bit >>> 5) * 8;
    const mask = 1 << (bit & 31);
    view.setUint32(at, view.getUint32(at, true) | mask, true);
    if (on.includes(name)) view.setUint32(at + 4, view.getUint32(at + 4, true) | mask, true);
  }
  await calls.ethtoolAway(socket.descriptor, linkName, record);
}

/** The features of a link that are on. Throws NetlinkError. */
export function readFeatures(calls: SocketCalls, socket: NetlinkSocket, linkName: string): ReadonlySet<string> {
  const names = calls.featureNames(socket.descriptor, linkName);
  const record = blocksOf(commands.getFeatures, names.length, 16);
  calls.ethtool(socket.descriptor, linkName, record);
  const view = new DataView(record.buffer);
  return new Set(names.filter((_, bit) => (view.getUint32(headerBytes + (bit >>> 5) * 16 + 8, true) & (1 << (bit & 31))) !== 0));
}

function blocksOf(command: number, features: number, blockBytes: number): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil(features / 32);
  const record = new Uint8Array(headerBytes + blocks * blockBytes);
  const view = new DataView(record.buffer);
  view.setUint32(0, command, true);
  view.setUint32(4, blocks, true);
  return record;
}

/** Names of all features that this kernel knows, at their bits. `ethtool` makes the call, which writes into the record. */
export function readFeatureNames(ethtool: (record: Uint8Array<ArrayBuffer>) => void): readonly string[] {
  const info = new Uint8Array(20);
  const infoView = new DataView(info.buffer);
  infoView.setUint32(0, commands.getSetInfo, true);
  infoView.setBigUint64(8, 1n << BigInt(featureSet), true);
  ethtool(info);
  const count = Math.min(infoView.getUint32(16, true), maxNames);
  const strings = new Uint8Array(12 + count * nameBytes);
  const view = new DataView(strings.buffer);
  view.setUint32(0, commands.getStrings, true);
  view.setUint32(4, featureSet, true);
  view.setUint32(8, count, true);
  ethtool(strings);
  return Array.from({ length: count }, (_, index) => {
    const name = strings.subarray(12 + index * nameBytes, 12 + (index + 1) * nameBytes);
    return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  });
}
